//! What earlier stages found out, for later ones.

use fabric_common::schema::{
    circuits::Circuit, domains::Domain, nexthops::Nexthop, ports::Port, settings::Settings,
    vteps::Vtep,
};

use crate::packet::Packet;

/// The packet's way so far.
pub struct Journey {
    /// Slot of the port that it came from, 0 while unknown.
    pub port: u32,
    /// What the maps say of that port.
    pub entry: &'static Port,
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
}

/// A circuit and its index.
#[derive(Clone, Copy)]
pub struct CircuitRef {
    pub index: u32,
    pub circuit: &'static Circuit,
}

/// A VTEP and its index.
#[derive(Clone, Copy)]
pub struct VtepRef {
    pub index: u32,
    pub vtep: &'static Vtep,
}

/// Where the bridge sends a frame.
pub enum Destination {
    Local(CircuitRef),
    Vtep(VtepRef),
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
pub struct Frame {
    /// Destination address, see `fdb::mac_number`.
    pub destination: u64,
    /// Source address.
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
    vxlan: 0,
};

static NO_PORT: Port = Port {
    ifindex: 0,
    mtu: 0,
    untagged_circuit: 0,
    role: 0,
    flags: 0,
    reserved: 0,
    mac_and_view: 0,
    down: 0,
    bfd: 0,
};

static NO_SETTINGS: Settings = Settings {
    deadline: 0,
    bypass: 0,
    timeout_jiffies: 0,
    seed: 0,
    hz: 0,
    hash_flags: 0,
    vxlan_ports_be: [0; 4],
    fdb_mask: 0,
    reserved: 0,
};

impl Journey {
    #[inline(always)]
    pub fn new(packet: &Packet) -> Self {
        Self {
            port: 0,
            entry: &NO_PORT,
            length: packet.length(),
            outer: 0,
            tag: 0,
            tci: 0,
            domain_index: 0,
            domain: &NO_DOMAIN,
            now: 0,
            settings: &NO_SETTINGS,
            peer: 0,
        }
    }
}
