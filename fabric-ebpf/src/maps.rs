//! The maps; what they hold is in `fabric_common::schema`.

use aya_ebpf::{btf_maps::DevMap, macros::btf_map};
use fabric_common::{
    all_blocks, reason,
    schema::{ports::Port, *},
    table,
};

use crate::block::{Block, PerCpuBlock, blocks};

all_blocks!(blocks);

#[btf_map(name = "tx_ports")]
pub static TX_PORTS: DevMap<{ ports::MAX as usize }> = DevMap::new();

/// The port in a slot.
#[inline(always)]
pub fn port(slot: u32) -> &'static Port {
    // SAFETY: inside the map's value; the daemon changes aligned words.
    unsafe { &*PORTS.masked(slot, limits::ports_mask()) }
}

/// Declares the sizes of blocks that the settings or the machine decide, see [`crate::block`].
macro_rules! limits {
    ($type:ty: $($name:ident)+) => {
        $(
            #[doc = concat!("The loader's number `", stringify!($name), "`.")]
            #[inline(always)]
            pub fn $name() -> $type {
                unsafe extern "C" {
                    #[link_name = concat!(stringify!($name), ".limit")]
                    safe static LIMIT: u8;
                }
                (&raw const LIMIT) as usize as $type
            }
        )+
    };
}

/// The sizes of blocks, see `Sizes::limit` in `fabric-user/src/kernel/sizes.rs`.
pub mod limits {
    limits!(u32: fdb_mask hosts_mask hosts6_mask trie_mask ports_mask vlans_mask reasons_mask);
    limits!(usize: cpus ports reasons);
}
