//! Ports, domains and circuits of plain bridges.

use super::world::*;
use crate::{model::*, observe::*};

#[test]
fn a_leaf_has_access_and_underlay_ports_a_domain_and_circuits() {
    let leaf = leaf();
    let desired = leaf.structure();
    let roles: Vec<_> =
        desired.ports.values().map(|port| (port.name.as_str(), port.role, port.mtu)).collect();
    assert_eq!(
        roles,
        [
            ("h1", Role::Access, 1500),
            ("h2", Role::Access, 1500),
            ("u1", Role::Underlay, 9000),
            ("u2", Role::Underlay, 9000)
        ]
    );
    assert_eq!(desired.ports[&H1].untagged, Some(circuit(H1)));
    assert_eq!(desired.routed(), [U1, U2].into());
    let domain = Domain {
        name: "br10".into(),
        vni: Some(10_010),
        vxlan: VX10,
        source_vni: 0,
        local: LOCAL,
        udp_port: 4789,
        ttl: 64,
        max_frame: 1514,
        ageing_ms: 300_000,
        vxlan_mac: Mac([2, 0, 0, 0, 1, VX10 as u8]),
        ..Domain::default()
    };
    assert_eq!(desired.domains, [(DOMAIN, domain)].into());
    let expected = |port| Circuit { port, max_frame: 1514, ..Circuit::default() };
    assert_eq!(desired.circuits, [(circuit(H1), expected(H1)), (circuit(H2), expected(H2))].into());
    assert_eq!(desired.problems, []);
    assert!(desired.declined.is_empty());
}

#[test]
fn the_tunnels_outer_header_follows_the_vxlan_device() {
    let mut leaf = leaf();
    let (df, port) = (Df::Inherit, 8472);
    let options = Vxlan { ttl: 7, tos: 0xb9, df, port, learning: true, ..vxlan(10_010) };
    leaf.apply(with_port(vx10(options), |port| port.isolated = true));
    let domain = &leaf.structure().domains[&DOMAIN];
    assert_eq!((domain.ttl, domain.tos, domain.df, domain.udp_port), (7, 0xb8, Df::Inherit, 8472));
    assert!(domain.overlay_learning && domain.overlay_isolated);

    let inherit = Vxlan { ttl_inherit: true, tos: 1, tos_inherit: true, ..vxlan(10_010) };
    leaf.apply(vx10(inherit));
    let domain = &leaf.structure().domains[&DOMAIN];
    assert!(domain.ttl_inherit && domain.tos_inherit);
    assert_eq!((domain.ttl, domain.tos), (64, 0), "TTL of frames that are not IP");
}

#[test]
fn a_tunnel_that_cannot_be_expressed_is_left_to_the_kernel_with_a_sentence() {
    let cases = [
        (
            Vxlan { local: Some(ip("fe80::1")), ..vxlan(10_010) },
            "bridge br10: vxlan device vx10 has the link-local address fe80::1; create it with an address that is routed, left to the kernel",
        ),
        (Vxlan { external: true, ..vxlan(0) }, "no VNI from a bridge without VLANs"),
        (Vxlan { unsupported: vec!["gbp".into(), "rsc".into()], ..vxlan(10_010) }, "uses gbp, rsc"),
        (
            Vxlan { source_ports: Some((50_000, 50_010)), ..vxlan(10_010) },
            "limits its UDP source ports to 50000–50010",
        ),
    ];
    for (options, sentence) in cases {
        let mut leaf = leaf();
        leaf.apply(vx10(options));
        leaf.assert_named(sentence);
        let desired = leaf.structure();
        assert_eq!(desired.domains[&DOMAIN].vni, None);
        assert!(desired.vteps.is_empty());
        assert_eq!(desired.why_not(VX10).count(), 1);
        assert_eq!(leaf.place(2), None, "behind the tunnel");
        assert!(leaf.place(1).is_some(), "behind a local port");
    }
}

#[test]
fn a_tunnel_may_be_bound_to_an_interface_outside_vrfs() {
    let mut leaf = leaf();
    leaf.apply(vx10(Vxlan { bound_to: Some(U1), group: Some(ip("239.1.1.1")), ..vxlan(10_010) }));
    assert_eq!(leaf.structure().domains[&DOMAIN].vni, Some(10_010));
    assert_eq!(leaf.problems(), "");
    assert!(leaf.place(2).is_some());
    leaf.apply(link(90, "red", LinkKind::Vrf { table: 1001 }));
    leaf.apply(link(91, "bond0", LinkKind::Other("bond".into())));
    leaf.apply(Link { master: Some(91), ..veth(U1, "u1") });
    assert_eq!(leaf.structure().domains[&DOMAIN].vni, Some(10_010));
    let bond = link(91, "bond0", LinkKind::Other("bond".into()));
    leaf.apply(Link { master: Some(90), ..bond });
    leaf.assert_named("vx10 is bound to u1 (`dev u1`), which is in the VRF red");
    assert_eq!(leaf.structure().domains[&DOMAIN].vni, None);
}

