//! The maps, one line each; what they hold is in `fabric_common::schema`.

use aya_ebpf::{
    btf_maps::{Array, DevMap, PerCpuArray},
    macros::btf_map,
};
use fabric_common::{
    reason::REASONS,
    schema::{
        MMAPABLE, bucket_use::ChunkUse, buckets, buckets::Chunk, circuits, circuits::Circuit,
        counters::Counter, counters::Traffic, domains, domains::Domain, domains6::Domain6, fdb,
        groups, groups::Group, hosts, hosts6, hosts6::Address6, nexthops, nexthops::Nexthop,
        own::Own, peers, ports, ports::Port, settings::Settings, trie, trie::Word, views,
        views::View, vlans::PortVlans, vnis, vteps, vteps::Vtep,
    },
    table::Bucket,
};

const SHARED: usize = MMAPABLE as usize;

#[btf_map(name = "settings")]
pub static SETTINGS: Array<Settings, 1, SHARED> = Array::new();
#[btf_map(name = "ports")]
pub static PORTS: Array<Port, { ports::MAX as usize }, SHARED> = Array::new();
#[btf_map(name = "vlans")]
pub static VLANS: Array<PortVlans, { ports::MAX as usize }, SHARED> = Array::new();
#[btf_map(name = "circuits")]
pub static CIRCUITS: Array<Circuit, { circuits::MAX as usize }, SHARED> = Array::new();
#[btf_map(name = "domains")]
pub static DOMAINS: Array<Domain, { domains::MAX as usize }, SHARED> = Array::new();
#[btf_map(name = "domains6")]
pub static DOMAINS6: Array<Domain6, { domains::MAX as usize }, SHARED> = Array::new();
#[btf_map(name = "fdb")]
pub static FDB: Array<Bucket, { fdb::BUCKETS as usize }, SHARED> = Array::new();
#[btf_map(name = "vteps")]
pub static VTEPS: Array<Vtep, { vteps::MAX as usize }, SHARED> = Array::new();
#[btf_map(name = "peers")]
pub static PEERS: Array<Bucket, { peers::BUCKETS as usize }, SHARED> = Array::new();
#[btf_map(name = "vnis")]
pub static VNIS: Array<Bucket, { vnis::BUCKETS as usize }, SHARED> = Array::new();
#[btf_map(name = "own")]
pub static OWN: Array<Own, 1, SHARED> = Array::new();
#[btf_map(name = "views")]
pub static VIEWS: Array<View, { views::MAX as usize }, SHARED> = Array::new();
#[btf_map(name = "hosts")]
pub static HOSTS: Array<Bucket, { hosts::BUCKETS as usize }, SHARED> = Array::new();
#[btf_map(name = "hosts6")]
pub static HOSTS6: Array<Bucket, { hosts6::BUCKETS as usize }, SHARED> = Array::new();
#[btf_map(name = "addresses6")]
pub static ADDRESSES6: Array<Address6, { hosts6::ADDRESSES as usize }, SHARED> = Array::new();
#[btf_map(name = "trie")]
pub static TRIE: Array<Word, { trie::WORDS as usize }, SHARED> = Array::new();
#[btf_map(name = "groups")]
pub static GROUPS: Array<Group, { groups::MAX as usize }, SHARED> = Array::new();
#[btf_map(name = "buckets")]
pub static BUCKETS: Array<Chunk, { buckets::MAX as usize }, SHARED> = Array::new();
#[btf_map(name = "bucket_use")]
pub static BUCKET_USE: Array<ChunkUse, { buckets::MAX as usize }, SHARED> = Array::new();
#[btf_map(name = "nexthops")]
pub static NEXTHOPS: Array<Nexthop, { nexthops::MAX as usize }, SHARED> = Array::new();
#[btf_map(name = "tx_ports")]
pub static TX_PORTS: DevMap<{ ports::MAX as usize }> = DevMap::new();
#[btf_map(name = "reasons")]
pub static REASONS_MAP: PerCpuArray<Counter, { (ports::MAX * REASONS) as usize }> =
    PerCpuArray::new();
#[btf_map(name = "port_tx")]
pub static PORT_TX: PerCpuArray<Counter, { ports::MAX as usize }> = PerCpuArray::new();
#[btf_map(name = "domain_traffic")]
pub static DOMAIN_TRAFFIC: PerCpuArray<Traffic, { domains::MAX as usize }> = PerCpuArray::new();
#[btf_map(name = "vtep_traffic")]
pub static VTEP_TRAFFIC: PerCpuArray<Traffic, { vteps::MAX as usize }> = PerCpuArray::new();

/// Number of buckets of the table of IPv4 hosts minus one; the loader sets it to the size of the map.
#[unsafe(no_mangle)]
static HOSTS_MASK: u32 = hosts::BUCKETS - 1;
/// The same for the IPv6 hosts.
#[unsafe(no_mangle)]
static HOSTS6_MASK: u32 = hosts6::BUCKETS - 1;

/// The mask of the IPv4 hosts, a constant to the verifier.
#[inline(always)]
pub fn hosts_mask() -> u32 {
    // SAFETY: a plain read of a constant that the loader may have overridden.
    unsafe { core::ptr::read_volatile(&raw const HOSTS_MASK) }
}

/// As [`hosts_mask`] for the IPv6 hosts.
#[inline(always)]
pub fn hosts6_mask() -> u32 {
    // SAFETY: as in `hosts_mask`.
    unsafe { core::ptr::read_volatile(&raw const HOSTS6_MASK) }
}
