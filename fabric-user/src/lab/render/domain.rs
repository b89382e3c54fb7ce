//! The bridge domains of a leaf: a VLAN with its VNI for each of its networks, and one for each tenant, by which
//! routed packets go to other leafs (L3VNI). What they are made of is the leaf's choice, see [`Bridges`].

use super::interfaces::Configuration;
use crate::lab::topology::{Bridges, Network, Prefixed, Router, Switch, Tenant, Topology};
use crate::mac::Mac;

/// The metric of a route that stands behind all others: what a VRF has no route for would otherwise be looked for
/// in the main table (the last line of "VRF" in `Documentation/networking/vrf.rst`).
const LAST_METRIC: u32 = 4_278_198_272;
/// The metric of the subnet at a virtual router, as ifupdown2 has it. The SVI has the same subnet with a smaller one:
/// by it hosts are asked for and reached, and only neighbours of an SVI are hosts to zebra
/// (`netlink_ipneigh_change`).
const VIRTUAL_METRIC: u32 = 1024;

/// A VLAN with its VNI, and what routes for it.
struct Domain<'a> {
    vlan: u16,
    vni: u32,
    /// Address of the SVI.
    mac: Mac,
    /// Whether other leafs have the same address.
    is_anycast: bool,
    /// The VRF of the SVI.
    vrf: Option<&'a str>,
    /// Ends of `ip address add` lines for the SVI.
    addresses: Vec<String>,
    /// What stands on the SVI and has the gateway in its place.
    virtual_router: Option<VirtualRouter>,
}

/// A macvlan on an SVI with the addresses and the MAC that other leafs have as well (VRR).
struct VirtualRouter {
    name: String,
    mac: Mac,
    /// Ends of `ip address add` lines.
    addresses: Vec<String>,
}

impl<'a> Domain<'a> {
    fn of_network(node: &Switch, network: &'a Network) -> Self {
        let mut routers = node.routers(network).into_iter();
        let addresses = |router: Option<Router>| router.map(|it| it.addresses).unwrap_or_default();
        let mut svi: Vec<String> =
            addresses(routers.next()).iter().map(ToString::to_string).collect();
        // What asks for a host's MAC comes from a link-local address. That of the gateway is the same on every leaf,
        // as the MAC is, and nobody has to look for a duplicate.
        let link_local = network.has_gateway6().then(|| "fe80::1/64 nodad".to_owned());
        let virtual_router = routers.next().zip(network.gateway).map(|(router, gateway)| {
            // Each leaf has them, and would find the others'.
            let shared = |it: &Prefixed| match it.address.is_ipv6() {
                true => format!("{it} metric {VIRTUAL_METRIC} nodad"),
                false => format!("{it} metric {VIRTUAL_METRIC}"),
            };
            let addresses = router.addresses.iter().map(shared).chain(link_local.clone()).collect();
            VirtualRouter { name: router.device, mac: gateway.mac, addresses }
        });
        let anycast = network.gateway.filter(|_| virtual_router.is_none());
        svi.extend(link_local.filter(|_| anycast.is_some()));
        Self {
            vlan: network.vlan,
            vni: network.vni,
            mac: node.svi_mac(network),
            is_anycast: anycast.is_some(),
            vrf: network.tenant.as_deref(),
            addresses: svi,
            virtual_router,
        }
    }

    fn of_tenant(node: &Switch, tenant: &'a Tenant) -> Self {
        let Tenant { vlan, vni, name } = tenant;
        let mac = node.router_mac(tenant);
        let (vrf, addresses) = (Some(name.as_str()), Vec::new());
        let virtual_router = None;
        Self { vlan: *vlan, vni: *vni, mac, is_anycast: false, vrf, addresses, virtual_router }
    }
}

impl Domain<'_> {
    /// The line by which its SVI makes no link-local address of its MAC: where other leafs have the same one that
    /// would be a duplicate, and where it does not route nobody asks for it.
    fn link_local(&self, svi: &str) -> Option<String> {
        let is_own = !self.is_anycast && !self.addresses.is_empty();
        (!is_own).then(|| format!("link set {svi} addrgenmode none"))
    }
}

