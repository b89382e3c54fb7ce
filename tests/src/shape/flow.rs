//! Flows of stations, and their packets.

use crate::{
    addresses::{LEAF1_VTEP, LEAF1_VTEP6, LEAF2_VTEP, LEAF2_VTEP6, Mac, SPINE1_MAC, Station},
    packet::{Frame, Vxlan, Vxlan6},
};

const fn station(network: u8, host: u8) -> Station {
    let mut ipv6 = [0; 16];
    // As it is read: network 10 is fd00:10::/64.
    (ipv6[0], ipv6[3], ipv6[15]) = (0xfd, network / 10 * 16 + network % 10, host);
    Station { mac: [2, 0, 0, 0, network, host], ipv4: [10, 1, network, host], ipv6 }
}

/// In the first network.
pub const HOST1: Station = station(10, 11);
/// In the second network.
pub const HOST2: Station = station(20, 12);
/// Another one in the first network.
pub const HOST3: Station = station(10, 13);
/// Behind LEAF2, in the first network.
pub const REMOTE1: Station = station(10, 21);
/// Behind LEAF2, in the second network.
pub const REMOTE2: Station = station(20, 22);
/// In a third network, which is on the leaf alone.
pub const LOCAL: Station = station(40, 41);
/// In a network that LEAF2 routes for. What comes from there has LEAF2's router MAC address.
pub const FAR: Station = Station { mac: [2, 0, 0, 0, 0x99, 2], ..station(30, 31) };
/// Behind the router at out1.
pub const OUTSIDE: Station = station(90, 99);

/// MAC address of up1.
pub(super) const UP1: Mac = [2, 0, 0, 0xaa, 0, 5];

/// The packets of one station for another, of both families, as they come to the leaf.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    pub(super) port: &'static str,
    source: Station,
    destination: Station,
    /// The tunnel that brings it: its VNI, and whether it is over IPv6.
    tunnel: Option<(u32, bool)>,
    tag: Option<u16>,
    pub(super) router: Option<&'static str>,
}

impl Flow {
    /// What arrives at this port.
    #[must_use]
    pub const fn new(port: &'static str, source: Station, destination: Station) -> Self {
        Self { port, source, destination, tunnel: None, tag: None, router: None }
    }

    /// In a tunnel from LEAF2.
    #[must_use]
    pub const fn vni(mut self, vni: u32) -> Self {
        self.tunnel = Some((vni, false));
        self
    }

    /// In a tunnel from LEAF2 over IPv6.
    #[must_use]
    pub const fn vni6(mut self, vni: u32) -> Self {
        self.tunnel = Some((vni, true));
        self
    }

    /// From another MAC address.
    #[must_use]
    pub const fn from(mut self, mac: Mac) -> Self {
        self.source.mac = mac;
        self
    }

    /// With an 802.1Q tag.
    #[must_use]
    pub const fn tag(mut self, vlan: u16) -> Self {
        self.tag = Some(vlan);
        self
    }

    /// Sent to the MAC address of this interface of the leaf, which routes it.
    #[must_use]
    pub const fn by(mut self, router: &'static str) -> Self {
        self.router = Some(router);
        self
    }

    /// The packets, with these bytes in front of their payload and, if it is routed, to this MAC address.
    pub(super) fn packets(&self, mark: [u8; 8], router: Option<Mac>) -> [Vec<u8>; 2] {
        let (source, destination) = (&self.source, &self.destination);
        let v4 = Frame::ipv4(source, destination);
        let v6 = Frame::ipv6(source, destination);
        let v4 = v4.change_ipv4(|ip| ip.payload[..8].copy_from_slice(&mark));
        let v6 = v6.change_ipv6(|ip| ip.payload[..8].copy_from_slice(&mark));
        [v4, v6].map(|frame| {
            let frame = match self.tag {
                Some(vlan) => frame.tag(vlan),
                None => frame,
            };
            let bytes = frame.to(router.unwrap_or(destination.mac)).ttl(17).bytes();
            match self.tunnel {
                Some((vni, false)) => Vxlan {
                    destination_mac: UP1,
                    source_mac: SPINE1_MAC,
                    ttl: 62,
                    ..Vxlan::new(LEAF2_VTEP, LEAF1_VTEP, vni)
                }
                .around(&bytes),
                Some((vni, true)) => Vxlan6 {
                    destination_mac: UP1,
                    source_mac: SPINE1_MAC,
                    hop_limit: 62,
                    ..Vxlan6::new(LEAF2_VTEP6, LEAF1_VTEP6, vni)
                }
                .around(&bytes),
                None => bytes,
            }
        })
    }
}
