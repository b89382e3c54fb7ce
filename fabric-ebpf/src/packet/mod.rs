//! Access to the packet's bytes: the only bounds checks, and the only changes of its length.

pub mod flow;
pub mod flow_options;
pub mod ipv4;
pub mod network;
pub mod sum;
pub mod vxlan;

use core::arch::asm;

use aya_ebpf::{
    bindings::xdp_md,
    helpers::{bpf_xdp_adjust_head, bpf_xdp_adjust_tail, generated::bpf_xdp_load_bytes},
    programs::XdpContext,
};
use bytemuck::{AnyBitPattern, NoUninit};

/// The packet of an XDP context.
pub struct Packet {
    context: *mut xdp_md,
}

impl Packet {
    #[inline(always)]
    pub fn new(context: &XdpContext) -> Self {
        Self { context: context.ctx }
    }

    /// The packet of a context that a subprogram got from [`Packet::context`].
    #[inline(always)]
    pub fn of(context: *mut xdp_md) -> Self {
        Self { context }
    }

    /// What a subprogram takes: less than a pointer to a pointer.
    #[inline(always)]
    pub fn context(&self) -> *mut xdp_md {
        self.context
    }

    /// Address of the first byte.
    #[inline(always)]
    fn start(&self) -> usize {
        // SAFETY: the context lives as long as the program runs.
        unsafe { (*self.context).data as usize }
    }

    /// Address behind the last byte.
    #[inline(always)]
    fn end(&self) -> usize {
        // SAFETY: as in `start`.
        unsafe { (*self.context).data_end as usize }
    }

    /// Interface index of the port that the packet came from.
    #[inline(always)]
    pub fn ingress_ifindex(&self) -> u32 {
        // SAFETY: as in `start`.
        unsafe { (*self.context).ingress_ifindex }
    }

    /// Number of bytes from the Ethernet header on.
    #[inline(always)]
    pub fn length(&self) -> u32 {
        (self.end() - self.start()) as u32
    }

    /// As [`Self::length`], and known from here on: the compiler would otherwise keep both ends where the number is needed
    /// much later, and spill them as half words, which no verifier takes of pointers.
    #[inline(always)]
    pub fn length_now(&self) -> u32 {
        let mut length = u64::from(self.length());
        // SAFETY: a move of a register to itself.
        unsafe { asm!("{0} = {0}", inout(reg) length, options(nomem, nostack)) };
        length as u32
    }

    /// True if the packet has `length` bytes. Reads below `length` then need no check of their own
    /// in the compiled program.
    #[inline(always)]
    pub fn has(&self, length: usize) -> bool {
        self.start() + length <= self.end()
    }

    /// The value at `offset`, in memory byte order, or `None` behind the end.
    #[inline(always)]
    pub fn read<T: AnyBitPattern>(&self, offset: usize) -> Option<T> {
        if !self.has(offset + size_of::<T>()) {
            return None;
        }
        // SAFETY: in bounds by the check above; any bytes are a value of the type, and any alignment is allowed.
        Some(unsafe { ((self.start() + offset) as *const T).read_unaligned() })
    }

    /// A copy of some words at an offset of which the verifier knows nothing, in memory byte order; `None`
    /// if the packet ends before. Words of 64 bits: the compiler would join smaller ones to such that are
    /// not aligned on the stack, which no verifier takes.
    #[inline(always)]
    pub fn load<const N: usize>(&self, offset: usize) -> Option<[u64; N]> {
        let mut words = [0; N];
        let size = size_of::<[u64; N]>() as u32;
        // SAFETY: the helper writes so many bytes to the array, of which any are a value.
        let result = unsafe {
            bpf_xdp_load_bytes(self.context, offset as u32, words.as_mut_ptr().cast(), size)
        };
        (result == 0).then_some(words)
    }

    /// The four bytes at an offset of which the verifier knows nothing, and that follow others; in memory byte
    /// order. `None` if the packet ends before.
    #[inline(always)]
    pub fn load_after(&self, offset: usize) -> Option<[u8; 4]> {
        let [word] = self.load(offset - 4)?;
        let [_, _, _, _, a, b, c, d] = word.to_ne_bytes();
        Some([a, b, c, d])
    }

    /// Writes `value` at `offset`; `None` behind the end.
    #[inline(always)]
    #[must_use]
    pub fn write<T: NoUninit>(&mut self, offset: usize, value: T) -> Option<()> {
        if !self.has(offset + size_of::<T>()) {
            return None;
        }
        // SAFETY: as in `read`; the program owns the packet.
        unsafe { ((self.start() + offset) as *mut T).write_unaligned(value) };
        Some(())
    }

