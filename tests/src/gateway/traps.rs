//! What no router forwards, and what it answers instead, through gateways: where a host has sent it, and where a
//! tunnel or a router has brought it.

use fabric_common::reason::Reason;

use super::{
    TTL, assert_answer,
    site::{HOST1, HOST2, OUT0, OUTSIDE, REMOTE3, Seen, Site, VNIS, packets, station},
};
use crate::{
    addresses::{BROADCAST, MULTICAST, Mac, Station},
    packet::{Frame, ether_type, fix_ipv4_checksum},
};

/// A way by which a packet comes to the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Host,
    Tunnel,
    Router,
}

impl By {
    const ALL: [Self; 3] = [Self::Host, Self::Tunnel, Self::Router];

    /// Who sends, from an address with this end. The kernel answers an address only so often (`ip_error`).
    fn sender(self, end: u8) -> Station {
        match self {
            Self::Host => Station { mac: HOST1.mac, ..station(1, end) },
            Self::Tunnel => Station { mac: REMOTE3.mac, ..station(3, end) },
            Self::Router => Station { mac: OUTSIDE.mac, ..station(9, end) },
        }
    }

    /// The port where it arrives, and the tunnel.
    const fn place(self) -> (&'static str, Option<u32>) {
        match self {
            Self::Host => ("acc1", None),
            Self::Tunnel => ("up0", Some(VNIS[2])),
            Self::Router => ("out0", None),
        }
    }

    /// The MAC address that routes.
    fn router(self, site: &Site) -> Mac {
        match self {
            Self::Host => site.gateway_mac(1),
            Self::Tunnel => site.gateway_mac(9),
            Self::Router => OUT0,
        }
    }

    /// Why a packet passes that is no IP, or for no router.
    const fn not_routed(self) -> Reason {
        match self {
            Self::Host => Reason::BridgeLookupOwnMac,
            Self::Tunnel => Reason::BridgeDeliverOwnMac,
            Self::Router => Reason::UnderlayInputNotVxlan,
        }
    }

    /// Why a frame for a group passes.
    const fn for_a_group(self) -> Reason {
        match self {
            Self::Host => Reason::FrameGuardMulticast,
            Self::Tunnel => Reason::InnerGuardMulticast,
            Self::Router => Reason::TransitInputOtherHost,
        }
    }

    /// The kernel's fate of frames that come by it, which is ours as well.
    #[track_caller]
    fn judged(self, site: &Site, frames: &[Vec<u8>], reason: Reason) -> Seen {
        let (port, tunnel) = self.place();
        let arriving = frames.iter().map(|frame| match tunnel {
            Some(vni) => site.around(vni, frame),
            None => frame.clone(),
        });
        site.all_judged(port, &arriving.collect::<Vec<_>>(), reason)
    }

    /// As [`judged`](Self::judged), of frames that nobody gets.
    #[track_caller]
    fn vanish(self, site: &Site, frames: &[Vec<u8>], reason: Reason) {
        assert_eq!(self.judged(site, frames, reason), [], "by {self:?}");
    }

    /// As [`judged`](Self::judged), of packets of both families, each of which is answered with an ICMP message of this
    /// type and code over IPv4 and IPv6.
    #[track_caller]
    fn answered(self, site: &Site, packets: [Frame; 2], reason: Reason, codes: [[u8; 2]; 2]) {
        let (port, tunnel) = self.place();
        for (packet, [kind, code]) in packets.into_iter().zip(codes) {
            let seen = self.judged(site, &[packet.bytes()], reason);
            assert_answer(&seen, port, tunnel, [kind; 2]);
            let frame = &seen[0].2;
            let at = if frame[12..14] == [8, 0] { 35 } else { 55 };
            assert_eq!(frame[at], code, "by {self:?}: the code of {frame:02x?}");
        }
    }
}

/// Cases TR-04 and TR-05: what is no packet for a router, or none that it forwards.
pub fn what_no_router_forwards_goes_nowhere(site: &Site) {
    for by in By::ALL {
        let (sender, router) = (by.sender(30), by.router(site));
        site.know(&sender);
        let plain = packets(&sender, &HOST2, router);
        let ended = plain.clone().map(|packet| packet.ttl(0));
        by.answered(site, ended, Reason::TransitInputTtl, [[11, 0], [3, 0]]);
        let no_ip = Frame::other(&sender, &HOST2, ether_type::EXPERIMENTAL).to(router);
        by.vanish(site, &[no_ip.bytes()], by.not_routed());
        let for_groups: Vec<_> = plain
            .iter()
            .flat_map(|packet| [BROADCAST, MULTICAST].map(|group| packet.clone().to(group).bytes()))
            .collect();
        for (port, _, frame) in by.judged(site, &for_groups, by.for_a_group()) {
            assert!(
                for_groups.contains(&frame),
                "flooded in its own network, out of {port}: {frame:02x?}"
            );
        }
        by.vanish(site, &martians(&sender, router), Reason::TransitInputMartian);
        corrupted(site, by, &plain);
    }
    assert_eq!(site.problems(), "");
}

