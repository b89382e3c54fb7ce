//! What FRR says, as facts, of what is routed between leafs.

use std::{collections::BTreeSet, net::IpAddr};

use fabric_tests::fabric::{Fabric, PATIENCE, until};
use fabric_user::frr::facts::{HopEntry, Place, RouterEntry, VniKind};

use crate::answers;

const LEAF: &str = "leaf01";
const OTHER: &str = "leaf02";

/// Each tenant is a VRF with its L3VNI; the other leaf's router has the MAC that this one says itself; a subnet that is
/// there alone leads to it; and a host there is behind it, with MAC and addresses.
pub(crate) fn frr_has_the_vrfs_of_the_topology_and_the_routers_of_the_other_leaf(fabric: &Fabric) {
    let topology = fabric.lab().topology();
    let [red1, red2] = ["red1", "red2"].map(|name| topology.host(name).expect("drawn"));
    until(PATIENCE, "a host answers another one", || {
        crate::addresses(red2).iter().all(|address| answers(fabric, &red1.name, *address))
    });
    let vtep = IpAddr::V4(fabric.vtep(OTHER));
    let mapped = IpAddr::V6(fabric.vtep(OTHER).to_ipv6_mapped());
    // FRR writes the router of IPv6 when it hears of the first prefix.
    until(PATIENCE, "each router is one for both families", || {
        let hops = BTreeSet::from([vtep, mapped]);
        let routers = fabric.frr(LEAF).routers;
        topology.tenants.iter().all(|tenant| {
            routers.iter().any(|it| it.l3vni == tenant.vni && it.in_fdb && it.hops == hops)
        })
    });
    let [frr, other] = [LEAF, OTHER].map(|leaf| fabric.frr(leaf));
    let leaf = topology.switch(LEAF).expect("drawn");
    let tenants: Vec<_> = topology.tenants_of(leaf).collect();
    assert_eq!(frr.vrfs.len(), tenants.len(), "{:?}", frr.vrfs);
    for tenant in tenants {
        let (vrf, theirs) = (&frr.vrfs[&tenant.name], &other.vrfs[&tenant.name]);
        assert_eq!((vrf.l3vni, theirs.l3vni), (tenant.vni, tenant.vni));
        assert!(vrf.up && theirs.up, "{vrf:?} and {theirs:?}");
        let vni = &frr.vnis[&tenant.vni];
        assert_eq!((vni.kind, vni.vrf.as_ref()), (VniKind::L3, Some(&tenant.name)), "{vni:?}");
        assert_eq!((vni.router_mac, &vni.svi), (vrf.router_mac, &vrf.svi), "{vni:?}");
        assert_eq!(vrf.svi, Some(leaf.svi(tenant.vlan)));
        let of_tenant = |it: &&RouterEntry| it.l3vni == tenant.vni && it.vtep == vtep;
        let routers: Vec<_> = frr.routers.iter().filter(of_tenant).collect();
        let expected = RouterEntry {
            l3vni: tenant.vni,
            vtep,
            mac: theirs.router_mac.expect("it routes"),
            hops: BTreeSet::from([vtep, mapped]),
            in_fdb: true,
        };
        assert_eq!(routers, [&expected], "{}", tenant.name);
    }

    let red = topology.tenants.iter().find(|it| it.name == "red").expect("drawn");
    for (network, gateway) in [("10.2.0.0/24", vtep), ("fd00:2::/64", mapped)] {
        let in_red = frr.routes.iter().filter(|it| it.vrf.as_ref() == Some(&red.name));
        let route = in_red.into_iter().find(|it| it.prefix.to_string() == network);
        let route = route.unwrap_or_else(|| panic!("{network} is known"));
        assert_eq!((route.protocol.as_str(), route.installed), ("bgp", true), "{route:?}");
        let hop = HopEntry {
            gateway: Some(gateway),
            interface: Some(leaf.svi(red.vlan)),
            weight: 1,
            active: true,
            fib: true,
            onlink: true,
            ..HopEntry::default()
        };
        assert_eq!(route.hops, [hop], "{network}");
    }

    // Its leaf hears of the host's addresses when it speaks to its gateway.
    let network = red1.network().and_then(|it| topology.network(it)).expect("it is in one");
    for gateway in network.gateways() {
        let what = format!("{} answers its host", gateway.address);
        until(PATIENCE, &what, || answers(fabric, &red1.name, gateway.address));
    }
    let of_host = |address: IpAddr| {
        let neighbours = fabric.frr(OTHER).neighbours;
        neighbours.into_iter().find(|it| (it.vni, it.address) == (network.vni, address))
    };
    let place = Place::Vtep(fabric.vtep(LEAF).into());
    for address in crate::addresses(red1) {
        until(PATIENCE, &format!("{OTHER} knows {address}"), || of_host(address).is_some());
        let entry = of_host(address).expect("it is known");
        assert_eq!((entry.mac, &entry.place), (red1.end.mac, &place), "{entry:?}");
    }
    let other = fabric.frr(OTHER);
    let vni = &other.vnis[&network.vni];
    assert_eq!((vni.kind, vni.vrf.as_ref()), (VniKind::L2, Some(&red.name)), "{vni:?}");
    assert_eq!(vni.flood, BTreeSet::from([IpAddr::V4(fabric.vtep(LEAF))]));
    let entry = other.macs.iter().find(|it| (it.vni, it.mac) == (network.vni, red1.end.mac));
    assert_eq!(entry.expect("the host is known").place, place);
}