    /// The first `N` bytes, to be written; one check serves all of them. `None` if there are fewer.
    #[inline(always)]
    #[must_use]
    pub fn start_of<const N: usize>(&mut self) -> Option<Start<N>> {
        let start = self.start();
        (start + N <= self.end()).then_some(Start { at: start })
    }

    /// Moves the start of the packet by `delta` bytes: forwards to cut, backwards to grow. `None`
    /// leaves the packet as it is: the driver has no room there.
    #[inline(always)]
    #[must_use]
    pub fn move_start(&mut self, delta: i32) -> Option<()> {
        // SAFETY: the context is valid; all pointers into the packet are derived anew afterwards.
        (unsafe { bpf_xdp_adjust_head(self.context, delta) } == 0).then_some(())
    }

    /// Cuts `bytes` off the end. `None` leaves the packet as it is.
    #[inline(always)]
    #[must_use]
    pub fn cut_end(&mut self, bytes: u32) -> Option<()> {
        // SAFETY: as in `move_start`.
        (unsafe { bpf_xdp_adjust_tail(self.context, (bytes as i32).wrapping_neg()) } == 0)
            .then_some(())
    }
}

/// The first `N` bytes of a packet, until its length changes.
pub struct Start<const N: usize> {
    at: usize,
}

impl<const N: usize> Start<N> {
    /// Writes `value` at the offset `AT`.
    #[inline(always)]
    pub fn put<const AT: usize, T: NoUninit>(&mut self, value: T) {
        const { assert!(AT + size_of::<T>() <= N, "behind the bytes that were checked") };
        // SAFETY: inside the checked bytes; any alignment is allowed.
        unsafe { ((self.at + AT) as *mut T).write_unaligned(value) };
    }
}

/// The same number, but nothing that the compiler knows about. Tests of it stay behind the one in front, which
/// most packets meet, and are not merged with it into one that treats all cases alike; and a number that is
/// the same is not taken for it, of which the verifier of Linux 6.1 may know less.
#[inline(always)]
#[must_use]
pub fn unlikely(number: u16) -> u16 {
    let mut same = u64::from(number);
    // SAFETY: one register. Not nothing at all: that would have the same place in the program as what
    // follows, and the kernel refuses two lines of source for one instruction.
    unsafe { asm!("{0} = {0}", inout(reg) same, options(nomem, nostack)) };
    same as u16
}

/// `value`, whose `size` bytes stand as in memory, at byte `at` of a word in memory. Words made of
/// several values save stores.
#[inline(always)]
#[must_use]
pub const fn at_byte(at: u32, value: u64, size: u32) -> u64 {
    if cfg!(target_endian = "little") { value << (8 * at) } else { value << (64 - 8 * (at + size)) }
}

/// Four values of two bytes, each as in memory, as one word in memory.
#[inline(always)]
#[must_use]
pub const fn quad(a: u16, b: u16, c: u16, d: u16) -> u64 {
    at_byte(0, a as u64, 2)
        | at_byte(2, b as u64, 2)
        | at_byte(4, c as u64, 2)
        | at_byte(6, d as u64, 2)
}

/// As [`quad`], with the last two values as one.
#[inline(always)]
#[must_use]
pub const fn pair_and_word(a: u16, b: u16, c: u32) -> u64 {
    at_byte(0, a as u64, 2) | at_byte(2, b as u64, 2) | at_byte(4, c as u64, 4)
}

/// Two values of two bytes, each as in memory, as one word of four bytes in memory.
#[inline(always)]
#[must_use]
pub const fn halves(a: u16, b: u16) -> u32 {
    if cfg!(target_endian = "little") {
        a as u32 | (b as u32) << 16
    } else {
        (a as u32) << 16 | b as u32
    }
}

/// Two values of four bytes, each as in memory, as one word in memory.
#[inline(always)]
#[must_use]
pub const fn pair(a: u32, b: u32) -> u64 {
    at_byte(0, a as u64, 4) | at_byte(4, b as u64, 4)
}

/// As [`quad`], with the first two values as one.
#[inline(always)]
#[must_use]
pub const fn word_and_pair(a: u32, b: u16, c: u16) -> u64 {
    at_byte(0, a as u64, 4) | at_byte(4, b as u64, 2) | at_byte(6, c as u64, 2)
}
