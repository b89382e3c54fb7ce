//! The router that the tests of transit use.
//!
//! ```text
//!                        / out0 --- WEST
//!   CLIENT --- in0 ---- R                   servers behind both, one or none of them
//!                        \ out1 --- EAST
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use fabric_common::{
    flow_hash,
    schema::{
        ports::{FLAG_ROUTE4, FLAG_ROUTE6, ROLE_ROUTED},
        routes::{
            KIND_BLACKHOLE, KIND_CONNECTED, KIND_GROUP, KIND_KERNEL, KIND_LOCAL, KIND_NEXTHOP,
            KIND_UNREACHABLE, KIND_VIEW, target,
        },
    },
};

use fabric_user::model::Group;

use crate::{
    addresses::{HOST_A, Mac, SPINE1_MAC, SPINE2_MAC, STRANGER, Station},
    expect::{self, provoked_by},
    model,
    namespace::in_own_namespace,
    packet::Frame,
    world::{NexthopId, Port, World},
};

/// MAC address of the port in front of the client.
pub const IN0_MAC: Mac = [2, 0, 0, 0x0c, 0, 0];
/// The view by which all ports route.
pub const VIEW: u16 = 1;
/// The view of another VRF, in which no port is, and that of one beyond it.
const OTHERS: [u16; 2] = [3, 4];
/// IP MTU on the way to the west; the one to the east is 100 bytes more.
pub const MTU: u32 = 1_400;
/// Where the client's packets come from.
pub const CLIENT: Station = HOST_A;

/// What is behind the servers' addresses, by their last byte. From 64 on there is the prefix of
/// [`Router::west_only`], from 128 on that of [`Router::both`].
pub mod server {
    /// A neighbour on the east port.
    pub const NEIGHBOUR: u8 = 7;
    /// The router itself.
    pub const LOCAL: u8 = 8;
    /// A blackhole route.
    pub const BLACKHOLE: u8 = 9;
    /// A route that says unreachable.
    pub const UNREACHABLE: u8 = 10;
    /// A neighbour that is not resolved.
    pub const UNRESOLVED: u8 = 11;
    /// A route that the maps cannot express.
    pub const KERNEL: u8 = 12;
    /// A group that is a blackhole.
    pub const BLACKHOLE_GROUP: u8 = 13;
    /// A group without nexthops.
    pub const EMPTY_GROUP: u8 = 14;
    /// A neighbour on the client's port.
    pub const BACK: u8 = 15;
    /// Nothing leads there.
    pub const NOWHERE: u8 = 16;
    /// In another VRF, behind the group of both.
    pub const LEAK: u8 = 17;
    /// In another VRF, which has no route.
    pub const LEAK_NOWHERE: u8 = 20;
    /// The router itself, in another VRF.
    pub const LEAK_LOCAL: u8 = 23;
    /// A blackhole route of another VRF.
    pub const LEAK_BLACKHOLE: u8 = 24;
    /// In a VRF beyond another one.
    pub const LEAK_TWICE: u8 = 27;
    /// In the prefix of one nexthop.
    pub const WEST: u8 = 64;
    /// In the prefix of two nexthops.
    pub const BOTH: u8 = 128;
}

/// A server by the last byte of its addresses, and the port that the client sends to.
#[must_use]
pub const fn server(last: u8) -> Station {
    let mut ipv6 = STRANGER.ipv6;
    ipv6[5] = 2;
    ipv6[15] = last;
    Station { mac: IN0_MAC, ipv4: [203, 0, 113, last], ipv6 }
}

/// The router's parts.
#[expect(missing_docs, reason = "the picture above names them")]
pub struct Router {
    pub world: World,
    pub in0: Port,
    pub out0: Port,
    pub out1: Port,
    pub west: NexthopId,
    pub east: NexthopId,
    pub back: NexthopId,
    pub both: u32,
    pub west_only: u32,
}

/// Runs a test on a fresh router, in a namespace and on a thread of its own.
pub fn router(test: impl FnOnce(&mut Router) + Send) {
    let provoked = in_own_namespace(|| {
        provoked_by(|| {
            let mut router = Router::new().unwrap_or_else(|error| panic!("no router: {error:#}"));
            test(&mut router);
        })
    });
    expect::add_provoked(provoked);
}