/// Adds the VRFs and domains of a leaf to what it is configured with.
pub(super) fn add(topology: &Topology, node: &Switch, configuration: &mut Configuration) {
    for tenant in topology.tenants_of(node) {
        let (name, table) = (&tenant.name, tenant.table());
        configuration.ip.push(format!("link add name {name} type vrf table {table}"));
        configuration.ip.push(format!("link set dev {name} up"));
        configuration.ip.extend(
            ["0.0.0.0/0", "::/0"].map(|all| {
                format!("route add unreachable {all} metric {LAST_METRIC} table {table}")
            }),
        );
    }
    let networks = node.networks.iter().filter_map(|name| topology.network(name));
    let mut domains: Vec<Domain<'_>> = networks.map(|it| Domain::of_network(node, it)).collect();
    domains.extend(topology.tenants_of(node).map(|it| Domain::of_tenant(node, it)));
    let leaf = Leaf { node, mtu: topology.fabric.host_mtu };
    if node.bridges != Bridges::Plain && !domains.is_empty() {
        leaf.vlan_aware_bridge(configuration);
    }
    for domain in &domains {
        match node.bridges {
            Bridges::Plain => leaf.plain(domain, configuration),
            Bridges::VlanAware => leaf.vlan_aware(domain, configuration),
            Bridges::SingleVxlan => leaf.in_single_vxlan(domain, configuration),
        }
        if !domain.addresses.is_empty() {
            // A gratuitous ARP of a host that just arrived makes a neighbour, which FRR advertises.
            let key = format!("net.ipv4.conf.{}.arp_accept", node.svi(domain.vlan));
            configuration.sysctls_after.push((key, "1".to_owned()));
        }
        if let Some(router) = &domain.virtual_router {
            leaf.virtual_router(domain, router, configuration);
        }
    }
}

/// The leaf whose domains are made.
struct Leaf<'a> {
    node: &'a Switch,
    /// MTU of bridges and tunnels.
    mtu: u32,
}