#[test]
fn source_ports_set_by_hand_that_include_ours_are_no_obstacle() {
    let mut leaf = leaf();
    let options = Vxlan { source_ports: Some((32_768, 65_535)), ..vxlan(10_010) };
    leaf.apply(vx10(options));
    assert_eq!(leaf.problems(), "");
}

#[test]
fn a_tunnel_that_is_down_or_blocked_is_left_to_the_kernel() {
    let mut leaf = leaf();
    leaf.apply(Link { up: false, carrier: false, ..vx10(vxlan(10_010)) });
    leaf.assert_named("vx10 is down");
    leaf.apply(with_port(vx10(vxlan(10_010)), |port| port.state = PortState::Blocking));
    leaf.assert_named("does not forward");
    assert_eq!(leaf.place(2), None);
}

#[test]
fn two_tunnels_in_a_plain_bridge_are_left_to_the_kernel() {
    let mut leaf = leaf();
    leaf.apply(port_of(BR10, link(12, "vx20", LinkKind::Vxlan(vxlan(20)))));
    leaf.assert_named("several vxlan devices (vx10, vx20)");
    assert_eq!(leaf.place(2), None);
    assert!(leaf.place(1).is_some());
}

#[test]
fn a_bridge_without_a_tunnel_is_none_of_our_business() {
    let mut leaf = leaf();
    leaf.apply(Event::LinkGone { ifindex: VX10 });
    let desired = leaf.desired();
    assert!(desired.structure.domains.is_empty() && desired.structure.circuits.is_empty());
    assert!(desired.fdb.is_empty());
    assert!(!desired.structure.ports.contains_key(&H1));
}

#[test]
fn a_bridge_that_is_down_forwards_nothing_and_keeps_its_ports() {
    let mut leaf = leaf();
    leaf.apply(Link { up: false, ..link(BR10, "br10", bridge(false)) });
    let desired = leaf.desired();
    assert!(desired.structure.domains.is_empty() && desired.fdb.is_empty());
    assert_eq!(desired.structure.ports[&H1].untagged, None);
    leaf.assert_named("bridge br10 is down");
}

#[test]
fn a_port_that_does_not_forward_keeps_its_program_and_loses_its_macs() {
    use PortState::{Blocking, Disabled, Learning, Listening};
    let port = || port_of(BR10, veth(H1, "h1"));
    let blocked = [Blocking, Listening, Learning, Disabled]
        .map(|state| with_port(port(), |port| port.state = state));
    let down = [Link { carrier: false, ..port() }, Link { up: false, carrier: false, ..port() }];
    for state in blocked.into_iter().chain(down) {
        let mut leaf = leaf();
        assert!(leaf.place(1).is_some());
        leaf.apply(state);
        assert_eq!(leaf.place(1), None);
        let desired = leaf.structure();
        assert_eq!(desired.ports[&H1].role, Role::Access);
        assert_eq!(desired.ports[&H1].untagged, None);
        assert!(!desired.circuits.contains_key(&circuit(H1)));
        leaf.apply(port());
        assert!(leaf.place(1).is_some(), "back again");
    }
}

#[test]
fn a_circuit_is_isolated_or_in_hairpin_mode_as_its_bridge_port_is() {
    let mut leaf = leaf();
    for (isolated, hairpin) in [(true, false), (true, true), (false, true), (false, false)] {
        leaf.apply(with_port(port_of(BR10, veth(H1, "h1")), |port| {
            (port.isolated, port.hairpin) = (isolated, hairpin);
        }));
        let circuits = &leaf.structure().circuits;
        let options = |port| [circuits[&circuit(port)].isolated, circuits[&circuit(port)].hairpin];
        assert_eq!((options(H1), options(H2)), ([isolated, hairpin], [false; 2]));
    }
}

#[test]
fn a_port_that_leaves_the_bridge_is_no_port_any_more() {
    let mut leaf = leaf();
    leaf.apply(Event::BridgePortGone { ifindex: H1 });
    assert!(!leaf.structure().ports.contains_key(&H1));
    assert_eq!(leaf.place(1), None);
}

#[test]
fn patterns_limit_which_ports_may_be_touched() {
    let allowed =
        Policy { allowed: vec![Pattern::new("h2"), Pattern::new("u*")], ..Policy::default() };
    let denied = Policy { denied: vec![Pattern::new("?1")], ..Policy::default() };
    let leaf = leaf_with(allowed);
    let desired = leaf.structure();
    assert_eq!(desired.ports.keys().copied().collect::<Vec<_>>(), [H2, U1, U2]);
    assert_eq!(
        desired.why_not(H1).next(),
        Some("port h1 matches no allowed pattern in the settings")
    );
    assert_eq!(leaf.place(1), None, "its MACs are left to the kernel");

    let leaf = leaf_with(denied);
    let desired = leaf.structure();
    assert_eq!(desired.ports.keys().copied().collect::<Vec<_>>(), [H2]);
    assert_eq!(
        desired.vteps[&VTEP], None,
        "half of a group would shift all traffic to the other half"
    );
    leaf.assert_named("port u1 is denied by the pattern `?1`");
}

