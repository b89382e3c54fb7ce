//! A leaf that routes as FRR has it: hosts have a gateway in their bridge, and very many others are behind the router
//! MAC addresses of two VTEPs, to which an L3VNI leads (RFC 9135 §4.2, symmetric routing).

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};
use fabric_common::checksum;

use crate::{
    flow::{LENGTH, source_mac},
    leaf::{ACCESS_MTU, LOCAL, Leaf, TTL, UDP_PORT, index, mac_text, vtep_address},
    neighbours::{Neighbours, Place},
    nexthop_object::NexthopObjects,
    routes::Routes,
    tool,
};

/// Hosts behind the VTEPs, each with a route of its own.
pub const HOSTS: u32 = 10_000;
/// The L3VNI.
const VNI: u32 = 5_000;
/// MAC address of the hosts' gateway.
const GATEWAY_MAC: [u8; 6] = [0x52, 0x54, 4, 0, 0, 1];
/// The host that sends.
const HOST: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 2);
/// Next hops in the L3VNI, which stand for the VTEPs.
pub const ROUTERS: [Ipv4Addr; 2] = [Ipv4Addr::new(172, 30, 0, 1), Ipv4Addr::new(172, 30, 0, 2)];
/// Nexthop objects for both.
pub const OBJECTS: [u32; 2] = [11, 12];
/// Router MAC addresses of both.
pub const ROUTER_MACS: [[u8; 6]; 2] = [[0x52, 0x54, 4, 1, 0, 1], [0x52, 0x54, 4, 1, 0, 2]];
/// Nexthop object of the route to the first VTEP.
pub const UNDERLAY: u32 = 21;
/// Next hops of the underlay.
pub const SPINES: [Ipv4Addr; 2] = [Ipv4Addr::new(172, 31, 0, 1), Ipv4Addr::new(172, 31, 0, 5)];
/// MAC addresses of both.
pub const SPINE_MACS: [[u8; 6]; 2] = [[0x52, 0x54, 3, 2, 0, 0], [0x52, 0x54, 3, 2, 0, 1]];

/// The address of a host behind the VTEPs, counted from 0.
#[must_use]
pub const fn host(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a64_0000 + number)
}

/// A leaf of which the first host sends to its gateway.
#[derive(Clone, Copy, Debug)]
pub struct RoutingLeaf {
    /// With the hosts' network.
    pub leaf: Leaf,
    /// The bridge of the L3VNI.
    pub bridge: u32,
    /// The vxlan device of the L3VNI.
    pub vxlan: u32,
}

impl RoutingLeaf {
    /// Builds it in the present network namespace: all hosts are behind the first VTEP, and the way to that is by
    /// the first spine.
    ///
    /// # Errors
    /// If the kernel lacks a device type or iproute2 is missing.
    pub fn build() -> Result<Self> {
        let leaf = Leaf::build_empty()?;
        for (name, value) in
            [("ip_forward", "1"), ("conf.all.rp_filter", "0"), ("conf.default.rp_filter", "0")]
        {
            tool::sysctl(&format!("net.ipv4.{name}"), value)?;
        }
        let mut lines = format!(
            "link set dev bridge0 address {}\n\
             addr add 10.200.0.1/16 dev bridge0\n\
             link add name bridge1 type bridge stp_state 0 mcast_snooping 0\n\
             link add name vxlan1 mtu {ACCESS_MTU} type vxlan id {VNI} local {LOCAL} dstport {UDP_PORT} \
                srcport 49152 65535 ttl {TTL} nolearning noudpcsum\n\
             link set dev vxlan1 master bridge1\n\
             link set dev vxlan1 type bridge_slave learning off\n\
             link set dev vxlan1 up\n\
             link set dev bridge1 up\n\
             addr add 172.30.0.254/24 dev bridge1\n\
             addr add 172.31.0.4/31 dev underlay0\n",
            mac_text(GATEWAY_MAC)
        );
        for way in 0..2 {
            let (router, mac) = (ROUTERS[way], mac_text(ROUTER_MACS[way]));
            lines += &format!("neigh replace {router} lladdr {mac} dev bridge1 nud permanent\n");
            let (spine, mac) = (SPINES[way], mac_text(SPINE_MACS[way]));
            lines += &format!("neigh replace {spine} lladdr {mac} dev underlay0 nud permanent\n");
        }
        tool::batch("ip", &lines)?;
        let this = Self { leaf, bridge: index("bridge1")?, vxlan: index("vxlan1")? };
        let mut objects = NexthopObjects::open()?;
        for (object, router) in OBJECTS.into_iter().zip(ROUTERS) {
            objects.replace(object, router, this.bridge)?;
        }
        objects.replace(UNDERLAY, SPINES[0], leaf.routed)?;
        let mut routes = Routes::open()?;
        routes.replace((vtep_address(0).into(), 32), UNDERLAY)?;
        for number in 0..HOSTS {
            routes.replace((host(number).into(), 32), OBJECTS[0])?;
        }
        routes.requests.flush().context("the kernel takes no routes")?;
        let mut neighbours = Neighbours::open()?;
        neighbours.replace(source_mac(0), Place::Port(leaf.access))?;
        for (way, mac) in ROUTER_MACS.into_iter().enumerate() {
            neighbours.replace(mac, this.behind(way))?;
        }
        neighbours.requests.flush()?;
        Ok(this)
    }

    /// Behind one of the VTEPs, in the L3VNI.
    #[must_use]
    pub fn behind(&self, way: usize) -> Place {
        Place::Vtep { vxlan: self.vxlan, address: vtep_address(way as u32).into() }
    }
}

/// A frame to a host behind the VTEPs, for the gateway: IPv4, UDP, and room for a number.
#[must_use]
pub fn frame(to: Ipv4Addr) -> [u8; LENGTH] {
    let mut frame = [0; LENGTH];
    frame[..6].copy_from_slice(&GATEWAY_MAC);
    frame[6..12].copy_from_slice(&source_mac(0));
    frame[12..14].copy_from_slice(&[8, 0]);
    let length = (LENGTH - 14) as u16;
    let mut header = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
    header[2..4].copy_from_slice(&length.to_be_bytes());
    frame[14..26].copy_from_slice(&header);
    frame[26..30].copy_from_slice(&HOST.octets());
    frame[30..34].copy_from_slice(&to.octets());
    let words = frame[14..34].as_chunks::<4>().0;
    let words: [u32; 5] = std::array::from_fn(|at| u32::from_ne_bytes(words[at]));
    frame[24..26].copy_from_slice(&(!checksum::fold_words(words)).to_ne_bytes());
    frame[34..38].copy_from_slice(&[0x9c, 0x40, 0x9c, 0x41]);
    frame[38..40].copy_from_slice(&(length - 20).to_be_bytes());
    frame
}