impl Leaf<'_> {
    fn plain(&self, domain: &Domain<'_>, configuration: &mut Configuration) {
        let (bridge, mtu) = (self.node.bridge(domain.vlan), self.mtu);
        configuration.ip.extend([
            // The address is set by hand: a bridge without one would take the address of a port and change it
            // when ports come and go.
            format!("link add {bridge} address {} type bridge", domain.mac),
        ]);
        configuration.ip.extend(domain.link_local(&bridge));
        let options = format!("id {}", domain.vni);
        self.vxlan(&self.node.vxlan(domain.vni), &bridge, &options, "", configuration);
        self.route(&bridge, domain.vrf, &domain.addresses, configuration);
        configuration.ip.push(format!("link set {bridge} mtu {mtu} up"));
    }

    fn vlan_aware_bridge(&self, configuration: &mut Configuration) {
        let bridge = self.node.bridge(0);
        let mac = Mac::derived_from(&format!("{}:{bridge}", self.node.name));
        configuration.ip.extend([
            format!(
                "link add {bridge} address {mac} type bridge vlan_filtering 1 vlan_default_pvid 0"
            ),
            format!("link set {bridge} mtu {} addrgenmode none up", self.mtu),
        ]);
        if self.node.bridges == Bridges::SingleVxlan {
            let name = self.node.vxlan(0);
            self.vxlan(&name, &bridge, "external vnifilter", " vlan_tunnel on", configuration);
        }
    }

    fn vlan_aware(&self, domain: &Domain<'_>, configuration: &mut Configuration) {
        let (vxlan, vlan) = (self.node.vxlan(domain.vni), domain.vlan);
        let options = format!("id {}", domain.vni);
        self.vxlan(&vxlan, &self.node.bridge(vlan), &options, "", configuration);
        configuration.bridge.push(format!("vlan add vid {vlan} dev {vxlan} pvid untagged"));
        self.vlan_device(domain, configuration);
    }

    fn in_single_vxlan(&self, domain: &Domain<'_>, configuration: &mut Configuration) {
        let (vxlan, vlan, vni) = (self.node.vxlan(domain.vni), domain.vlan, domain.vni);
        configuration.bridge.extend([
            format!("vni add vni {vni} dev {vxlan}"),
            format!("vlan add vid {vlan} dev {vxlan}"),
            format!("vlan add vid {vlan} dev {vxlan} tunnel_info id {vni}"),
        ]);
        self.vlan_device(domain, configuration);
    }

    /// A vxlan device as port of a bridge.
    fn vxlan(
        &self,
        name: &str,
        bridge: &str,
        options: &str,
        as_port: &str,
        configuration: &mut Configuration,
    ) {
        configuration.ip.extend([
            format!(
                "link add {name} type vxlan {options} local {} dstport 4789 nolearning noudpcsum",
                self.node.loopback
            ),
            format!("link set {name} mtu {} master {bridge} addrgenmode none", self.mtu),
            // Before it is up: a MAC that the bridge learns here would stay until it ages.
            format!("link set {name} type bridge_slave learning off neigh_suppress on{as_port}"),
            format!("link set dev {name} up"),
        ]);
    }

    /// The SVI of a VLAN-aware bridge.
    fn vlan_device(&self, domain: &Domain<'_>, configuration: &mut Configuration) {
        let Domain { vlan, mac, .. } = domain;
        let (bridge, svi) = (self.node.bridge(*vlan), self.node.svi(*vlan));
        configuration.ip.extend([format!(
            "link add link {bridge} name {svi} address {mac} type vlan id {vlan}"
        )]);
        configuration.ip.extend(domain.link_local(&svi));
        self.route(&svi, domain.vrf, &domain.addresses, configuration);
        configuration.ip.push(format!("link set {svi} up"));
        configuration.bridge.extend([
            format!("vlan add vid {vlan} dev {bridge} self"),
            // The bridge's own address is another one, and what is for an address that it does not have as its
            // own it floods.
            format!("fdb add {mac} dev {bridge} vlan {vlan} self permanent"),
        ]);
    }

    /// The virtual router on an SVI that is up and has its MTU, which the macvlan takes over.
    fn virtual_router(
        &self,
        domain: &Domain<'_>,
        router: &VirtualRouter,
        configuration: &mut Configuration,
    ) {
        let VirtualRouter { name, mac, addresses } = router;
        let (svi, bridge) = (self.node.svi(domain.vlan), self.node.bridge(domain.vlan));
        configuration.ip.extend([
            format!("link add link {svi} name {name} address {mac} type macvlan mode private"),
            format!("link set {name} addrgenmode none"),
        ]);
        self.route(name, domain.vrf, addresses, configuration);
        configuration.ip.push(format!("link set {name} up"));
        let vlan = match self.node.bridges {
            Bridges::Plain => String::new(),
            Bridges::VlanAware | Bridges::SingleVxlan => format!(" vlan {}", domain.vlan),
        };
        configuration.bridge.push(format!("fdb add {mac} dev {bridge}{vlan} self permanent"));
        // Each of the two answers for its own addresses only, or hosts would hear of two MACs for one; and what the
        // leaf asks by the SVI has the SVI's address, or hosts would take its MAC for that of the gateway.
        configuration.sysctls_after.extend(
            [(&svi, "arp_ignore", "1"), (name, "arp_ignore", "1"), (&svi, "arp_announce", "2")]
                .map(|(device, key, value)| {
                    (format!("net.ipv4.conf.{device}.{key}"), value.to_owned())
                }),
        );
    }

    /// The VRF and addresses of a device that routes. It forgets IPv6 addresses when it moves into a VRF.
    fn route(
        &self,
        device: &str,
        vrf: Option<&str>,
        addresses: &[String],
        configuration: &mut Configuration,
    ) {
        configuration.ip.extend(vrf.map(|vrf| format!("link set {device} master {vrf}")));
        let addresses = addresses.iter();
        configuration.ip.extend(addresses.map(|it| format!("address add {it} dev {device}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::render;
    use crate::lab::topology::Gateways;

    /// The configuration of a leaf of `topologies/tenants`, with leaf02's bridges as given.
    fn leaf(name: &str, bridges: Bridges) -> Configuration {
        with_gateways(name, bridges, Gateways::Svi)
    }

    /// The same with leaf02's gateways as given.
    fn with_gateways(name: &str, bridges: Bridges, gateways: Gateways) -> Configuration {
        let picture = include_str!("../../../../topologies/tenants.dot");
        let inventory = include_str!("../../../../topologies/tenants.toml");
        let mut topology = Topology::parse("tenants", picture, inventory).expect("valid");
        for switch in topology.switches.iter_mut().filter(|it| it.bridges != Bridges::Plain) {
            (switch.bridges, switch.gateways) = (bridges, gateways);
        }
        render::switch(&topology, topology.switch(name).expect("drawn"))
    }

    /// That lines contain these, in this order.
    fn in_order(lines: &[String], expected: &[&str]) {
        let mut rest = lines.iter();
        for line in expected {
            assert!(rest.any(|it| it == line), "{line} is missing, or too late: {lines:#?}");
        }
    }

    #[test]
    fn a_bridge_is_in_the_vrf_of_its_tenant_before_it_has_addresses() {
        let leaf = leaf("leaf01", Bridges::VlanAware);
        in_order(
            &leaf.ip,
            &[
                "link add name red type vrf table 14001",
                "route add unreachable 0.0.0.0/0 metric 4278198272 table 14001",
                "link add br101 address 02:00:5e:00:01:01 type bridge",
                "link add vxlan10101 type vxlan id 10101 local 10.0.1.11 dstport 4789 nolearning noudpcsum",
                "link set br101 master red",
                "address add 10.1.0.1/24 dev br101",
                "address add fd00:1::1/64 dev br101",
                "address add fe80::1/64 nodad dev br101",
                "link set br101 mtu 1500 up",
                "link add vxlan54001 type vxlan id 54001 local 10.0.1.11 dstport 4789 nolearning noudpcsum",
                "link set br4001 master red",
            ],
        );
        assert!(!leaf.ip.iter().any(|it| it.starts_with("address") && it.contains("br4001")));
        assert_eq!(leaf.bridge, Vec::<String>::new());
    }

    #[test]
    fn a_vlan_aware_bridge_has_vlan_devices_whose_addresses_are_its_own() {
        let leaf = leaf("leaf02", Bridges::VlanAware);
        in_order(
            &leaf.ip,
            &[
                "link add link br0 name vlan101 address 02:00:5e:00:01:01 type vlan id 101",
                "link set vlan101 master red",
                "address add 10.1.0.1/24 dev vlan101",
                "link set dev swp11 mtu 1500 master br0 addrgenmode none up",
            ],
        );
        in_order(
            &leaf.bridge,
            &[
                "vlan add vid 101 dev vxlan10101 pvid untagged",
                "vlan add vid 101 dev br0 self",
                "fdb add 02:00:5e:00:01:01 dev br0 vlan 101 self permanent",
                "vlan add vid 101 dev swp11 pvid untagged",
            ],
        );
    }

    #[test]
    fn a_single_vxlan_device_hears_of_the_vni_of_each_vlan() {
        let leaf = leaf("leaf02", Bridges::SingleVxlan);
        let made = leaf.ip.iter().filter(|it| it.contains("type vxlan"));
        assert_eq!(
            made.collect::<Vec<_>>(),
            [
                "link add vxlan0 type vxlan external vnifilter local 10.0.1.12 dstport 4789 nolearning noudpcsum"
            ]
        );
        in_order(
            &leaf.bridge,
            &[
                "vni add vni 54001 dev vxlan0",
                "vlan add vid 4001 dev vxlan0",
                "vlan add vid 4001 dev vxlan0 tunnel_info id 54001",
            ],
        );
    }

    /// That the SVI is a router of its own, and a macvlan on it the gateway, in the VRF before it has addresses.
    fn has_virtual_router(leaf: &Configuration, svi: &str) {
        let lines = [
            "link set SVI master red",
            "address add 10.1.0.2/24 dev SVI",
            "address add fd00:1::2/64 dev SVI",
            "link add link SVI name SVI-v0 address 02:00:5e:00:01:01 type macvlan mode private",
            "link set SVI-v0 addrgenmode none",
            "link set SVI-v0 master red",
            "address add 10.1.0.1/24 metric 1024 dev SVI-v0",
            "address add fd00:1::1/64 metric 1024 nodad dev SVI-v0",
            "address add fe80::1/64 nodad dev SVI-v0",
            "link set SVI-v0 up",
        ]
        .map(|line| line.replace("SVI", svi));
        in_order(&leaf.ip, &lines.each_ref().map(String::as_str));
        for line in [
            "address add 10.1.0.1/24 dev SVI",
            "address add fe80::1/64 nodad dev SVI",
            "link set SVI addrgenmode none",
        ] {
            let line = line.replace("SVI", svi);
            assert!(!leaf.ip.contains(&line), "{line} is another form's: {:#?}", leaf.ip);
        }
        for (key, value) in [
            ("SVI.arp_accept", "1"),
            ("SVI.arp_ignore", "1"),
            ("SVI.arp_announce", "2"),
            ("SVI-v0.arp_ignore", "1"),
        ] {
            let key = format!("net.ipv4.conf.{}", key.replace("SVI", svi));
            let set = (key, value.to_owned());
            assert!(leaf.sysctls_after.contains(&set), "{set:?}: {:#?}", leaf.sysctls_after);
        }
    }

    #[test]
    fn a_virtual_router_stands_on_an_svi_with_an_address_and_a_mac_of_its_own() {
        for bridges in [Bridges::VlanAware, Bridges::SingleVxlan] {
            let leaf = with_gateways("leaf02", bridges, Gateways::Vrr);
            has_virtual_router(&leaf, "vlan101");
            let own = Mac::derived_from("leaf02:red-web");
            in_order(
                &leaf.ip,
                &[&format!("link add link br0 name vlan101 address {own} type vlan id 101")],
            );
            in_order(
                &leaf.bridge,
                &[
                    &format!("fdb add {own} dev br0 vlan 101 self permanent"),
                    "fdb add 02:00:5e:00:01:01 dev br0 vlan 101 self permanent",
                ],
            );
        }
    }

    #[test]
    fn a_virtual_router_on_a_plain_bridge_is_known_to_it_and_has_its_mtu() {
        let leaf = with_gateways("leaf02", Bridges::Plain, Gateways::Vrr);
        has_virtual_router(&leaf, "br101");
        let own = Mac::derived_from("leaf02:red-web");
        in_order(
            &leaf.ip,
            &[
                &format!("link add br101 address {own} type bridge"),
                "link set br101 mtu 1500 up",
                "link add link br101 name br101-v0 address 02:00:5e:00:01:01 type macvlan mode private",
            ],
        );
        in_order(&leaf.bridge, &["fdb add 02:00:5e:00:01:01 dev br101 self permanent"]);
    }

    #[test]
    fn an_l3vni_has_no_virtual_router() {
        let leaf = with_gateways("leaf02", Bridges::VlanAware, Gateways::Vrr);
        assert!(leaf.ip.iter().any(|it| it.contains(" name vlan4001 ")), "{:#?}", leaf.ip);
        assert!(!leaf.ip.iter().any(|it| it.contains("vlan4001-v0")), "{:#?}", leaf.ip);
    }
}
