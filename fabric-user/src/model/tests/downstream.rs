//! Next hops that say into which VNI and to which VTEP their packets go.

use fabric_common::schema::ports::is_tunnel;

use super::{
    incremental::Incremental,
    router::{connected, forwarding, mac, own_address, prefix, rule, via_hops, via_object},
    world::*,
};
use crate::{model::*, observe::*};

const SVD: u32 = 61;
const PORT: u16 = 4790;
const DESTINATION: &str = "10.5.0.0/16";
const VNI: u64 = 4_002;

fn svd() -> Link {
    let options = Vxlan { external: true, local: Some(LOCAL), port: PORT, ..Vxlan::default() };
    link(SVD, "svd", LinkKind::Vxlan(options))
}

fn encap(id: u64) -> TunnelEncap {
    TunnelEncap { id, destination: REMOTE, source: None, ttl: 0, tos: 0, flags: 0 }
}

fn route_into(encap: TunnelEncap) -> Route {
    let mut route = via_hops(254, DESTINATION, &[(SVD, Some("10.0.0.2"))]);
    route.hops[0].encap = Some(Encap::Tunnel(encap));
    route
}

fn object_into(id: u32, encap: TunnelEncap) -> Event {
    let encap = Some(Encap::Tunnel(encap));
    nexthop(id, NexthopKind::Single { ifindex: SVD, gateway: Some(REMOTE), encap })
}

/// A leaf that routes, with a single vxlan device, behind which it knows the router.
fn routing_leaf() -> Incremental {
    let source = |ifindex, gateway| Source { address: LOCAL, ifindex, gateway: Some(ip(gateway)) };
    let question = |over| SourceQuestion { remote: REMOTE, port: Some(PORT), over: Some(over) };
    let mut leaf = leaf();
    leaf.policy.sources =
        [(question(U1), source(U1, "192.0.2.0")), (question(U2), source(U2, "fe80::52"))].into();
    leaf.apply(forwarding(false, None, true));
    leaf.apply(forwarding(false, Some(U1), true));
    leaf.apply(connected(254, "192.0.2.0/31", U1));
    leaf.apply(Event::Link(svd()));
    leaf.apply(neighbour(SVD, "10.0.0.2", Some(mac(9))));
    leaf
}

/// What stands for tunnels of next hops, with the VNIs.
fn tunnels(leaf: &Incremental) -> Vec<(u32, u32)> {
    let structure = leaf.structure();
    let ports = structure.ports.iter().filter(|(number, _)| is_tunnel(**number));
    let vni = |port: &Port| structure.domains[&port.domain.expect("a domain")].vni.expect("a VNI");
    ports.map(|(number, port)| (*number, vni(port))).collect()
}

fn members(leaf: &Incremental) -> Vec<(NexthopKey, u16)> {
    let place = RoutePlace { view: 0, prefix: prefix(DESTINATION) };
    let desired = leaf.desired();
    let Some(Way::Group(key)) = desired.routes.get(&place) else { return Vec::new() };
    desired.structure.groups[key].members.clone()
}

#[test]
fn a_next_hop_that_names_vni_and_vtep_is_behind_a_gateway_of_its_own() {
    let mut leaf = routing_leaf();
    leaf.apply(Event::Route(route_into(encap(VNI))));
    assert_eq!(leaf.problems(), "");
    let [(number, 4_002)] = tunnels(&leaf)[..] else { panic!("{:?}", tunnels(&leaf)) };
    let key = NexthopKey { ifindex: number, gateway: REMOTE };
    assert_eq!(members(&leaf), [(key, 1)]);
    let desired = leaf.desired();
    let structure = &desired.structure;
    let wanted =
        crate::model::Nexthop { source: svd().mac.unwrap(), destination: Some(mac(9)), mtu: 1500 };
    assert_eq!(structure.nexthops[&key], wanted);
    let domain = structure.ports[&number].domain.unwrap();
    let tunnel = &structure.domains[&domain];
    assert!(tunnel.only_sends && tunnel.local.is_unspecified());
    assert_eq!((tunnel.vxlan, tunnel.udp_port, tunnel.max_frame), (SVD, PORT, 1514));
    // The way to the VTEP says the TTL.
    assert_eq!((tunnel.ttl, tunnel.tos, tunnel.df), (64, 0, Df::Unset));
    assert_eq!(desired.fdb[&FdbKey { domain, mac: mac(9) }], Target::Remote(VTEP));
    assert_eq!(structure.vteps, [(VTEP, Some(GroupKey::Object(20)))].into());
}

