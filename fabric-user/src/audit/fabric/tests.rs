//! A box's tables in, its networks out.

use super::*;
use crate::{
    audit::networks::{parse, width},
    frr::facts::{Frr, NeighbourEntry, VrfEntry},
    observe::{
        Bridge, BridgePort, Event, Hop, Link, LinkKind, Neighbour, PortOptions, PortVlan, Route,
        RouteKey, RouteKind, Vlan, Vxlan,
    },
};

/// Facts of a box that a test makes up.
#[derive(Clone, Default)]
pub(in crate::audit) struct Made {
    events: Vec<Event>,
    routes: Vec<Event>,
    frr: Frr,
    vrfs: BTreeMap<String, (u32, u32)>,
    /// What links are members of.
    masters: BTreeMap<u32, u32>,
    next: u32,
}

impl Made {
    fn link(&mut self, name: &str, kind: LinkKind, master: Option<u32>, lower: Option<u32>) -> u32 {
        self.next += 1;
        let (ifindex, name) = (self.next, name.to_owned());
        self.masters.extend(master.map(|master| (ifindex, master)));
        self.events.push(Event::Link(Link {
            ifindex,
            name,
            kind,
            master,
            lower,
            up: true,
            ..Link::default()
        }));
        ifindex
    }

    /// A VRF with its L3VNI, if it has one.
    pub(in crate::audit) fn vrf(&mut self, name: &str, l3vni: Option<u32>) {
        let table = 1000 + self.vrfs.len() as u32;
        let device = self.link(name, LinkKind::Vrf { table }, None, None);
        self.vrfs.insert(name.into(), (device, table));
        if let Some(l3vni) = l3vni {
            let entry = VrfEntry { l3vni, ..VrfEntry::default() };
            self.frr.vrfs.insert(name.into(), entry);
            let bridge = self.bridge(&format!("br-{name}"), Some(name));
            self.tunnel(bridge, l3vni);
        }
    }

    fn bridge(&mut self, name: &str, vrf: Option<&str>) -> u32 {
        let master = vrf.map(|vrf| self.vrfs[vrf].0);
        self.link(name, LinkKind::Bridge(options(false)), master, None)
    }

    fn tunnel(&mut self, bridge: u32, vni: u32) {
        let vxlan = LinkKind::Vxlan(Vxlan { vni, ..Vxlan::default() });
        self.link(&format!("vxlan{vni}"), vxlan, Some(bridge), None);
    }

    /// A bridge with a port in a VLAN, and a tunnel if it has a VNI.
    ///
    /// # Returns
    /// The interface by which it is routed.
    pub(in crate::audit) fn network(
        &mut self,
        vid: u16,
        vni: Option<u32>,
        vrf: Option<&str>,
    ) -> u32 {
        let bridge = self.bridge(&format!("br{vid}"), vrf);
        self.link(&format!("swp1.{vid}"), vlan(vid), Some(bridge), None);
        if let Some(vni) = vni {
            self.tunnel(bridge, vni);
        }
        bridge
    }

    fn table(&self, ifindex: u32) -> (u32, u32) {
        let master = self.masters.get(&ifindex).copied();
        let vrf = self.vrfs.values().find(|(device, _)| Some(*device) == master);
        vrf.map_or((254, 255), |(_, table)| (*table, *table))
    }

    fn route(
        &mut self,
        table: u32,
        prefix: Prefix,
        kind: RouteKind,
        protocol: u8,
        hop: (u32, Option<IpAddr>),
    ) {
        let key = RouteKey { table, prefix, source: None, tos: 0, priority: 0 };
        let hop = Hop { ifindex: hop.0, gateway: hop.1, weight: 1, encap: None, dead: false };
        let (nexthop, hops, mtu, hop_limit) = (None, vec![hop], None, None);
        self.routes.push(Event::Route(Route {
            key,
            kind,
            protocol,
            nexthop,
            hops,
            mtu,
            hop_limit,
        }));
    }

    /// An address with its network, as the kernel makes routes of it.
    pub(in crate::audit) fn address(&mut self, ifindex: u32, text: &str) {
        let address = parse(text).unwrap();
        let (main, local) = self.table(ifindex);
        let host = Prefix { address: address.address, length: width(address.address) };
        self.route(local, host, RouteKind::Local, 2, (ifindex, None));
        if address.length < host.length {
            self.route(
                main,
                crate::audit::networks::normal(address),
                RouteKind::Unicast,
                2,
                (ifindex, None),
            );
        }
    }

    /// A route to another box.
    pub(in crate::audit) fn route_away(&mut self, vrf: Option<&str>, text: &str) {
        let table = vrf.map_or(254, |vrf| self.vrfs[vrf].1);
        let gateway = Some("10.255.0.1".parse().unwrap());
        self.route(table, parse(text).unwrap(), RouteKind::Unicast, 186, (99, gateway));
    }

