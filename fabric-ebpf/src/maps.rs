//! The maps, one line each; what they hold is in `fabric_common::schema`.

use aya_ebpf::{btf_maps::DevMap, macros::btf_map};
use fabric_common::{
    reason::REASONS,
    schema::{
        bucket_use::ChunkUse, buckets, buckets::Chunk, circuits, circuits::Circuit, counters,
        counters::Counter, counters::Traffic, domains, domains::Domain, domains6::Domain6, fdb,
        fdb::Times, groups, groups::Group, hosts, hosts6, hosts6::Address6,
        local_addresses::LocalAddresses, nexthops, nexthops::Nexthop, peers, ports, ports::Port,
        reverse_paths::ReversePath, settings::Settings, trie, trie::Word, views, views::View,
        vlans, vlans::PortVlans, vnis, vteps, vteps::Vtep,
    },
    table::{Narrow, Wide},
};

use crate::block::{Block, PerCpuBlock, blocks};

blocks! {
    Block "settings" SETTINGS: [Settings; 1];
    Block "ports" PORTS: [Port; ports::MAX];
    Block "vlans" VLANS: [PortVlans; vlans::TABLES];
    Block "circuits" CIRCUITS: [Circuit; circuits::MAX];
    Block "domains" DOMAINS: [Domain; domains::MAX];
    Block "domains6" DOMAINS6: [Domain6; domains::MAX];
    Block "fdb" FDB: [Narrow; fdb::BUCKETS];
    Block "fdb_times" FDB_TIMES: [Times; fdb::BUCKETS];
    Block "vteps" VTEPS: [Vtep; vteps::MAX];
    Block "reverse_paths" REVERSE_PATHS: [ReversePath; vteps::MAX];
    Block "peers" PEERS: [Narrow; peers::BUCKETS];
    Block "vnis" VNIS: [Narrow; vnis::BUCKETS];
    Block "local_addresses" LOCAL_ADDRESSES: [LocalAddresses; 1];
    Block "views" VIEWS: [View; views::MAX];
    Block "hosts" HOSTS: [Wide; hosts::BUCKETS];
    Block "hosts6" HOSTS6: [Wide; hosts6::BUCKETS];
    Block "addresses6" ADDRESSES6: [Address6; hosts6::ADDRESSES];
    Block "trie" TRIE: [Word; trie::WORDS];
    Block "groups" GROUPS: [Group; groups::MAX];
    Block "buckets" BUCKETS: [Chunk; buckets::MAX];
    Block "bucket_use" BUCKET_USE: [ChunkUse; buckets::MAX];
    Block "nexthops" NEXTHOPS: [Nexthop; nexthops::MAX];
    PerCpuBlock "reasons" REASONS_OF_PORTS: [Counter; counters::ROWS * REASONS];
    PerCpuBlock "port_tx" PORT_TX: [Counter; ports::MAX];
    PerCpuBlock "domain_traffic" DOMAIN_TRAFFIC: [Traffic; domains::MAX];
    PerCpuBlock "vtep_traffic" VTEP_TRAFFIC: [Traffic; vteps::MAX];
}

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
    limits!(u32: fdb_mask hosts_mask hosts6_mask addresses6_mask trie_mask ports_mask vlans_mask reasons_mask);
    limits!(usize: cpus ports reasons);
}