#[test]
fn what_the_next_hop_says_counts_and_not_what_the_device_says() {
    let mut leaf = routing_leaf();
    let flags = TunnelEncap::DONT_FRAGMENT | TunnelEncap::CHECKSUM;
    let said = TunnelEncap { ttl: 9, tos: 0x43, flags, source: Some(LOCAL), ..encap(VNI) };
    leaf.apply(Event::Route(route_into(said)));
    let structure = leaf.structure();
    let [(number, _)] = tunnels(&leaf)[..] else { panic!("one") };
    let tunnel = &structure.domains[&structure.ports[&number].domain.unwrap()];
    assert_eq!((tunnel.ttl, tunnel.tos, tunnel.df), (9, 0x40, Df::Set));
    assert_eq!(tunnel.local, LOCAL);
    assert!(structure.questions.is_empty());
}

#[test]
fn a_route_that_changes_its_vni_gets_another_tunnel_and_one_that_goes_leaves_none() {
    let mut leaf = routing_leaf();
    leaf.apply(Event::Route(route_into(encap(VNI))));
    let [(before, _)] = tunnels(&leaf)[..] else { panic!("one") };
    let all_routes = leaf.all_routes;
    leaf.apply(Event::Route(route_into(encap(VNI + 1))));
    let [(number, 4_003)] = tunnels(&leaf)[..] else { panic!("{:?}", tunnels(&leaf)) };
    assert_ne!(number, before);
    assert_eq!(members(&leaf)[0].0.ifindex, number);
    assert_eq!(leaf.all_routes, all_routes, "routes do not depend on it");
    leaf.withdraw(Event::Route(route_into(encap(VNI + 1))));
    assert_eq!(tunnels(&leaf), []);
    assert!(leaf.structure().routers.is_empty());
}

#[test]
fn members_of_a_group_may_have_different_vnis() {
    let mut leaf = routing_leaf();
    leaf.apply(object_into(41, encap(VNI)));
    leaf.apply(object_into(42, encap(VNI + 1)));
    leaf.apply(group(50, &[(41, 1), (42, 3), (11, 2)]));
    leaf.apply(Event::Route(via_object(254, DESTINATION, 50)));
    assert_eq!(leaf.problems(), "");
    let numbers = tunnels(&leaf);
    assert_eq!(numbers.len(), 2);
    let number = |vni: u64| numbers.iter().find(|(_, of)| u64::from(*of) == vni).unwrap().0;
    let key = |ifindex| NexthopKey { ifindex, gateway: REMOTE };
    let router = NexthopKey { ifindex: U1, gateway: ip("192.0.2.0") };
    let wanted = [(key(number(VNI)), 1), (key(number(VNI + 1)), 3), (router, 2)];
    assert_eq!(members(&leaf), wanted);
    // In place.
    leaf.apply(object_into(42, encap(VNI)));
    assert_eq!(members(&leaf), [(key(number(VNI)), 4), (router, 2)]);
    assert_eq!(tunnels(&leaf).len(), 1);
}

#[test]
fn a_router_that_becomes_known_or_another_one_is_found_behind_its_vtep() {
    let mut leaf = routing_leaf();
    leaf.apply(neighbour(SVD, "10.0.0.2", None));
    leaf.apply(Event::Route(route_into(encap(VNI))));
    let key = members(&leaf)[0].0;
    assert_eq!(leaf.structure().nexthops[&key].destination, None);
    // The kernel's own question would have no next hop to go by.
    assert!(leaf.structure().unresolved.is_empty());
    for number in [7, 8] {
        leaf.apply(neighbour(SVD, "10.0.0.2", Some(mac(number))));
        let desired = leaf.desired();
        assert_eq!(desired.structure.nexthops[&key].destination, Some(mac(number)));
        let routers = desired.structure.routers;
        let of = Vec::from_iter(routers.keys().map(|key| key.mac));
        assert_eq!(of, [mac(number)]);
        assert!(routers.keys().all(|key| desired.fdb.contains_key(key)));
    }
}

