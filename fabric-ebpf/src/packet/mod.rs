//! Access to the packet's bytes: the only bounds checks, and the only changes of its length.

pub mod network;

use aya_ebpf::{bindings::xdp_md, helpers::bpf_xdp_adjust_head, programs::XdpContext};

/// The packet of an XDP context.
pub struct Packet {
    context: *mut xdp_md,
}

impl Packet {
    #[inline(always)]
    pub fn new(context: &XdpContext) -> Self {
        Self { context: context.ctx }
    }

    #[inline(always)]
    fn start(&self) -> usize {
        // SAFETY: the context lives as long as the program runs.
        unsafe { (*self.context).data as usize }
    }

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

    /// True if the packet has `length` bytes. Reads below `length` then need no check of their own
    /// in the compiled program.
    #[inline(always)]
    pub fn has(&self, length: usize) -> bool {
        self.start() + length <= self.end()
    }

    /// The value at `offset`, in memory byte order, or `None` behind the end.
    #[inline(always)]
    pub fn read<T: Copy>(&self, offset: usize) -> Option<T> {
        if !self.has(offset + size_of::<T>()) {
            return None;
        }
        // SAFETY: in bounds by the check above; any alignment is allowed.
        Some(unsafe { ((self.start() + offset) as *const T).read_unaligned() })
    }

    /// Writes `value` at `offset`; `None` behind the end.
    #[inline(always)]
    #[must_use]
    pub fn write<T: Copy>(&mut self, offset: usize, value: T) -> Option<()> {
        if !self.has(offset + size_of::<T>()) {
            return None;
        }
        // SAFETY: as in `read`; the program owns the packet.
        unsafe { ((self.start() + offset) as *mut T).write_unaligned(value) };
        Some(())
    }

    /// Moves the start of the packet by `delta` bytes: forwards to cut, backwards to grow. `None`
    /// leaves the packet as it is: the driver has no room there.
    #[inline(always)]
    #[must_use]
    pub fn move_start(&mut self, delta: i32) -> Option<()> {
        // SAFETY: the context is valid; all pointers into the packet are derived anew afterwards.
        (unsafe { bpf_xdp_adjust_head(self.context, delta) } == 0).then_some(())
    }
}
