//! Random changes in any number: what is compiled step by step is always what a full compilation
//! gives, and a dump of the same objects changes nothing.

use super::{incremental::Incremental, world::*};
use crate::{
    model::*,
    observe::{tests::random::Random, *},
};

const REMOTES: [&str; 4] = ["10.0.0.2", "10.0.0.3", "10.0.0.1", "2001:db8::2"];
const LINKS: [u32; 6] = [BR10, VX10, H1, H2, U1, U2];

/// A link of the leaf in some state, or in another bridge mode, or out of its bridge.
fn random_link(random: &mut Random) -> Link {
    let link = match random.below(9) {
        0 | 1 => link(BR10, "br10", bridge(random.below(3) == 0)),
        2 => vx10(vxlan(10_010)),
        3 => vx10(Vxlan { local: None, ..vxlan(10_010) }),
        4 => port_of(BR10, veth(H1, "h1")),
        5 => port_of(BR10, veth(H2, "h2")),
        6 => veth(H2, "h2"),
        7 => veth(U1, "u1"),
        _ => veth(U2, "u2"),
    };
    match (random.below(6), link.port) {
        (0, _) => Link { carrier: false, ..link },
        (1, _) => Link { up: false, carrier: false, ..link },
        (2, Some(port)) => {
            let port = Some(PortOptions { state: PortState::Blocking, ..port });
            Link { port, ..link }
        }
        _ => link,
    }
}

fn random_tunnel_mac(random: &mut Random) -> TunnelMac {
    let mac = match random.below(3) {
        0 => Mac::ZERO,
        _ => host(random.below(5) as u8),
    };
    let entry = tunnel_mac(mac, ip(REMOTES[random.below(REMOTES.len())]));
    match random.below(8) {
        0 => TunnelMac { target: TunnelTarget::NexthopGroup(9), ..entry },
        _ => entry,
    }
}

fn random_route(random: &mut Random) -> Route {
    let (address, length) =
        [("10.0.0.2", 32), ("10.0.0.0", 24), ("0.0.0.0", 0), ("203.0.113.0", 24)][random.below(4)];
    let route = route(address, length, [Some(11), Some(12), Some(20), Some(99)][random.below(4)]);
    match random.below(6) {
        0 => Route { kind: RouteKind::Blackhole, nexthop: None, ..route },
        1 => {
            let gateway = Some(ip("192.0.2.0"));
            let hop = Hop { ifindex: U1, gateway, weight: 1, encap: None, dead: false };
            Route { nexthop: None, hops: vec![hop], ..route }
        }
        _ => route,
    }
}

/// Nexthop objects that are VTEPs, and the segment of them that entries name.
fn random_segment(random: &mut Random) -> Event {
    let of = |id, kind| Event::Nexthop(crate::observe::Nexthop { id, fdb: true, kind });
    let vtep = |id: u32, remote: &str| {
        let gateway = Some(ip(remote));
        of(id, NexthopKind::Single { ifindex: 0, gateway, encap: None })
    };
    let id = 7 + random.below(2) as u32;
    match random.below(6) {
        0 => Event::NexthopGone { id: 9 },
        1 => Event::NexthopGone { id },
        2 => vtep(id, REMOTES[random.below(REMOTES.len())]),
        _ => {
            let weights = [7, 8].map(|id| GroupMember { id, weight: 1 + random.below(3) as u16 });
            let members = weights[..1 + random.below(2)].to_vec();
            of(9, NexthopKind::Group { members, resilient: None })
        }
    }
}

fn random_event(random: &mut Random) -> Event {
    let mac = host(random.below(5) as u8);
    let vlan = if random.below(4) == 0 { 200 } else { 0 };
    let (underlay, gateway) = [(U1, "192.0.2.0"), (U2, "fe80::52")][random.below(2)];
    match random.below(17) {
        0 => Event::Link(random_link(random)),
        1 if random.below(4) == 0 => Event::LinkGone { ifindex: LINKS[random.below(6)] },
        1 => vlans(LINKS[1 + random.below(3)], BR10, &[(200, random.below(2) == 0, true)]),
        2 => Event::BridgePortGone { ifindex: LINKS[1 + random.below(3)] },
        3..6 => Event::BridgeMac(BridgeMac {
            vlan,
            permanent: random.below(8) == 0,
            locked: random.below(8) == 0,
            ..bridge_mac([VX10, H1, H2][random.below(3)], mac)
        }),
        6 => Event::BridgeMacGone { bridge: BR10, vlan, mac },
        7..9 => Event::TunnelMac(random_tunnel_mac(random)),
        9 => Event::TunnelMacGone(random_tunnel_mac(random)),
        10 => neighbour(underlay, gateway, (random.below(3) > 0).then(|| host(0x50))),
        11 => Event::NeighbourGone { ifindex: underlay, address: ip(gateway) },
        12 => Event::Route(random_route(random)),
        13 => Event::RouteGone(random_route(random)),
        14 => match random.below(3) {
            0 => single(11, U1, (random.below(4) > 0).then_some("192.0.2.0")),
            1 => single(12, U2, Some("fe80::52")),
            _ => group(20, &[(11, 1), (12, 1 + random.below(3) as u16)]),
        },
        15 => Event::NexthopGone { id: [11, 12, 20][random.below(3)] },
        _ => random_segment(random),
    }
}

