//! The maps: one file each, and the list of all of them ([`all_blocks!`](crate::all_blocks)).
//!
//! Rules: `repr(C)`, explicit padding, no bool or enum in a value: each derives [`bytemuck::Pod`]. Addresses and ports are in
//! network byte order where the name says `_be`, everything else in host order. Every map but the
//! device map can be mapped into the daemon's memory (`BPF_F_MMAPABLE`), which
//! changes single aligned words; whatever needs more than one word is written to a free index
//! first and referred to afterwards (make before break).

pub mod bucket_use;
pub mod buckets;
pub mod circuits;
pub mod counters;
pub mod domains;
pub mod domains6;
pub mod fdb;
pub mod groups;
pub mod hosts;
pub mod hosts6;
pub mod local_addresses;
pub mod neighbours;
pub mod nexthop_addresses;
pub mod nexthops;
pub mod peers;
pub mod ports;
pub mod reverse_paths;
pub mod routes;
pub mod segments;
pub mod settings;
pub mod trie;
pub mod views;
pub mod vlans;
pub mod vnis;
pub mod vteps;

use crate::{reason, table};

/// Version of all layouts below. It is part of the pin path: another version is another folder.
pub const VERSION: u32 = 12;

/// `BPF_F_MMAPABLE` of `linux/bpf.h`: the array can be mapped into user memory.
pub const MMAPABLE: u32 = 1 << 10;

/// Kinds of maps that Fabric uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `BPF_MAP_TYPE_ARRAY` with one element, in which all entries lie side by side: programs address
    /// them directly (`BPF_PSEUDO_MAP_VALUE`), without a lookup.
    Block,
    /// As [`Kind::Block`], with all entries once for each possible CPU of the machine, one CPU's
    /// behind the other's.
    PerCpuBlock,
    /// `BPF_MAP_TYPE_DEVMAP`
    DevMap,
}

/// What a pinned map must look like to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapSpec {
    /// Name in the kernel and of the pin.
    pub name: &'static str,
    /// Map type.
    pub kind: Kind,
    /// Size of an entry in bytes; keys are `u32` indexes throughout.
    pub value_size: u32,
    /// Number of entries if the settings do not say otherwise.
    pub max_entries: u32,
    /// `BPF_F_*` flags.
    pub flags: u32,
    /// One sentence for people.
    pub about: &'static str,
}

impl MapSpec {
    /// Size of a value in bytes and number of elements as the kernel has them, if there are so many
    /// `entries` and `cpus`.
    #[must_use]
    pub const fn shape(&self, entries: u32, cpus: u32) -> (u32, u32) {
        match self.kind {
            Kind::Block => (self.value_size * entries, 1),
            Kind::PerCpuBlock => (self.value_size * entries * cpus, 1),
            Kind::DevMap => (self.value_size, entries),
        }
    }

    /// Number of entries of a map that the kernel describes so, the inverse of [`Self::shape`].
    #[must_use]
    pub const fn entries(&self, value_size: u32, elements: u32, cpus: u32) -> u32 {
        match self.kind {
            Kind::Block => value_size / self.value_size,
            Kind::PerCpuBlock => value_size / self.value_size / cpus,
            Kind::DevMap => elements,
        }
    }
}

