//! What FRR of a leaf says, as facts: what the topology says.
//!
//! - Each network is a VNI with its devices, its own VTEP, and all others in its flood list.
//! - A host here is at its port, one at another leaf behind its VTEP, with MAC and address.
//! - Each link has a session with what is at its other end, which carries the underlay and EVPN.
//! - The way to another leaf leads over all spines.
//! - A daemon that does not run is named, and has nothing.

use std::{collections::BTreeSet, net::IpAddr};

use fabric_tests::fabric::{Fabric, PATIENCE, until};
use fabric_user::{
    frr::facts::{MacEntry, NeighbourEntry, Place, Session, VniKind},
    lab::daemons::Frr,
};

const LEAF: &str = "leaf01";
/// A host there, one at the other leaf of the site, and one of the same network at the other site.
const HOSTS: [&str; 3] = ["app01", "app03", "app06"];

#[test]
fn frr_says_of_a_leaf_what_the_topology_says() {
    let fabric = Fabric::two_sites();
    let topology = fabric.lab().topology();
    let leaf = topology.switch(LEAF).expect("drawn");
    let gateway = topology.network("app").and_then(|it| it.gateway).expect("it has one").address;
    for host in HOSTS {
        // Its leaf hears of its address, and others from that.
        fabric.run(host, "ping", &format!("-n -q -c1 -w60 {gateway}"));
    }
    let known = || {
        let neighbours = fabric.frr(LEAF).neighbours;
        HOSTS.iter().all(|host| neighbours.iter().any(|it| it.address == fabric.address(host)))
    };
    until(PATIENCE, "FRR has all hosts as neighbours", known);
    let frr = fabric.frr(LEAF);

    let major = Frr::find().and_then(|frr| frr.major_version()).expect("FRR says its version");
    assert!(frr.version.starts_with(&format!("{major}.")), "{}", frr.version);
    assert_eq!(frr.missing.keys().collect::<Vec<_>>(), ["bfdd"], "this fabric has no BFD");

    assert_eq!(frr.vnis.len(), leaf.networks.len(), "{:?}", frr.vnis);
    for network in leaf.networks.iter().filter_map(|name| topology.network(name)) {
        let vni = &frr.vnis[&network.vni];
        assert_eq!((vni.kind, vni.up, vni.vrf.as_deref()), (VniKind::L2, true, None), "{vni:?}");
        assert_eq!(vni.vxlan, Some(leaf.vxlan(network.vni)));
        assert_eq!(vni.svi, Some(leaf.svi(network.vlan)));
        assert_eq!(vni.local, Some(IpAddr::V4(leaf.loopback)));
        let others = topology.other_vteps(LEAF, &network.name);
        let others: BTreeSet<IpAddr> = others.map(|it| it.loopback.into()).collect();
        assert_eq!((&vni.flood, &vni.vteps), (&others, &others), "VNI {}", network.vni);
    }

    let vni = topology.network("app").expect("drawn").vni;
    for name in HOSTS {
        let host = topology.host(name).expect("drawn");
        let (mac, at) = (host.end.mac, &host.switch);
        let (place, neighbour) = if at.node == LEAF {
            let place = |interface| Place::Local { interface, vlan: None };
            (place(Some(at.port.clone())), place(None))
        } else {
            let place = Place::Vtep(fabric.vtep(&at.node).into());
            (place.clone(), place)
        };
        let entry = frr.macs.iter().find(|it| (it.vni, it.mac) == (vni, mac));
        let expected = MacEntry { vni, mac, place, ..MacEntry::default() };
        assert_eq!(entry, Some(&expected), "{name}");
        let address = IpAddr::V4(host.address);
        let entry = frr.neighbours.iter().find(|it| (it.vni, it.address) == (vni, address));
        let place = neighbour;
        let expected =
            NeighbourEntry { vni, address, mac, place, active: true, ..NeighbourEntry::default() };
        assert_eq!(entry, Some(&expected), "{name}");
    }

    let links: Vec<_> = topology.links_of(LEAF).collect();
    assert_eq!(frr.sessions.len(), links.len(), "{:?}", frr.sessions);
    for (own, peer) in links {
        let session = frr.sessions.iter().find(|it| it.peer == own.port).expect("it has one");
        let remote_as = topology.switch(&peer.node).expect("drawn").asn;
        let of = |it: &Session| (it.vrf.clone(), it.name.clone(), it.remote_as, it.local_as);
        assert_eq!(of(session), (None, Some(peer.node.clone()), remote_as, leaf.asn));
        assert!(session.is_established() && session.uptime.is_some(), "{session:?}");
        for family in ["ipv4Unicast", "l2VpnEvpn"] {
            let prefixes = session.families[family];
            assert!(prefixes.accepted > 0 && prefixes.sent > 0, "{family}: {session:?}");
        }
    }

    let other = IpAddr::V4(fabric.vtep("leaf02"));
    let route = frr.routes.iter().find(|it| it.vrf.is_none() && it.prefix.address == other);
    let route = route.expect("it has one to the other leaf");
    assert_eq!((route.prefix.length, route.protocol.as_str()), (32, "bgp"));
    assert!(route.installed && route.hops.iter().all(|hop| hop.fib && hop.active), "{route:?}");
    let ports: BTreeSet<_> = route.hops.iter().filter_map(|hop| hop.interface.as_deref()).collect();
    assert_eq!(ports, BTreeSet::from(["swp1", "swp2"]));
    assert_eq!(ports.len(), topology.ecmp_width(LEAF, &["leaf02"]));

    let duplicates = frr.duplicates.expect("EVPN is on");
    assert!(duplicates.enabled && duplicates.moves > 1, "{duplicates:?}");
    // A spine has no EVPN of its own, and passes it on.
    let spine = fabric.frr("spine01");
    assert_eq!((spine.vnis.len(), spine.macs.len(), spine.duplicates), (0, 0, None));
    assert!(spine.sessions.iter().all(Session::is_established), "{:?}", spine.sessions);
}
