//! Tunnels over an IPv6 underlay.

use super::world::{
    DOMAIN, U1, U2, VX10, host, ip, leaf, leaf_with, neighbour, route, tunnel_mac, vx10, vxlan,
};
use super::{
    incremental::Incremental,
    router::{own_address, rule},
    world::LOCAL,
};
use crate::{model::*, observe::*};

const LOCAL6: &str = "2001:db8::1";
const REMOTE6: &str = "2001:db8::2";

fn vtep() -> VtepKey {
    VtepKey { local: ip(LOCAL6), remote: ip(REMOTE6) }
}

/// The leaf after its vxlan device was made anew over IPv6.
fn leaf6(policy: Policy, options: Vxlan) -> Incremental {
    let mut leaf = leaf_with(policy);
    leaf.apply(own_address(255, LOCAL6, 1));
    let old = tunnel_mac(host(2), super::world::REMOTE);
    leaf.withdraw(old);
    leaf.withdraw(tunnel_mac(Mac::ZERO, super::world::REMOTE));
    leaf.apply(vx10(Vxlan { local: Some(ip(LOCAL6)), ..options }));
    leaf.apply(tunnel_mac(host(2), ip(REMOTE6)));
    leaf
}

#[test]
fn a_vtep_is_reached_by_the_routes_of_its_family() {
    let mut leaf = leaf6(Policy::default(), vxlan(10_010));
    assert_eq!(leaf.structure().vteps, [(vtep(), None)].into());
    leaf.assert_named("VTEP 2001:db8::2: no route");
    assert_eq!(leaf.place(2), Some(Target::Remote(vtep())));

    leaf.apply(route("2001:db8::", 64, Some(20)));
    let desired = leaf.structure();
    assert_eq!(desired.vteps, [(vtep(), Some(GroupKey::Object(20)))].into());
    assert_eq!(desired.groups[&GroupKey::Object(20)].members.len(), 2);
    assert_eq!(leaf.problems(), "");

    // A route of the other family to the same bits is another one.
    leaf.apply(route("0.0.0.0", 0, Some(11)));
    assert_eq!(leaf.structure().vteps[&vtep()], Some(GroupKey::Object(20)));
    leaf.apply(route(REMOTE6, 128, Some(12)));
    assert_eq!(leaf.structure().vteps[&vtep()], Some(GroupKey::Object(12)));
}

#[test]
fn nobody_looks_for_the_way_back_over_ipv6() {
    let mut leaf = leaf6(Policy::default(), vxlan(10_010));
    leaf.apply(route("2001:db8::", 64, Some(20)));
    leaf.apply(Netconf {
        v6: false,
        ifindex: None,
        forwarding: None,
        rp_filter: Some(1),
        proxy: None,
    });
    let mut other = route("::", 0, Some(12));
    other.key.table = 100;
    leaf.apply(other);
    leaf.apply(Rule {
        protocol: Some(17),
        destination_ports: Some((53, 53)),
        ..rule(true, 99, RuleAction::Lookup(100))
    });
    let structure = leaf.structure();
    assert_eq!(structure.unheard, [].into());
    assert!([U1, U2].iter().all(|port| structure.ports[port].arrivals == Arrivals::All));
    assert_eq!(leaf.problems(), "");
}

#[test]
fn a_vtep_on_the_link_is_its_own_next_hop() {
    let mut leaf = leaf6(Policy::default(), vxlan(10_010));
    leaf.apply(super::world::single(31, U2, None));
    leaf.apply(route("2001:db8::", 64, Some(31)));
    let desired = leaf.structure();
    assert!(desired.unresolved.iter().any(|hop| hop.ifindex == U2 && hop.gateway == ip(REMOTE6)));
    leaf.apply(neighbour(U2, REMOTE6, Some(Mac([2, 0, 0, 0, 0, 0x52]))));
    let desired = leaf.structure();
    assert!(desired.unresolved.iter().all(|hop| hop.gateway != ip(REMOTE6)));
    let Some(Some(group)) = desired.vteps.get(&vtep()) else { panic!("it has a group") };
    assert_eq!(desired.groups[group].members.len(), 1);
}

#[test]
fn the_devices_settings_reach_the_domain() {
    let policy = Policy { default_hop_limit: 63, default_ttl: 7, ..Policy::default() };
    let options = Vxlan { label: 0xabcde, udp6_zero_checksum_tx: true, ..vxlan(10_010) };
    let mut leaf = leaf6(policy, options.clone());
    let domain = leaf.structure().domains[&DOMAIN].clone();
    assert_eq!((domain.local, domain.ttl, domain.label), (ip(LOCAL6), 63, 0xabcde));
    assert!(domain.zero_checksum_tx && !domain.zero_checksum_rx && !domain.label_inherit);

    let options = Vxlan {
        local: Some(ip(LOCAL6)),
        label_inherit: true,
        udp6_zero_checksum_tx: false,
        udp6_zero_checksum_rx: true,
        ttl: 9,
        ..options
    };
    leaf.apply(vx10(options.clone()));
    let domain = leaf.structure().domains[&DOMAIN].clone();
    assert_eq!(domain.ttl, 9);
    assert!(!domain.zero_checksum_tx && domain.zero_checksum_rx && domain.label_inherit);

    // Over IPv4 they mean nothing.
    leaf.apply(vx10(Vxlan { local: Some(LOCAL), ..options }));
    let domain = leaf.structure().domains[&DOMAIN].clone();
    assert!(!domain.zero_checksum_rx && !domain.label_inherit && domain.label == 0);
}

/// The kernel refuses such entries; should one exist, nobody is sent anywhere.
#[test]
fn a_vtep_of_the_other_family_is_none() {
    let mut leaf = leaf();
    leaf.apply(tunnel_mac(host(2), ip(REMOTE6)));
    assert_eq!(leaf.place(2), None);
    assert!(leaf.structure().vteps.keys().all(|key| key.remote.is_ipv4()));
    let mut leaf = leaf6(Policy::default(), vxlan(10_010));
    leaf.apply(tunnel_mac(host(2), super::world::REMOTE));
    assert_eq!(leaf.place(2), None);
    for address in ["ff05::1", LOCAL6] {
        leaf.apply(tunnel_mac(host(2), ip(address)));
        assert_eq!(leaf.place(2), None, "{address}");
    }
    assert_eq!(leaf.structure().why_not(VX10).count(), 0);
}

#[test]
fn a_port_without_ipv6_is_no_way_of_a_tunnel_over_it_in_either_direction() {
    let mut leaf = leaf6(Policy::default(), vxlan(10_010));
    leaf.apply(route("2001:db8::", 64, Some(12)));
    let heard =
        |leaf: &Incremental| leaf.structure().ports.get(&U2).map(|port| port.arrivals.clone());
    assert_eq!(heard(&leaf), Some(Arrivals::All));
    leaf.policy.without_ipv6 = [U2].into();
    leaf.update(&Dirty::policy());
    assert_eq!(leaf.structure().vteps, [(vtep(), None)].into());
    assert_ne!(heard(&leaf), Some(Arrivals::All));
    leaf.assert_named("VTEP 2001:db8::2: the way leads over u2, on which IPv6 is switched off");
    leaf.policy.without_ipv6 = [U1].into();
    leaf.update(&Dirty::policy());
    assert_eq!(heard(&leaf), Some(Arrivals::All));
    assert_eq!(leaf.problems(), "");
}