#[test]
fn tunnels_that_cannot_be_expressed_are_the_kernels_and_named() {
    let elsewhere = |address: &str| TunnelEncap { destination: ip(address), ..encap(VNI) };
    for (said, why) in [
        (encap(0), "0 is no VNI"),
        (encap(1 << 24), "16777216 is no VNI"),
        (TunnelEncap { flags: 0x10, ..encap(VNI) }, "it has flags that are not supported (0x0010)"),
        (
            TunnelEncap { source: Some(ip("10.9.9.9")), ..encap(VNI) },
            "10.9.9.9 is no address of this box",
        ),
        (
            TunnelEncap { source: Some(ip("2001:db8::1")), ..encap(VNI) },
            "is no address of this box",
        ),
        (elsewhere("10.77.0.1"), "no route"),
        (elsewhere("10.0.0.1"), "it is an address of this box"),
        (
            TunnelEncap { source: Some(LOCAL), ..elsewhere("239.1.1.1") },
            "239.1.1.1 cannot be its other end",
        ),
    ] {
        let mut leaf = routing_leaf();
        leaf.apply(Event::Route(route_into(said)));
        leaf.assert_named("routes out of svd into VNI");
        leaf.assert_named(why);
        assert_eq!((tunnels(&leaf), members(&leaf)), (vec![], vec![]), "{why}");
    }
    let mut leaf = routing_leaf();
    leaf.policy.sources.clear();
    leaf.apply(Event::Route(route_into(encap(VNI))));
    leaf.assert_named("it is not known from which address the kernel sends to it");
    assert_eq!(members(&leaf), []);
    // To the destination itself.
    let mut leaf = routing_leaf();
    let mut route = route_into(encap(VNI));
    route.hops[0].gateway = None;
    leaf.apply(Event::Route(route));
    leaf.assert_named("routes out of svd have an encapsulation of their own");
    assert_eq!(tunnels(&leaf), []);
}

#[test]
fn interfaces_that_take_no_vni_from_next_hops_or_show_packets_to_others_leave_them_to_the_kernel() {
    let options = |change: fn(&mut Vxlan)| {
        let LinkKind::Vxlan(mut options) = svd().kind else { panic!("a vxlan device") };
        change(&mut options);
        Link { kind: LinkKind::Vxlan(options), ..svd() }
    };
    for (link, why) in [
        (link(SVD, "svd", bridge(true)), "svd is no vxlan device in external mode"),
        (options(|vxlan| vxlan.external = false), "svd is no vxlan device in external mode"),
        (options(|vxlan| vxlan.unsupported = vec!["gbp".into()]), "uses gbp"),
        (
            options(|vxlan| vxlan.source_ports = Some((50_000, 50_001))),
            "limits its UDP source ports",
        ),
        (Link { carrier: false, ..svd() }, "svd is down"),
    ] {
        let mut leaf = routing_leaf();
        leaf.apply(Event::Route(route_into(encap(VNI))));
        assert_eq!(members(&leaf).len(), 1);
        leaf.apply(Event::Link(link));
        leaf.assert_named(why);
        assert_eq!((tunnels(&leaf), members(&leaf)), (vec![], vec![]), "{why}");
        leaf.apply(Event::Link(svd()));
        assert_eq!(members(&leaf).len(), 1, "{why}");
    }
}