/// From where the kernel sends if the vxlan device has no local address, as long as the routes are these.
fn sources() -> impl Iterator<Item = (SourceQuestion, Source)> {
    REMOTES[..2].iter().flat_map(|remote| {
        let ways =
            [(None, U1, "192.0.2.0"), (Some(U1), U1, "192.0.2.0"), (Some(U2), U2, "fe80::52")];
        ways.map(|(over, ifindex, gateway)| {
            let question = SourceQuestion { remote: ip(remote), port: Some(4789), over };
            (question, Source { address: LOCAL, ifindex, gateway: Some(ip(gateway)) })
        })
    })
}

#[test]
fn step_by_step_is_always_what_a_full_compilation_gives() {
    let mut random = Random(0xc0ffee);
    let (mut with_vteps, mut with_remote_macs) = (0, 0);
    for _ in 0..200 {
        let sources = sources().collect();
        let mut leaf = leaf_with(Policy { sources, ..Policy::default() });
        for _ in 0..100 {
            leaf.apply(random_event(&mut random));
            // Compares, see Incremental::desired.
            let desired = leaf.desired();
            with_vteps += usize::from(desired.structure.vteps.values().any(Option::is_some));
            with_remote_macs +=
                usize::from(desired.fdb.values().any(|target| matches!(target, Target::Remote(_))));
        }
    }
    assert!(with_vteps > 1_000 && with_remote_macs > 1_000, "the world did not just fall apart");
}

/// What happens to a single vxlan device, whose VLAN 200 may have the VNI 10010.
fn random_single_device(random: &mut Random) -> Event {
    let vni = [10_010, 10_020][random.below(2)];
    match random.below(10) {
        0 => {
            let options = Vxlan { external: true, vni_filter: random.below(2) == 0, ..vxlan(0) };
            vx10(if random.below(4) == 0 { vxlan(10_010) } else { options }).into()
        }
        1 => {
            let tunnel = (random.below(4) > 0).then_some(vni);
            let vlan = PortVlan { id: 200, pvid: false, untagged: random.below(8) == 0, tunnel };
            let state = PortState::Forwarding;
            let options = PortOptions { state, vlan_tunnel: true, ..PortOptions::default() };
            BridgePort { ifindex: VX10, bridge: BR10, options, vlans: vec![vlan] }.into()
        }
        2 => {
            let filter = VniFilter { vxlan: VX10, ranges: vec![(10_000, vni)] };
            if random.below(3) == 0 { Event::VniFilterGone(filter) } else { filter.into() }
        }
        3 => link(BR10, "br10", bridge(true)).into(),
        4..7 => {
            let mac = host(random.below(5) as u8);
            BridgeMac { vlan: 200, ..bridge_mac(VX10, mac) }.into()
        }
        7 => Event::TunnelMacGone(TunnelMac { source_vni: Some(vni), ..random_tunnel_mac(random) }),
        _ => TunnelMac { source_vni: Some(vni), ..random_tunnel_mac(random) }.into(),
    }
}

#[test]
fn step_by_step_is_what_a_full_compilation_gives_with_a_single_vxlan_device_too() {
    let mut random = Random(0x51d);
    let mut with_remote_macs = 0;
    for _ in 0..200 {
        let mut leaf = leaf_with(Policy::default());
        for _ in 0..100 {
            leaf.apply(match random.below(4) {
                0 => random_event(&mut random),
                _ => random_single_device(&mut random),
            });
            let desired = leaf.desired();
            with_remote_macs += usize::from(desired.fdb.iter().any(|(key, target)| {
                key.domain.vlan == 200 && matches!(target, Target::Remote(_))
            }));
        }
    }
    assert!(with_remote_macs > 300, "the world did not just fall apart: {with_remote_macs}");
}

#[test]
fn entries_that_come_and_go_leave_no_vtep_behind() {
    let mut random = Random(0xaba);
    let mut leaf: Incremental = leaf_with(Policy::default());
    for _ in 0..20_000 {
        let entry = random_tunnel_mac(&mut random);
        match random.below(2) {
            0 => leaf.network.apply(Event::TunnelMac(entry)),
            _ => leaf.network.apply(Event::TunnelMacGone(entry)),
        };
    }
    for number in 0..5 {
        leaf.network.apply(Event::TunnelMacGone(tunnel_mac(host(number), ip("10.0.0.2"))));
    }
    for remote in REMOTES {
        leaf.network.apply(Event::TunnelMacGone(tunnel_mac(Mac::ZERO, ip(remote))));
    }
    leaf.network.apply(Event::TunnelMacGone(TunnelMac {
        target: TunnelTarget::NexthopGroup(9),
        ..tunnel_mac(Mac::ZERO, REMOTE)
    }));
    let structure = crate::model::compile_structure(&leaf.network, &Policy::default());
    assert!(structure.vteps.is_empty(), "{:?}", structure.vteps);
}