/// The list of all maps but the device map, in the order in which a packet meets them, for the macro `$with`:
/// the map's name, that of its static in the programs, kind, type and number of entries, and one sentence
/// for people. What the types and numbers begin with has to be in scope where it is called: the modules
/// [`crate::schema`] has, [`crate::reason`] and [`crate::table`].
///
/// From this list come [`MAPS`], the statics of `fabric-ebpf/src/maps.rs` and the fields of `Maps` in
/// `fabric-user/src/kernel/maps.rs`.
#[macro_export]
macro_rules! all_blocks {
    ($with:ident) => {
        $with! {
            settings SETTINGS: Block<settings::Settings>, 1, "heartbeat, bypass switch, hash seed";
            ports PORTS: Block<ports::Port>, ports::MAX, "network interfaces and their role";
            vlans VLANS: Block<vlans::PortVlans>, vlans::TABLES, "tagged VLANs of the ports that have any";
            circuits CIRCUITS: Block<circuits::Circuit>, circuits::MAX, "attachment circuits: a port's membership in a domain";
            domains DOMAINS: Block<domains::Domain>, domains::MAX, "bridge domains and their VNI";
            domains6 DOMAINS6: Block<domains6::Domain6>, domains::MAX, "bridge domains: vxlan device, longest frame with a tag, and over IPv6 local address and flow label";
            fdb FDB: Block<table::Narrow>, fdb::BUCKETS, "MAC addresses: behind which circuit or VTEP";
            fdb_times FDB_TIMES: Block<fdb::Times>, fdb::BUCKETS, "when the owner of each local MAC was last shown to the kernel";
            answers ANSWERS: Block<table::Narrow>, neighbours::BUCKETS, "which neighbour of a bridge domain has an address";
            neighbours NEIGHBOURS: Block<neighbours::Neighbour>, neighbours::MAX, "IP neighbours in bridge domains that ARP and ND are answered for";
            vteps VTEPS: Block<vteps::Vtep>, vteps::MAX, "remote VTEPs: addresses and underlay group";
            segments SEGMENTS: Block<segments::Segment>, segments::MAX, "Ethernet segments: groups of VTEPs";
            reverse_paths REVERSE_PATHS: Block<reverse_paths::ReversePath>, vteps::MAX, "ports that accept the packets of each VTEP";
            peers PEERS: Block<table::Narrow>, peers::BUCKETS, "addresses of tunnels to VTEP";
            vnis VNIS: Block<table::Narrow>, vnis::BUCKETS, "VNI, UDP port, family and inner VLAN tag to bridge domain";
            local_addresses LOCAL_ADDRESSES: Block<local_addresses::LocalAddresses>, 1, "filter of this box's own addresses";
            views VIEWS: Block<views::View>, views::MAX, "routing views: which prefixes hold for a port";
            hosts HOSTS: Block<table::Wide>, hosts::BUCKETS, "IPv4 host routes and neighbours";
            hosts6 HOSTS6: Block<table::Long>, hosts6::BUCKETS, "IPv6 host routes and neighbours";
            trie TRIE: Block<trie::Word>, trie::WORDS, "prefixes: longest match";
            groups GROUPS: Block<groups::Group>, groups::MAX, "ECMP groups";
            buckets BUCKETS: Block<buckets::Chunk>, buckets::MAX, "which nexthop each bucket of a group has";
            bucket_use BUCKET_USE: Block<bucket_use::ChunkUse>, buckets::MAX, "when each bucket was last used";
            nexthops NEXTHOPS: Block<nexthops::Nexthop>, nexthops::MAX, "next hops: port and MAC addresses";
            nexthop_addresses NEXTHOP_ADDRESSES: Block<nexthop_addresses::NexthopAddress>, nexthops::MAX, "addresses of next hops, which no program reads";
            reasons REASONS: PerCpuBlock<counters::Counter>, counters::ROWS * reason::REASONS, "received packets per port and reason";
            port_tx PORT_TX: PerCpuBlock<counters::Counter>, ports::MAX, "packets sent per port";
            domain_traffic DOMAIN_TRAFFIC: PerCpuBlock<counters::Traffic>, domains::MAX, "packets per VNI";
            vtep_traffic VTEP_TRAFFIC: PerCpuBlock<counters::Traffic>, vteps::MAX, "packets per VTEP";
        }
    };
}

macro_rules! specs {
    ($($name:ident $static:ident: $kind:ident<$value:ty>, $entries:expr, $about:literal;)+) => {
        /// All maps: those of [`all_blocks!`], and the device map.
        pub const MAPS: &[MapSpec] = &[
            $(MapSpec {
                name: stringify!($name),
                kind: Kind::$kind,
                value_size: size_of::<$value>() as u32,
                max_entries: $entries,
                flags: MMAPABLE,
                about: $about,
            },)+
            MapSpec {
                name: "tx_ports",
                kind: Kind::DevMap,
                // `bpf_devmap_val`: interface index and program.
                value_size: 8,
                max_entries: ports::MAX,
                flags: 0,
                about: "redirect targets by port slot",
            },
        ];
    };
}
all_blocks!(specs);

/// Whether every index of a map with `entries` entries fits into so many bits. Wherever an index is
/// packed, a constant assertion asks this, so that no map outgrows what refers to it.
pub(crate) const fn fits(entries: u32, bits: u32) -> bool {
    (entries as u64) <= 1 << bits
}

/// Says how many bytes a map's value has, which are whole words of 64 bits: what the daemon stores. That
/// these are all that it is, without padding, is what deriving [`bytemuck::Pod`] proves.
macro_rules! map_value {
    ($type:ty, $size:literal) => {
        const _: () = assert!(size_of::<$type>() == $size);
        const _: () = assert!($size % 8 == 0, "a map's value is whole words of 64 bits");
    };
}
pub(crate) use map_value;

map_value!(table::Narrow, 64);
map_value!(table::Wide, 64);
map_value!(table::Long, 64);