impl Router {
    fn new() -> Result<Self> {
        let mut world = World::new()?;
        let in0 = world.port("in0", ROLE_ROUTED, IN0_MAC)?;
        let out0 = world.port("out0", ROLE_ROUTED, [2, 0, 0, 0x0c, 0, 1])?;
        let out1 = world.port("out1", ROLE_ROUTED, [2, 0, 0, 0x0c, 0, 2])?;
        for port in [&in0, &out0, &out1] {
            world.route_on(port, VIEW, FLAG_ROUTE4 | FLAG_ROUTE6);
        }
        let west = world.nexthop(&out0, SPINE1_MAC, MTU);
        let east = world.nexthop(&out1, SPINE2_MAC, MTU + 100);
        let back = world.nexthop(&in0, CLIENT.mac, MTU);
        let both = world.group(&[(west, 1), (east, 1)]);
        let west_only = world.group(&[(west, 1)]);
        let blackhole = world.any_group(Group { blackhole: true, ..Group::default() });
        let empty = world.group(&[]);

        let neighbour = |nexthop: NexthopId| target(KIND_NEXTHOP, nexthop.0.into());
        for (last, target) in [
            (server::NEIGHBOUR, neighbour(east)),
            (server::LOCAL, target(KIND_LOCAL, 0)),
            (server::BLACKHOLE, target(KIND_BLACKHOLE, 0)),
            (server::UNREACHABLE, target(KIND_UNREACHABLE, 0)),
            (server::UNRESOLVED, target(KIND_CONNECTED, 0)),
            (server::KERNEL, target(KIND_KERNEL, 0)),
            (server::BLACKHOLE_GROUP, target(KIND_GROUP, blackhole)),
            (server::EMPTY_GROUP, target(KIND_GROUP, empty)),
            (server::BACK, neighbour(back)),
        ] {
            let server = server(last);
            world.route(VIEW, (Ipv4Addr::from(server.ipv4).into(), 32), target);
            world.route(VIEW, (Ipv6Addr::from(server.ipv6).into(), 128), target);
        }
        for (last, bits, group) in [(server::WEST, 6, west_only), (server::BOTH, 7, both)] {
            let server = server(last);
            let target = target(KIND_GROUP, group);
            world.route(VIEW, (Ipv4Addr::from(server.ipv4).into(), 32 - bits), target);
            world.route(VIEW, (Ipv6Addr::from(server.ipv6).into(), 128 - bits), target);
        }
        let [other, beyond] = OTHERS;
        world.have_views(beyond);
        let into = |view: u16| target(KIND_VIEW, view.into());
        for (last, there) in [
            (server::LEAK, target(KIND_GROUP, both)),
            (server::LEAK_NOWHERE, 0),
            (server::LEAK_LOCAL, target(KIND_LOCAL, 0)),
            (server::LEAK_BLACKHOLE, target(KIND_BLACKHOLE, 0)),
            (server::LEAK_TWICE, into(beyond)),
        ] {
            for address in addresses(&server(last)) {
                let bits = if address.is_ipv4() { 32 } else { 128 };
                // By prefix and then by host, and by host and then by prefix.
                let [first, second] =
                    if last % 2 == 0 { [bits - 1, bits] } else { [bits, bits - 1] };
                world.route(VIEW, (address, first), into(other));
                world.route(other, (address, second), there);
                world.route(beyond, (address, bits), neighbour(west));
            }
        }
        for address in addresses(&server(server::LOCAL)) {
            world.own(VIEW, address);
        }
        Ok(Self { world, in0, out0, out1, west, east, back, both, west_only })
    }

    /// Where a nexthop is: its port and MAC addresses.
    #[must_use]
    pub fn behind(&self, nexthop: NexthopId) -> (Port, [Mac; 2]) {
        let (port, mac) = match nexthop {
            n if n == self.west => (&self.out0, SPINE1_MAC),
            n if n == self.east => (&self.out1, SPINE2_MAC),
            n if n == self.back => (&self.in0, CLIENT.mac),
            other => panic!("{other:?} is no nexthop of this router"),
        };
        (port.clone(), [mac, port.mac])
    }

    /// The nexthop of the group of both that the flow of a frame takes.
    #[must_use]
    pub fn choice(&self, frame: &[u8]) -> NexthopId {
        let hash = model::flow_hash_by(frame, &self.world.maps.settings.get(0), true);
        let selection = self.world.maps.select(self.both, flow_hash::routed(hash));
        NexthopId(selection.nexthop.expect("a nexthop of the group lives") as u16)
    }

    /// Sends a frame of the client and expects the kernel to get it.
    #[track_caller]
    pub fn passes(&mut self, frame: &[u8], reason: fabric_common::reason::Reason) {
        self.world.send(&self.in0, frame).passes(reason);
    }

    /// Sends a frame of the client and expects it behind `nexthop` with other MAC addresses and a
    /// TTL or hop limit one less, which the test writes down as another frame.
    #[track_caller]
    pub fn routes(&mut self, frame: &Frame, nexthop: NexthopId, ttl: u8) {
        let (port, [to, from]) = self.behind(nexthop);
        let expected = frame.clone().to(to).from(from).ttl(ttl - 1);
        let outcome = self.world.send(&self.in0, &frame.clone().ttl(ttl).bytes());
        outcome.is_routed(&port, &expected.bytes());
    }
}

/// Both addresses of a station.
#[must_use]
pub fn addresses(station: &Station) -> [IpAddr; 2] {
    [Ipv4Addr::from(station.ipv4).into(), Ipv6Addr::from(station.ipv6).into()]
}