/// From and to addresses that no router forwards (RFC 1812 §5.3.7, RFC 4291 §2.5 and §2.7).
fn martians(sender: &Station, router: Mac) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for ipv4 in [[127, 0, 0, 1], [224, 0, 0, 5], [239, 1, 2, 3], [255, 255, 255, 255], [0, 0, 0, 0]]
    {
        let odd = Station { ipv4, ..*sender };
        packets.push(Frame::ipv4(&odd, &HOST2));
        packets.push(Frame::ipv4(sender, &odd));
    }
    let v6 = |first: u8, second: u8, last: u8| {
        let mut address = [0; 16];
        (address[0], address[1], address[15]) = (first, second, last);
        Station { ipv6: address, ..*sender }
    };
    // Loopback, and multicast of the scopes reserved, interface-local and global.
    for odd in [v6(0, 0, 1), v6(0xff, 0, 1), v6(0xff, 1, 1), v6(0xff, 0x0e, 9)] {
        packets.push(Frame::ipv6(&odd, &HOST2));
        packets.push(Frame::ipv6(sender, &odd));
    }
    packets.push(Frame::ipv6(&v6(0, 0, 0), &HOST2));
    let arriving = |packet: Frame| packet.from(sender.mac).to(router).ttl(TTL).bytes();
    packets.into_iter().map(arriving).collect()
}

/// Wrong versions, header lengths, checksums and lengths.
fn corrupted(site: &Site, by: By, [v4, v6]: &[Frame; 2]) {
    let with = |frame: &Frame, change: &dyn Fn(&mut [u8])| {
        let mut bytes = frame.bytes();
        change(&mut bytes[14..]);
        bytes
    };
    let longer = (v4.bytes().len() as u16 - 14 + 1).to_be_bytes();
    let checksum = with(v4, &|ip| ip[10] ^= 0x40);
    by.vanish(site, &[checksum], Reason::TransitInputBadChecksum);
    let headers = [
        with(v4, &|ip| ip[0] = 0x55),
        with(v4, &|ip| ip[0] = 0x44),
        with(v4, &|ip| {
            ip[2..4].copy_from_slice(&longer);
            fix_ipv4_checksum(ip);
        }),
        with(v6, &|ip| ip[0] = 0x50),
        with(v6, &|ip| ip[5] += 1),
    ];
    by.vanish(site, &headers, Reason::TransitInputBadHeader);
}

/// Networks without a route, and with routes that lead nowhere.
const NO_ROUTE: u8 = 4;
const BLACKHOLE: u8 = 5;
const UNREACHABLE: u8 = 6;
const PROHIBITED: u8 = 7;

/// Cases TR-05 and TR-06: no route, routes that lead nowhere, and a neighbour that does not answer.
pub fn what_leads_nowhere_is_answered_as_by_the_kernel(site: &Site) {
    for (network, kind) in
        [(BLACKHOLE, "blackhole"), (UNREACHABLE, "unreachable"), (PROHIBITED, "prohibit")]
    {
        site.lead_nowhere(network, kind);
    }
    // Asked for once, and given up at once.
    site.ask_briefly(2);
    for by in By::ALL {
        let to = |host: Station| {
            let sender = by.sender(host.ipv4[2]);
            site.know(&sender);
            packets(&sender, &host, by.router(site))
        };
        let lost = to(station(BLACKHOLE, 7)).map(|packet| packet.bytes());
        by.vanish(site, &lost, Reason::TransitRouteBlackhole);
        for (to, reason, codes) in [
            (to(station(NO_ROUTE, 7)), Reason::TransitRouteNone, [[3, 0], [1, 0]]),
            (to(station(UNREACHABLE, 7)), Reason::TransitRouteUnreachable, [[3, 1], [1, 0]]),
            (to(station(PROHIBITED, 7)), Reason::TransitRouteUnreachable, [[3, 13], [1, 1]]),
            (to(station(2, 77)), Reason::TransitRouteUnresolved, [[3, 1], [1, 3]]),
        ] {
            by.answered(site, to, reason, codes);
        }
    }
    assert_eq!(site.problems(), "");
}