    /// A host that the kernel has resolved.
    pub(in crate::audit) fn host(&mut self, ifindex: u32, address: &str) {
        let address: IpAddr = address.parse().unwrap();
        let mac = Some(mac_of(address));
        self.events.push(Event::Neighbour(Neighbour {
            ifindex,
            address,
            mac,
            state: 2,
            extern_learn: false,
            router: false,
        }));
    }

    /// A host that zebra knows.
    pub(in crate::audit) fn host_of_frr(&mut self, vni: u32, address: &str) {
        let address: IpAddr = address.parse().unwrap();
        let entry =
            NeighbourEntry { vni, address, mac: mac_of(address), ..NeighbourEntry::default() };
        self.frr.neighbours.push(entry);
    }

    pub(in crate::audit) fn facts(mut self) -> Facts {
        self.events.append(&mut self.routes);
        Facts { network: self.events, frr: Some(self.frr), ..Facts::default() }
    }
}

fn mac_of(address: IpAddr) -> Mac {
    Mac::derived_from(&address.to_string())
}

fn vlan(id: u16) -> LinkKind {
    LinkKind::Vlan(Vlan { id, protocol: 0x8100, maps_priorities: false })
}

const fn options(vlan_filtering: bool) -> Bridge {
    Bridge {
        vlan_filtering,
        vlan_protocol: 0x8100,
        ageing_ms: 300_000,
        stp: false,
        forward_delay_ms: 0,
        mst: false,
        promiscuity: 0,
        nf_call_ip: false,
        nf_call_ip6: false,
    }
}

/// A fabric of these boxes, each with its site.
pub(in crate::audit) fn fabric(boxes: Vec<(&str, &str, Made)>) -> Fabric {
    let facts: Vec<(String, Facts)> = boxes
        .into_iter()
        .map(|(name, site, made)| (format!("{name}@{site}"), made.facts()))
        .collect();
    let mut fabric = Fabric::of(facts.iter().map(|(name, facts)| (name.clone(), facts)));
    for leaf in &mut fabric.boxes {
        if let Some((name, site)) = leaf.name.clone().split_once('@') {
            leaf.name = name.into();
            leaf.site = Some(site.into());
        }
    }
    fabric
}

fn said(network: &Network) -> String {
    let gateways: Vec<String> = network.gateways.iter().map(ToString::to_string).collect();
    let hosts: Vec<String> = network.hosts.keys().map(ToString::to_string).collect();
    format!(
        "{} vids {:?} vni {:?} {} gateways [{}] hosts [{}]{}",
        network.name,
        network.vids,
        network.vni,
        network.vrf.as_ref().map_or_else(|| "unrouted".into(), ToString::to_string),
        gateways.join(" "),
        hosts.join(" "),
        if network.is_layer3 { " layer 3" } else { "" }
    )
}

#[test]
fn a_bridge_a_vni_has_its_vlans_by_its_ports_and_its_gateways_by_the_local_table() {
    let mut made = Made::default();
    made.vrf("red", Some(4007));
    let red = made.network(200, Some(10200), Some("red"));
    made.network(300, Some(10300), None);
    made.address(red, "10.2.0.1/24");
    made.address(red, "2001:db8:2::1/64");
    made.address(red, "fe80::1/64");
    made.host(red, "10.2.0.7");
    made.host(red, "fe80::7");
    made.host_of_frr(10300, "10.3.0.7");
    made.host_of_frr(4007, "10.0.0.2");
    let fabric = fabric(vec![("leaf1", "a", made)]);
    let networks: Vec<String> = fabric.boxes[0].networks.iter().map(said).collect();
    assert_eq!(
        networks,
        [
            "br-red vids {} vni Some(4007) VRF red gateways [] hosts [] layer 3",
            "br200 vids {200} vni Some(10200) VRF red gateways [10.2.0.1/24 2001:db8:2::1/64] \
             hosts [10.2.0.7]",
            "br300 vids {300} vni Some(10300) unrouted gateways [] hosts [10.3.0.7]",
        ]
    );
    assert_eq!(fabric.boxes[0].vrfs[&Vrf::named("red")].l3vni, Some(4007));
}