#[test]
fn the_way_to_a_vtep_that_only_next_hops_name_is_followed() {
    let mut leaf = routing_leaf();
    let far = ip("10.9.0.3");
    let said = TunnelEncap { source: Some(LOCAL), destination: far, ..encap(VNI) };
    // Others use both next hops as well.
    leaf.apply(route("10.8.1.0", 24, Some(11)));
    leaf.apply(route("10.8.2.0", 24, Some(12)));
    leaf.apply(Event::Route(route_into(said)));
    leaf.assert_named("no route");
    let mut way = |object, learned: Option<u32>| {
        let path = |mtu| Path { mtu: Some(mtu), learned: true, ifindex: U1, gateway: None };
        leaf.policy.learned = learned.map(|mtu| ((None, far), path(mtu))).into_iter().collect();
        leaf.apply(route("10.9.0.3", 32, Some(object)));
        let found = leaf.desired().structure.vteps[&VtepKey { local: LOCAL, remote: far }].clone();
        (found, tunnels(&leaf).len())
    };
    let ways = [11, 12].map(|object| way(object, None));
    assert!(ways.iter().all(|(group, tunnels)| group.is_some() && *tunnels == 1), "{ways:?}");
    assert_ne!(ways[0], ways[1]);
    // As long as the kernel has learned something that stands in the way, it is asked about the VTEP.
    assert_eq!(way(11, Some(600)), (None, 0));
    assert_eq!(way(12, None), ways[1]);
}

#[test]
fn a_way_that_looks_the_same_and_an_address_are_reasons_to_ask_for_the_source() {
    let mut leaf = routing_leaf();
    let far = TunnelEncap { destination: ip("10.9.0.3"), ..encap(VNI) };
    let to_far = route("10.9.0.3", 32, Some(11));
    assert!(!leaf.apply(to_far.clone()).sources, "nobody sends there");
    leaf.apply(Event::Route(route_into(far)));
    assert!(leaf.apply(to_far.clone()).sources, "it may have another source");
    assert!(!leaf.apply(route("203.0.113.0", 24, Some(11))).sources, "it leads elsewhere");
    assert!(leaf.apply(Event::AddressChanged { ifindex: U1 }).sources);
    leaf.withdraw(Event::Route(route_into(far)));
    assert!(!leaf.apply(to_far).sources);
}

