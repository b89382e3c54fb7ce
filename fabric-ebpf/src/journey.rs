//! What earlier stages found out, for later ones.

use fabric_common::schema::{
    circuits::Circuit, domains::Domain, nexthops::Nexthop, ports::Port, settings::Settings,
    vteps::Vtep,
};

use crate::{block::Cpu, maps};

/// The packet's way so far.
pub struct Journey {
    /// What the maps say of the port that it came from.
    pub entry: &'static Port,
    /// The port whose packets this one is routed as: the same, or a gateway of a bridge.
    pub router: &'static Port,
    /// Length of the packet as it arrived, in bytes.
    pub length: u32,
    /// Bytes in front of the frame that the host sent or will receive: 0, or the outer headers.
    pub outer: usize,
    /// Length of the VLAN tag that the frame carries: 0 or 4.
    pub tag: usize,
    /// The tag's control information (PCP, DEI, VLAN ID) in host byte order.
    pub tci: u16,
    /// Index of the bridge domain.
    pub domain_index: u32,
    /// The bridge domain.
    pub domain: &'static Domain,
    /// Kernel time in jiffies.
    pub now: u64,
    /// What holds for the whole instance.
    pub settings: &'static Settings,
    /// Index of the VTEP that the packet came from.
    pub peer: u32,
    /// Number of buckets of the FDB that are in use, less one.
    pub fdb_mask: u32,
    /// Whose counters count, when the first one has counted.
    pub cpu: Cpu,
}

/// A circuit, by its index.
#[derive(Clone, Copy)]
pub struct CircuitRef {
    pub index: u32,
}

impl CircuitRef {
    /// Its entry. Not kept: of the circuit that a frame came from hardly any frame needs it.
    #[inline(always)]
    pub fn circuit(self) -> &'static Circuit {
        maps::CIRCUITS.get(self.index)
    }
}

/// A VTEP and its index.
#[derive(Clone, Copy)]
pub struct VtepRef {
    pub index: u32,
    pub vtep: &'static Vtep,
}

/// Where the bridge sends a frame.
#[derive(Clone, Copy)]
pub enum Destination {
    Local(CircuitRef),
    Vtep(VtepRef),
    /// To one of the VTEPs of an Ethernet segment, by the segment's index.
    Segment(u32),
    /// To a gateway of the bridge, by the slot of its port.
    Gateway(u32),
}

/// Where a route leads.
#[derive(Clone, Copy)]
pub enum Way {
    /// To a group, by its index.
    Group(u32),
    /// To a neighbour, by the index of its nexthop.
    Neighbour(u32),
}

/// A nexthop of the underlay.
pub type NexthopRef = &'static Nexthop;

/// The MAC addresses and the network header of the host's frame.
#[derive(Clone, Copy)]
pub struct Frame {
    /// Destination address, see `fdb::mac_number`, and above its 48 bits what follows it in the packet.
    pub destination: u64,
    /// Source address, likewise.
    pub source: u64,
    /// EtherType behind the tag, in network byte order.
    pub ether_type_be: u16,
    /// Where the network header starts, from the start of the packet.
    pub network: usize,
}

static NO_DOMAIN: Domain = Domain {
    vni: 0,
    local_be: 0,
    udp_port_be: 0,
    flags: 0,
    ttl: 0,
    tos: 0,
    vlan: 0,
    max_frame: 0,
    refresh_jiffies: 0,
    bridge: 0,
    vxlan_mac_end: 0,
};

impl Journey {
    #[inline(always)]
    pub fn new(length: u32, entry: &'static Port) -> Self {
        Self {
            entry,
            router: entry,
            length,
            outer: 0,
            tag: 0,
            tci: 0,
            domain_index: 0,
            domain: &NO_DOMAIN,
            now: 0,
            settings: maps::SETTINGS.get(0),
            peer: 0,
            fdb_mask: 0,
            cpu: Cpu(0),
        }
    }
}