#[test]
fn a_vlan_aware_bridge_is_a_network_for_each_vlan_with_a_tunnel_or_an_interface() {
    let mut made = Made::default();
    let bridge = made.link("br0", LinkKind::Bridge(options(true)), None, None);
    let external = Vxlan { external: true, ..Vxlan::default() };
    let vxlan = made.link("vxlan0", LinkKind::Vxlan(external), Some(bridge), None);
    let single = made.link(
        "vxlan7",
        LinkKind::Vxlan(Vxlan { vni: 10007, ..Vxlan::default() }),
        Some(bridge),
        None,
    );
    let port_vlan = |id, tunnel: Option<u32>, pvid| PortVlan { id, pvid, untagged: pvid, tunnel };
    let port = |ifindex, vlans| {
        Event::BridgePort(BridgePort { ifindex, bridge, options: PortOptions::default(), vlans })
    };
    let access = made.link("swp1", LinkKind::Device, Some(bridge), None);
    made.events.extend([
        port(
            vxlan,
            vec![
                port_vlan(200, Some(10200), false),
                port_vlan(300, Some(10300), false),
                port_vlan(400, None, false),
            ],
        ),
        port(single, vec![port_vlan(7, None, true)]),
        port(access, (1..=4094).map(|id| port_vlan(id, None, id == 1)).collect()),
        Event::BridgeVlans { ifindex: bridge, vlans: vec![port_vlan(1, None, true)] },
    ]);
    let svi = made.link("vlan200", vlan(200), None, Some(bridge));
    made.address(svi, "10.2.0.2/24");
    let virtual_router = made.link("vrr200", LinkKind::Other("macvlan".into()), None, Some(svi));
    made.address(virtual_router, "10.2.0.1/32");
    let local = made.link("vlan9", vlan(9), None, Some(bridge));
    made.address(local, "10.9.0.1/24");
    let fabric = fabric(vec![("leaf1", "a", made)]);
    let networks: Vec<String> = fabric.boxes[0].networks.iter().map(said).collect();
    assert_eq!(
        networks,
        [
            "br0.7 vids {7} vni Some(10007) unrouted gateways [] hosts []",
            "br0.9 vids {9} vni None the default VRF gateways [10.9.0.1/24] hosts []",
            "br0.200 vids {200} vni Some(10200) the default VRF gateways [10.2.0.2/24 10.2.0.1/32] \
             hosts []",
            "br0.300 vids {300} vni Some(10300) unrouted gateways [] hosts []",
        ]
    );
}

#[test]
fn a_bridge_that_is_routed_elsewhere_is_in_the_vrf_that_others_say() {
    let (mut near, mut far) = (Made::default(), Made::default());
    near.network(200, Some(10200), None);
    far.vrf("red", None);
    let svi = far.network(200, Some(10200), Some("red"));
    far.address(svi, "10.2.0.1/24");
    let fabric = fabric(vec![("leaf1", "a", near), ("leaf2", "a", far)]);
    assert_eq!(fabric.boxes[0].networks[0].vrf, Some(Vrf::named("red")));
}

#[test]
fn boxes_are_at_the_sites_of_devices_of_their_names_or_where_one_says() {
    let facts = [(); 3].map(|()| Facts::default());
    let names = ["Leaf1.dc.example", "leaf2", "leaf3"];
    let mut fabric = Fabric::of(names.into_iter().map(String::from).zip(&facts));
    let mut records = Records::default();
    records.devices.insert("leaf1".into(), "Site One".into());
    records.slugs.insert("site-2".into(), "Site Two".into());
    let given = [("leaf2".to_owned(), "site-2".to_owned())].into();
    assert_eq!(fabric.place(&records, &given), ["leaf3"]);
    let sites: Vec<_> = fabric.boxes.iter().map(|leaf| leaf.site.as_deref()).collect();
    assert_eq!(sites, [Some("Site One"), Some("Site Two"), None]);
}

#[test]
fn a_vrf_has_netboxs_name_if_only_case_and_blanks_differ_or_somebody_says_so() {
    let mut made = Made::default();
    for name in ["tenant-a", "tenant-with-a-l", "v100", "own", "customer-alpha-"] {
        made.vrf(name, None);
    }
    let svi = made.network(200, None, Some("v100"));
    made.address(svi, "10.2.0.1/24");
    let mut fabric = fabric(vec![("leaf1", "a", made)]);
    let vrf = |name: &str| crate::audit::model::VrfRecord { name: name.into(), rd: None };
    let names = ["Tenant A", "Tenant with a long name", "Blue"];
    let vrfs = names.into_iter().chain(["Customer Alpha 1", "Customer Alpha 2"]).map(vrf).collect();
    let records = Records { vrfs, ..Records::default() };
    fabric.rename(&records, &[("v100".to_owned(), "Blue".to_owned())].into());
    let names: Vec<&str> = fabric.boxes[0].vrfs.keys().map(Vrf::key).collect();
    assert_eq!(names, ["Blue", "Tenant A", "Tenant with a long name", "customer-alpha-", "own"]);
    assert_eq!(fabric.boxes[0].networks[0].vrf, Some(Vrf::named("Blue")));
    assert!(fabric.boxes[0].own.contains(&(Vrf::named("Blue"), "10.2.0.1".parse().unwrap())));
}

#[test]
fn two_vrfs_that_would_have_one_name_keep_their_own() {
    let mut made = Made::default();
    for name in ["red_a", "red-a", "blue-a"] {
        made.vrf(name, None);
    }
    let mut fabric = fabric(vec![("leaf1", "a", made)]);
    let vrf = |name: &str| crate::audit::model::VrfRecord { name: name.into(), rd: None };
    let records = Records { vrfs: vec![vrf("Red A"), vrf("Blue A")], ..Records::default() };
    fabric.rename(&records, &BTreeMap::new());
    let names: Vec<&str> = fabric.boxes[0].vrfs.keys().map(Vrf::key).collect();
    assert_eq!(names, ["Blue A", "red-a", "red_a"]);
}
