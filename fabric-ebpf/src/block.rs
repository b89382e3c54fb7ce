//! Maps that are read without a lookup: how, from the source to the kernel.
//!
//! ```text
//! source     FDB.get(7)                    limits::fdb_mask()
//! compiler   r1 = "fdb.values" ll          r2 = "fdb_mask.limit" ll    symbols that nothing defines
//! loader     r1 = value of map 12, + 0     r2 = 1023                   the instructions are completed
//! kernel     r1 = 0xffffc90001190000       r2 = 1023                   the address of the map's memory
//!
//! the map "fdb", an array with one element:    | entry 0 | entry 1 | entry 2 | ...            |
//! one with a part for each CPU:                | entries of CPU 0   | entries of CPU 1   | ... |
//! ```
//!
//! The loader is `fabric-user/src/kernel/blocks.rs`. aya knows such addresses only of its own global
//! variables, whose content it overwrites whenever an object is opened; these maps outlive the daemon. So
//! the descriptor of the pinned map is written into the instruction (`BPF_PSEUDO_MAP_VALUE` of
//! `linux/bpf.h`) before aya sees the object, and the number of entries that the settings ask for into the
//! type information, from which aya makes the map. A limit is a constant to the processor and to the
//! verifier, and none to the compiler.

use core::{arch::asm, cell::UnsafeCell};

/// The entries of a map of one element, at an address that is part of the program.
///
/// An array's lookup is inlined by the kernel, but to the compiler it is a call: its key goes over the
/// stack, and no register and nothing that was read from the packet survives it. A packet meets more
/// than a dozen of these maps. Here an entry costs three instructions for its address.
#[repr(transparent)]
pub struct Block<T, const N: usize>(UnsafeCell<[T; N]>);

/// The entries of all CPUs, the first CPU's foremost. N a power of two makes the way there a shift.
#[repr(transparent)]
pub struct PerCpuBlock<T, const N: usize>(UnsafeCell<[OfCpu<T, N>; 1]>);

/// The entries of one CPU. A structure, because aya takes the size of an array of arrays for that of
/// the inner one.
#[repr(C)]
pub struct OfCpu<T, const N: usize> {
    entries: [T; N],
}

// SAFETY: shared with user space anyway; whoever writes stores aligned words.
unsafe impl<T, const N: usize> Sync for Block<T, N> {}
// SAFETY: as above, and a CPU's part is written by that CPU.
unsafe impl<T, const N: usize> Sync for PerCpuBlock<T, N> {}

/// What the map's element is to aya and to `bpftool`.
pub trait Element {
    type Value;
}

impl<T, const N: usize> Element for Block<T, N> {
    type Value = [T; N];
}

impl<T, const N: usize> Element for PerCpuBlock<T, N> {
    type Value = [OfCpu<T, N>; 1];
}

impl<T, const N: usize> Block<T, N> {
    /// The entry at `index`, of which only the bits below N count: the daemon writes no others, but the
    /// verifier has to see that. A comparison would not do on Linux 6.1, which forgets what it has
    /// learned of a number when the compiler reads that from the stack again.
    #[inline(always)]
    pub fn get(&'static self, index: u32) -> &'static T {
        // SAFETY: inside the map's value.
        unsafe { &*self.get_ptr_mut(index) }
    }

    /// As [`Self::get`], to be written.
    #[inline(always)]
    pub fn get_ptr_mut(&'static self, index: u32) -> *mut T {
        const { assert!(N.is_power_of_two()) };
        self.masked(index, N as u32 - 1)
    }

    /// The same for a block of another size than it is declared with, a power of two as well; `mask` is
    /// that size less one.
    #[inline(always)]
    pub fn masked(&'static self, index: u32, mask: u32) -> *mut T {
        // SAFETY: inside the map's value, or the verifier refuses the program.
        unsafe { self.0.get().cast::<T>().add((index & mask) as usize) }
    }
}

/// A CPU that has counters.
#[derive(Clone, Copy)]
pub struct Cpu(pub usize);

impl<T, const N: usize> PerCpuBlock<T, N> {
    /// This CPU's entry at `index`, see [`Block::get`].
    #[inline(always)]
    pub fn get(&'static self, cpu: Cpu, index: u32) -> *mut T {
        const { assert!(N.is_power_of_two()) };
        let index = index as usize & (N - 1);
        // SAFETY: as in `Block::masked`.
        unsafe { self.0.get().cast::<T>().add(cpu.0 * N + index) }
    }

    /// The same for a block of another number of `entries` than it is declared with, see [`Block::masked`].
    #[inline(always)]
    pub fn masked(&'static self, cpu: Cpu, index: u32, mask: u32, entries: usize) -> *mut T {
        let mut first = cpu.0;
        // Spelt out: to Linux 6.1 a product is anything unless its second factor is a constant.
        // SAFETY: a product of two registers.
        unsafe {
            asm!(
                "{0} *= {1}",
                inout(reg) first,
                in(reg) entries,
                options(pure, nomem, nostack),
            );
        }
        // SAFETY: as in `Block::masked`.
        unsafe { self.0.get().cast::<T>().add(first + (index & mask) as usize) }
    }
}

/// Declares blocks: for aya as what they are, an array with one element, and for the packet path as
/// that element itself, under a symbol that the loader resolves (`NAME.values`).
macro_rules! blocks {
    ($($name:ident $static:ident: $kind:ident<$value:ty>, $entries:expr, $about:literal;)+) => {
        mod declared {
            use aya_ebpf::{btf_maps::Array, macros::btf_map};
            use fabric_common::schema::MMAPABLE;
            use super::*;
            $(
                // A type of its own: the loader writes the size of the map into it.
                #[allow(non_camel_case_types, reason = "called as the map is")]
                #[repr(transparent)]
                struct $static {
                    #[allow(dead_code, reason = "only the type is needed")]
                    entry: $value,
                }
                #[allow(non_upper_case_globals, reason = "called as the map is")]
                #[btf_map]
                static $name: Array<
                    <$kind<$static, { ($entries) as usize }> as $crate::block::Element>::Value,
                    1,
                    { MMAPABLE as usize },
                > = Array::new();
            )+
        }
        unsafe extern "C" {
            $(
                #[doc = $about]
                #[allow(dead_code, reason = "some are the daemon's alone")]
                #[link_name = concat!(stringify!($name), ".values")]
                pub safe static $static: $kind<$value, { ($entries) as usize }>;
            )+
        }
    };
}
pub(crate) use blocks;
