//! The maps: one file each, and the list of all of them.
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
pub mod nexthops;
pub mod peers;
pub mod ports;
pub mod reverse_paths;
pub mod routes;
pub mod settings;
pub mod trie;
pub mod views;
pub mod vlans;
pub mod vnis;
pub mod vteps;

/// Version of all layouts below. It is part of the pin path: another version is another folder.
pub const VERSION: u32 = 8;

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

macro_rules! specs {
    ($($name:literal $kind:ident $value:ty, $entries:expr, $flags:expr, $about:literal;)+) => {
        /// All maps, in the order in which a packet meets them.
        pub const MAPS: &[MapSpec] = &[$(MapSpec {
            name: $name,
            kind: Kind::$kind,
            value_size: size_of::<$value>() as u32,
            max_entries: $entries,
            flags: $flags,
            about: $about,
        },)+];
    };
}

specs! {
    "settings" Block settings::Settings, 1, MMAPABLE, "heartbeat, bypass switch, hash seed";
    "ports" Block ports::Port, ports::MAX, MMAPABLE, "network interfaces and their role";
    "vlans" Block vlans::PortVlans, vlans::TABLES, MMAPABLE, "tagged VLANs of the ports that have any";
    "circuits" Block circuits::Circuit, circuits::MAX, MMAPABLE, "attachment circuits: a port's membership in a domain";
    "domains" Block domains::Domain, domains::MAX, MMAPABLE, "bridge domains and their VNI";
    "domains6" Block domains6::Domain6, domains::MAX, MMAPABLE, "bridge domains: vxlan device, and over IPv6 local address and flow label";
    "fdb" Block crate::table::Narrow, fdb::BUCKETS, MMAPABLE, "MAC addresses: behind which circuit or VTEP";
    "fdb_times" Block fdb::Times, fdb::BUCKETS, MMAPABLE, "when the owner of each local MAC was last shown to the kernel";
    "vteps" Block vteps::Vtep, vteps::MAX, MMAPABLE, "remote VTEPs: addresses and underlay group";
    "reverse_paths" Block reverse_paths::ReversePath, vteps::MAX, MMAPABLE, "ports that accept the packets of each VTEP";
    "peers" Block crate::table::Narrow, peers::BUCKETS, MMAPABLE, "addresses of tunnels to VTEP";
    "vnis" Block crate::table::Narrow, vnis::BUCKETS, MMAPABLE, "VNI, UDP port and family to bridge domain";
    "local_addresses" Block local_addresses::LocalAddresses, 1, MMAPABLE, "filter of this box's own addresses";
    "views" Block views::View, views::MAX, MMAPABLE, "routing views: which prefixes hold for a port";
    "hosts" Block crate::table::Wide, hosts::BUCKETS, MMAPABLE, "IPv4 host routes and neighbours";
    "hosts6" Block crate::table::Wide, hosts6::BUCKETS, MMAPABLE, "IPv6 host routes and neighbours";
    "addresses6" Block hosts6::Address6, hosts6::ADDRESSES, MMAPABLE, "addresses and targets of IPv6 hosts";
    "trie" Block trie::Word, trie::WORDS, MMAPABLE, "prefixes: longest match";
    "groups" Block groups::Group, groups::MAX, MMAPABLE, "ECMP groups";
    "buckets" Block buckets::Chunk, buckets::MAX, MMAPABLE, "which nexthop each bucket of a group has";
    "bucket_use" Block bucket_use::ChunkUse, buckets::MAX, MMAPABLE, "when each bucket was last used";
    "nexthops" Block nexthops::Nexthop, nexthops::MAX, MMAPABLE, "next hops: port and MAC addresses";
    // `bpf_devmap_val`: interface index and program.
    "tx_ports" DevMap [u32; 2], ports::MAX, 0, "redirect targets by port slot";
    "reasons" PerCpuBlock counters::Counter, counters::ROWS * crate::reason::REASONS, MMAPABLE, "received packets per port and reason";
    "port_tx" PerCpuBlock counters::Counter, ports::MAX, MMAPABLE, "packets sent per port";
    "domain_traffic" PerCpuBlock counters::Traffic, domains::MAX, MMAPABLE, "packets per VNI";
    "vtep_traffic" PerCpuBlock counters::Traffic, vteps::MAX, MMAPABLE, "packets per VTEP";
}

/// Whether every index of a map with `entries` entries fits into so many bits. Wherever an index is
/// packed, a constant assertion asks this, so that no map outgrows what refers to it.
pub(crate) const fn fits(entries: u32, bits: u32) -> bool {
    (entries as u64) <= 1 << bits
}

/// Says how many bytes a map's value has. That these are all that it is, without padding, is what
/// deriving [`bytemuck::Pod`] proves.
macro_rules! map_value {
    ($type:ty, $size:literal) => {
        const _: () = assert!(size_of::<$type>() == $size);
    };
}
pub(crate) use map_value;

map_value!(crate::table::Narrow, 64);
map_value!(crate::table::Wide, 64);