#[test]
fn a_port_that_another_program_holds_is_declined_with_the_reason() {
    let reason = String::from("another XDP program holds h1");
    let policy = Policy { unusable: [(H1, reason.clone())].into(), ..Policy::default() };
    let leaf = leaf_with(policy);
    assert_eq!(leaf.structure().declined, [(H1, reason)].into());
    assert_eq!(leaf.place(1), None);
}

#[test]
fn patterns_match_as_shells_do() {
    for (pattern, name, fits) in [
        ("swp*", "swp1", true),
        ("swp*", "swp", true),
        ("swp*", "eth0", false),
        ("*", "", true),
        ("?", "", false),
        ("e?h*0", "eth10", true),
        ("*.100", "swp1.100", true),
        ("*.100", "swp1.1000", false),
        ("swp1", "swp11", false),
    ] {
        assert_eq!(Pattern::new(pattern).matches(name), fits, "{pattern} {name}");
    }
}

#[test]
fn a_tunnel_that_learns_is_used_and_shows_sources_before_either_table_forgets_them() {
    let mut leaf = leaf();
    let ageing = |leaf: &mut super::incremental::Incremental, ageing_s| {
        leaf.apply(vx10(Vxlan { learning: true, ageing_s, ..vxlan(10_010) }));
        let domain = leaf.structure().domains[&DOMAIN].clone();
        assert!(domain.overlay_learning && domain.vni == Some(10_010));
        domain.ageing_ms
    };
    let of_bridge = ageing(&mut leaf, 0);
    assert_eq!(ageing(&mut leaf, 20), 20_000);
    assert_eq!(ageing(&mut leaf, u32::MAX), of_bridge);
    leaf.apply(vx10(Vxlan { ageing_s: 20, ..vxlan(10_010) }));
    assert_eq!(leaf.structure().domains[&DOMAIN].ageing_ms, of_bridge);
    leaf.apply(with_port(vx10(vxlan(10_010)), |port| port.learning = true));
    assert!(leaf.structure().domains[&DOMAIN].overlay_learning);
    assert_eq!(leaf.structure().domains[&DOMAIN].ageing_ms, of_bridge);
    assert_eq!(leaf.problems(), "");
}

#[test]
fn the_desired_state_can_be_written_as_json() {
    let json = serde_json::to_value(leaf().desired()).unwrap();
    let fdb = json["fdb"].as_array().unwrap();
    assert_eq!(fdb.len(), 2);
    assert!(
        fdb.iter().any(|pair| pair[0]["mac"] == "02:aa:00:00:00:02"
            && pair[1]["remote"]["remote"] == "10.0.0.2")
    );
    assert_eq!(json["structure"]["groups"][0][0]["object"], 20);
}

/// While the topology changes the kernel forgets after the forward delay, and says so to nobody.
#[test]
fn with_a_spanning_tree_macs_are_shown_as_often_as_a_change_of_topology_wants() {
    let ageing = |options: Bridge| {
        let mut leaf = leaf();
        leaf.apply(link(BR10, "br10", LinkKind::Bridge(options)));
        leaf.structure().domains[&DOMAIN].ageing_ms
    };
    let plain = bridge_options(false);
    assert_eq!(ageing(plain.clone()), 300_000);
    let stp = Bridge { stp: true, forward_delay_ms: 4_000, ..plain };
    assert_eq!(ageing(stp.clone()), 8_000);
    assert_eq!(ageing(Bridge { ageing_ms: 6_000, ..stp.clone() }), 6_000);
    assert_eq!(ageing(Bridge { ageing_ms: 0, ..stp }), 0, "every frame is the kernel's");
}

#[test]
fn a_locked_tunnel_is_used_by_hosts_and_named() {
    let mut leaf = leaf();
    leaf.apply(with_port(vx10(vxlan(10_010)), |port| port.locked = true));
    let desired = leaf.structure();
    assert!(desired.domains[&DOMAIN].overlay_locked);
    assert_eq!(desired.domains[&DOMAIN].vni, Some(10_010));
    leaf.assert_named("vx10 is locked as a bridge port, so");
    leaf.apply(vx10(vxlan(10_010)));
    assert!(!leaf.structure().domains[&DOMAIN].overlay_locked);
    assert_eq!(leaf.problems(), "");
}

#[test]
fn a_port_that_maps_vlans_to_tunnels_is_left_to_the_kernel_and_named() {
    let mut leaf = leaf();
    leaf.apply(with_port(port_of(BR10, veth(H1, "h1")), |port| port.vlan_tunnel = true));
    let desired = leaf.structure();
    assert!(!desired.ports.contains_key(&H1));
    assert!(desired.declined[&H1].contains("h1 maps VLANs to tunnel IDs"));
    assert_eq!(leaf.place(1), None);
}