#[test]
fn a_tunnel_goes_from_the_source_that_the_kernel_says_at_this_moment() {
    let mut leaf = routing_leaf();
    leaf.apply(route("10.0.0.2", 32, Some(11)));
    leaf.apply(own_address(255, "192.0.2.1", U1));
    leaf.apply(Event::Route(route_into(TunnelEncap { ttl: 9, ..encap(VNI) })));
    let question = SourceQuestion { remote: REMOTE, port: Some(PORT), over: None };
    let mut ends = |source: &str| {
        let answer = Source { address: ip(source), ifindex: U1, gateway: Some(ip("192.0.2.0")) };
        leaf.policy.sources = [(question, answer)].into();
        leaf.update(&Dirty::policy());
        let desired = leaf.desired();
        let of = |(key, place): (&FdbKey, &Target)| is_tunnel(key.domain.bridge).then_some(*place);
        desired.fdb.iter().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(ends("10.0.0.1"), [Target::Remote(VTEP)]);
    let other = VtepKey { local: ip("192.0.2.1"), ..VTEP };
    assert_eq!(ends("192.0.2.1"), [Target::Remote(other)]);
}

#[test]
fn a_bridge_that_comes_to_share_a_vtep_finds_the_way_of_next_hops_also_without_a_router() {
    let mut leaf = routing_leaf();
    let far = ip("10.9.0.3");
    let vtep = VtepKey { local: LOCAL, remote: far };
    let said = TunnelEncap { source: Some(LOCAL), destination: far, ..encap(VNI) };
    leaf.apply(neighbour(SVD, "10.0.0.2", None));
    leaf.apply(route("10.9.0.3", 32, Some(11)));
    leaf.apply(via_hops(100, "10.9.0.3/32", &[(U2, Some("fe80::52"))]));
    // What bridges send goes another way.
    let bridged =
        Rule { destination_ports: Some((4789, 4789)), ..rule(false, 99, RuleAction::Lookup(100)) };
    leaf.apply(bridged);
    leaf.apply(Event::Route(route_into(said)));
    assert!(leaf.structure().routers.is_empty(), "it is not resolved");
    assert!(leaf.structure().vteps[&vtep].is_some());
    assert_eq!(tunnels(&leaf).len(), 1);
    leaf.apply(tunnel_mac(host(3), far));
    assert_eq!(tunnels(&leaf), [], "a VTEP has one way");
    leaf.withdraw(tunnel_mac(host(3), far));
    assert_eq!(tunnels(&leaf).len(), 1);
}

#[test]
fn the_vxlan_device_is_chosen_by_its_name_and_index_as_a_port_is() {
    let pattern = |text: &str| vec![Pattern::new(text)];
    let [u, svd, h] = ["u?", "svd", "h?"].map(pattern);
    let detached = Policy { detached: [SVD].into(), ..Policy::default() };
    let denied = Policy { denied: svd.clone(), ..Policy::default() };
    let not_allowed = Policy { allowed: [u.clone(), h.clone()].concat(), ..Policy::default() };
    for (policy, why) in [
        (detached, "port svd is detached by request; `fabricctl attach svd` ends that"),
        (denied, "port svd is denied by the pattern `svd` in the settings"),
        (not_allowed, "port svd matches no allowed pattern in the settings"),
    ] {
        let mut leaf = routing_leaf();
        leaf.apply(Event::Route(route_into(encap(VNI))));
        assert_eq!(tunnels(&leaf).len(), 1);
        let before = leaf.policy.clone();
        leaf.policy = Policy { sources: before.sources.clone(), ..policy };
        leaf.replace_all();
        assert_eq!((tunnels(&leaf), members(&leaf)), (vec![], vec![]), "{why}");
        // So that what is said of its routes follows from the choice, and is no fault.
        assert_eq!(leaf.structure().declined[&SVD], why);
        leaf.assert_named(why);
        leaf.policy = before;
        leaf.replace_all();
        assert_eq!(tunnels(&leaf).len(), 1);
    }
    // All that it needs is allowed.
    let mut leaf = routing_leaf();
    leaf.apply(Event::Route(route_into(encap(VNI))));
    leaf.policy.allowed = [u, svd, h].concat();
    leaf.replace_all();
    let [(number, _)] = tunnels(&leaf)[..] else { panic!("one") };
    // The tunnel itself may find no room.
    leaf.policy.unusable = [(number, "the map ports has no free slot".into())].into();
    leaf.replace_all();
    leaf.assert_named("the map ports has no free slot");
    assert_eq!(tunnels(&leaf), []);
    assert!(!leaf.structure().declined.contains_key(&SVD), "its other tunnels may find some");
}

#[test]
fn the_way_to_a_vtep_through_another_tunnel_is_the_kernels() {
    let mut leaf = routing_leaf();
    leaf.apply(Event::Route(route_into(encap(VNI))));
    let far = TunnelEncap { destination: ip("10.5.0.9"), ..encap(VNI + 1) };
    let mut nested = route_into(far);
    nested.key.prefix = prefix("10.6.0.0/16");
    leaf.apply(Event::Route(nested));
    leaf.assert_named("leads through another tunnel or MPLS");
    assert_eq!(tunnels(&leaf).len(), 1);
}

#[test]
fn what_comes_back_finds_the_gateway_of_an_own_vni_that_no_route_leads_out_of() {
    let mut leaf = routing_leaf();
    let own = link(BR10, "", LinkKind::Device).mac.unwrap();
    leaf.apply(forwarding(false, Some(BR10), true));
    leaf.apply(BridgeMac { permanent: true, ..bridge_mac(BR10, own) });
    let place =
        |leaf: &Incremental| leaf.desired().fdb.get(&FdbKey { domain: DOMAIN, mac: own }).copied();
    assert_eq!(place(&leaf), Some(Target::Own));
    leaf.apply(Event::Route(route_into(encap(VNI))));
    assert_eq!(place(&leaf), Some(Target::Gateway(BR10)));
    leaf.withdraw(Event::Route(route_into(encap(VNI))));
    assert_eq!(place(&leaf), Some(Target::Own));
    // Of another table only what is the kernel's leads into a tunnel.
    let mut elsewhere = route_into(encap(VNI));
    elsewhere.key.table = 100;
    leaf.apply(Event::Route(elsewhere));
    leaf.apply(Event::Route(route_into(encap(0))));
    assert_eq!(place(&leaf), Some(Target::Own));
}
