//! A fabric on paper that is as its topology says: facts of every node, and what every probe would bring.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::{
    check::{
        case::Case,
        disrupt::Trouble,
        finding::{Judged, Stop},
        inventory::Inventory,
        kinds,
        look::{Look, Seen},
        probe::{Probe, Ran},
        run::Source,
        suite::Suite,
    },
    daemon::state::State,
    facts::{
        Arrived, Fabric, Facts, Received, Room, SCHEMA,
        counted::{Both, Count, PortCount},
        held::{
            Domain, Held, Hop as HeldHop, MacKey, Place as HeldPlace, RouteKey as HeldRoute, Share,
            VtepKey, Way,
        },
    },
    frr::facts::{
        Frr, HopEntry, MacEntry, NeighbourEntry, Place, Prefixes, RouteEntry, RouterEntry, Session,
        Vni, VniKind, VrfEntry,
    },
    lab::{
        Topology,
        topology::{Host, Network, Switch},
    },
    mac::Mac,
    observe::{
        Bridge, BridgeMac, Event, Hop, Link, LinkKind, Neighbour, PortOptions, Prefix, Route,
        RouteKey, RouteKind, TunnelMac, TunnelTarget, Vxlan,
    },
};

const MAIN: u32 = 254;
const LOCAL: u32 = 255;

/// Where the files of topologies are.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies")
}

/// Names of all topologies of the repository.
pub(super) fn topologies() -> Vec<String> {
    let files = std::fs::read_dir(folder())
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        files.filter_map(|it| Some(it.strip_suffix(".dot")?.to_owned())).collect();
    names.sort();
    names
}

/// The inventory of one of them.
pub(super) fn inventory(name: &str) -> Inventory {
    Inventory::of(Topology::load(&folder().join(name)).unwrap())
}

/// That of tenants whose leafs all have a bridge for each network.
pub(super) fn plain_tenants() -> Inventory {
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    let toml = read("tenants.toml");
    let plain = toml.replace("bridges = \"vlan-aware\"\ngateways = \"vrr\"\n", "");
    let mut kept = String::new();
    let mut skips = false;
    for line in plain.lines() {
        if line.starts_with('[') {
            skips = line.ends_with(".addresses]");
        }
        if !skips {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    Inventory::of(Topology::parse("tenants", &read("tenants.dot"), &kept).unwrap())
}

/// The cases of a suite over an inventory.
pub(super) fn cases(text: &str, inventory: &Inventory) -> Vec<Case> {
    let suite =
        Suite::parse("test.check.toml", Path::new("test.check.toml"), text.to_owned()).unwrap();
    suite.cases(inventory).unwrap_or_else(|wrong| panic!("{wrong:#?}\n{text}"))
}

/// A fabric whose facts a test can change.
pub(super) struct Paper {
    pub(super) inventory: Inventory,
    /// What was counted before nothing.
    pub(super) before: BTreeMap<String, Facts>,
    pub(super) now: BTreeMap<String, Facts>,
    /// Pairs of host and address between which nothing arrives.
    pub(super) silent: BTreeSet<(String, IpAddr)>,
    /// Pairs between which something arrives that should not.
    pub(super) leaks: BTreeSet<(String, IpAddr)>,
    /// How often somebody was asked for facts.
    pub(super) asked: AtomicU32,
    /// Facts that are there only from that question on.
    pub(super) later: Mutex<Option<(u32, BTreeMap<String, Facts>)>>,
    /// How long each question for facts takes.
    pub(super) slow: Mutex<Duration>,
    /// Hosts whose answers come twice.
    pub(super) doubled: BTreeSet<String>,
    /// What streams go through.
    pub(super) trouble: Mutex<Trouble>,
    /// Nothing may be broken.
    pub(super) is_real: bool,
}

impl Paper {
    pub(super) fn of(inventory: Inventory) -> Self {
        let topology = &inventory.topology;
        let nodes = topology.switches.iter().map(|it| (it.name.clone(), node(&inventory, it)));
        let hosts = topology
            .hosts
            .iter()
            .map(|it| (it.name.clone(), Facts { schema: SCHEMA, ..Facts::default() }));
        let before: BTreeMap<String, Facts> = nodes.chain(hosts).collect();
        let mut now = before.clone();
        let vteps: Vec<String> =
            topology.switches.iter().map(|it| it.loopback.to_string()).collect();
        let mut before = before;
        for facts in before.values_mut().filter_map(|it| it.fabric.as_mut()) {
            facts.counted.ports.insert("swp1".into(), PortCount::default());
            facts.arrived.insert("swp1".into(), Arrived::default());
        }
        for facts in now.values_mut().filter_map(|it| it.fabric.as_mut()) {
            let received = BTreeMap::from([(
                "encapsulated".to_owned(),
                Count { packets: 1_000, bytes: 64_000 },
            )]);
            let count = PortCount { received, ..PortCount::default() };
            facts.counted.ports.insert("swp1".into(), count);
            let received = Received { packets: 1_000, ..Received::default() };
            facts.arrived.insert("swp1".into(), Arrived { before: received, after: received });
            let each = Count { packets: 1_000, bytes: 64_000 };
            let all = vteps.iter().map(|it| (it.clone(), Both { received: each, sent: each }));
            facts.counted.vteps = all.collect();
        }
        Self {
            before,
            now,
            silent: BTreeSet::new(),
            leaks: BTreeSet::new(),
            asked: AtomicU32::new(0),
            later: Mutex::new(None),
            slow: Mutex::default(),
            doubled: BTreeSet::new(),
            trouble: Mutex::default(),
            is_real: false,
            inventory,
        }
    }

    /// A fabric of the repository.
    pub(super) fn named(name: &str) -> Self {
        Self::of(inventory(name))
    }

    /// The facts of a node.
    pub(super) fn facts(&mut self, node: &str) -> &mut Facts {
        self.now.get_mut(node).unwrap()
    }

    pub(super) fn frr(&mut self, node: &str) -> &mut Frr {
        self.facts(node).frr.as_mut().unwrap()
    }

    pub(super) fn fabric(&mut self, node: &str) -> &mut Fabric {
        self.facts(node).fabric.as_mut().unwrap()
    }

    pub(super) fn link(&mut self, node: &str, name: &str) -> &mut Link {
        let links = self.facts(node).network.iter_mut();
        let mut links =
            links.filter_map(|it| if let Event::Link(link) = it { Some(link) } else { None });
        links.find(|it| it.name == name).unwrap()
    }

    /// What each case says.
    pub(super) fn judge(&self, cases: &[Case]) -> BTreeMap<String, Judged> {
        let seen = |facts: &BTreeMap<String, Facts>| Seen {
            facts: facts.iter().map(|(name, facts)| (name.clone(), Ok(facts.clone()))).collect(),
            ..Seen::default()
        };
        let (before, mut now) = (seen(&self.before), seen(&self.now));
        let probes: BTreeSet<&Probe> = cases.iter().flat_map(|it| &it.draft.probes).collect();
        now.answers = probes.into_iter().map(|it| (it.clone(), self.run(it))).collect();
        let look = Look::of(&now).since(Some(&before));
        cases.iter().map(|case| (case.name.clone(), (case.draft.judge)(&look))).collect()
    }

    /// Names of the cases that have not passed, with what is actual.
    pub(super) fn failing(&self, cases: &[Case]) -> Vec<(String, String)> {
        let failed = self.judge(cases).into_iter().filter_map(|(name, judged)| match judged {
            Ok(_) => None,
            Err(Stop::Failed(finding)) => Some((name, finding.actual)),
            Err(Stop::NotAsked(why)) => Some((name, format!("not asked: {why}"))),
        });
        failed.collect()
    }

    fn reaches(&self, from: &str, to: IpAddr) -> bool {
        let pair = (from.to_owned(), to);
        if self.silent.contains(&pair) {
            return false;
        }
        let topology = &self.inventory.topology;
        let Some(host) = topology.host(from) else { return true };
        let network = self.inventory.network_of(host);
        let is_own = self.inventory.gateways_of(host).contains(&to);
        let tenant = network.and_then(|it| it.tenant.as_ref());
        let is_near = topology
            .hosts
            .iter()
            .filter(|it| self.inventory.addresses_of(&it.name).contains(&to))
            .any(|it| {
                let other = self.inventory.network_of(it);
                let same = other.map(|it| &it.name) == network.map(|it| &it.name);
                same || tenant.is_some() && other.and_then(|it| it.tenant.as_ref()) == tenant
            });
        is_own || is_near || self.leaks.contains(&pair)
    }

    fn ping(&self, from: &str, to: IpAddr, size: Option<u32>, whole: bool, count: u32) -> Ran {
        let mtu = self.inventory.topology.fabric.host_mtu;
        let is_long = whole && size.is_some_and(|it| it > mtu);
        let received = if self.reaches(from, to) && !is_long { count } else { 0 };
        let errors = if is_long {
            format!("ping: local error: message too long, mtu={mtu}\n")
        } else {
            String::new()
        };
        let times = if received > 0 { "rtt min/avg/max/mdev = 0.1/0.2/0.3/0.1 ms\n" } else { "" };
        let more = if self.doubled.contains(from) { " +1 duplicates," } else { "" };
        let output = format!(
            "{count} packets transmitted, {received} received,{more} 0% packet loss, time 1ms\n{times}"
        );
        Ran { status: Some(i32::from(received == 0)), output, errors }
    }
}

impl Source for Paper {
    fn facts(&self, device: &str) -> Result<Facts, String> {
        std::thread::sleep(*self.slow.lock().unwrap());
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some((from, facts)) = &*self.later.lock().unwrap()
            && asked >= *from
        {
            return facts.get(device).cloned().ok_or_else(|| "it is not there".to_owned());
        }
        self.now.get(device).cloned().ok_or_else(|| "it is not there".to_owned())
    }

    fn run(&self, probe: &Probe) -> Result<Ran, String> {
        let topology = &self.inventory.topology;
        Ok(match probe {
            Probe::Ping { from, to, size, whole, count, .. } => {
                self.ping(from, *to, *size, *whole, *count)
            }
            Probe::Connect { from, to, .. } => match self.reaches(from, *to) {
                true => Ran {
                    status: Some(1),
                    errors: "bash: connect: Connection refused".into(),
                    ..Ran::default()
                },
                false => Ran { status: Some(124), ..Ran::default() },
            },
            Probe::Neighbour { from, of } => {
                let host = topology.host(from).unwrap();
                let network = self.inventory.network_of(host);
                let mac = network.map_or(host.switch.mac, |it| it.gateway.unwrap().mac);
                let output = format!(r#"[{{"dst":"{of}","dev":"eth0","lladdr":"{mac}"}}]"#);
                Ran { status: Some(0), output, errors: String::new() }
            }
            Probe::Failover { .. } | Probe::Migrate { .. } => {
                let trouble = self.trouble.lock().unwrap().clone();
                let output = serde_json::to_string(&trouble).unwrap();
                Ran { status: Some(0), output, errors: String::new() }
            }
            Probe::Netbox { source, devices } => {
                source.read(devices, Path::new("test.check.toml"))?
            }
            Probe::Command { run, .. } => {
                Ran { status: Some(0), output: run.join(" "), errors: String::new() }
            }
        })
    }

    fn leaves_out(&self, device: &str) -> Option<String> {
        device.starts_with("left-out").then(|| format!("{device} is left out"))
    }

    fn spares(&self) -> Option<String> {
        self.is_real.then(|| "it is real".to_owned())
    }
}

/// Collects events, with an index for each interface.
#[derive(Default)]
struct Kernel {
    events: Vec<Event>,
    indexes: BTreeMap<String, u32>,
}

impl Kernel {
    fn link(&mut self, name: &str, link: Link) -> u32 {
        let ifindex = self.indexes.len() as u32 + 1;
        self.indexes.insert(name.to_owned(), ifindex);
        let (name, up, carrier) = (name.to_owned(), true, true);
        self.events.push(Event::Link(Link { ifindex, name, up, carrier, ..link }));
        ifindex
    }

    fn route(&mut self, table: u32, prefix: Prefix, kind: RouteKind, hops: Vec<Hop>) {
        let key = RouteKey { table, prefix, source: None, tos: 0, priority: 20 };
        let route =
            Route { key, kind, protocol: 186, nexthop: None, hops, mtu: None, hop_limit: None };
        self.events.push(Event::Route(route));
    }

    fn own(&mut self, address: IpAddr) {
        self.route(LOCAL, single(address), RouteKind::Local, Vec::new());
    }
}

pub(super) fn single(address: IpAddr) -> Prefix {
    Prefix { address, length: if address.is_ipv4() { 32 } else { 128 } }
}

/// The link-local address at the other end of a port.
fn beyond(port: &str) -> IpAddr {
    let number: u16 = port.trim_start_matches(|it: char| !it.is_ascii_digit()).parse().unwrap();
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number).into()
}

/// All that a node knows.
fn node(inventory: &Inventory, node: &Switch) -> Facts {
    let topology = &inventory.topology;
    let mut kernel = Kernel::default();
    let mut frr = Frr { version: "8.4.4".into(), ..Frr::default() };
    let mut held = Held::default();
    kernel.link("lo", Link { loopback: true, mtu: 65_536, ..Link::default() });
    kernel.own(node.loopback.into());
    for link in topology.links.iter() {
        for end in [&link.a, &link.b].into_iter().filter(|it| it.node == node.name) {
            kernel.link(
                &end.port,
                Link { mtu: topology.mtu_of(link), mac: Some(end.mac), ..Link::default() },
            );
        }
    }
    for tenant in topology.tenants_of(node) {
        let kind = LinkKind::Vrf { table: tenant.table() };
        let vrf = kernel.link(&tenant.name, Link { kind, ..Link::default() });
        let mac = node.router_mac(tenant);
        let bridge = bridge(&mut kernel, &node.bridge(tenant.vlan), mac, Some(vrf));
        let local = Some(node.loopback.into());
        vxlan(&mut kernel, &node.vxlan(tenant.vni), tenant.vni, local, bridge);
        frr.vrfs.insert(
            tenant.name.clone(),
            VrfEntry { l3vni: tenant.vni, router_mac: Some(mac), up: true, ..VrfEntry::default() },
        );
        let vni = Vni {
            kind: VniKind::L3,
            vrf: Some(tenant.name.clone()),
            local,
            up: true,
            ..Vni::default()
        };
        frr.vnis.insert(tenant.vni, vni);
        for other in inventory.vteps_in(tenant).into_iter().filter(|it| it.name != node.name) {
            let (vtep, mac) = (IpAddr::V4(other.loopback), other.router_mac(tenant));
            frr.routers.push(RouterEntry {
                l3vni: tenant.vni,
                vtep,
                mac,
                hops: [vtep].into(),
                in_fdb: true,
            });
        }
    }
    for network in node.networks.iter().filter_map(|name| topology.network(name)) {
        self::network(inventory, node, network, &mut kernel, &mut frr, &mut held);
    }
    routes(inventory, node, &mut kernel, &mut frr, &mut held);
    frr.sessions = kinds::expected_sessions(topology, node)
        .into_iter()
        .map(|it| Session {
            vrf: it.vrf,
            peer: it.peer,
            name: it.neighbour,
            state: "Established".into(),
            uptime: Some(100),
            families: it
                .families
                .into_iter()
                .map(|it| (it.to_owned(), Prefixes { accepted: 5, sent: 5 }))
                .collect(),
            ..Session::default()
        })
        .collect();
    for other in &topology.switches {
        held.vteps.insert(
            VtepKey { remote: other.loopback.into(), local: node.loopback.into() },
            Way::Hops { hops: Vec::new(), resilient: false },
        );
    }
    let fabric = node.fabric_xdpd.then(|| Fabric {
        instance: node.name.clone(),
        daemon: Some(1),
        state: Some(State { synced: true, ..State::default() }),
        heartbeat_ms: Some(900),
        held,
        room: BTreeMap::from([("fdb".to_owned(), Room { used: 10, entries: 100 })]),
        ..Fabric::default()
    });
    Facts {
        schema: SCHEMA,
        host: node.name.clone(),
        kernel: "6.12.1".into(),
        version: "0.1.0".into(),
        network: kernel.events,
        frr: Some(frr),
        fabric,
        ..Facts::default()
    }
}

fn bridge(kernel: &mut Kernel, name: &str, mac: Mac, master: Option<u32>) -> u32 {
    let kind = LinkKind::Bridge(Bridge::default());
    kernel.link(name, Link { kind, mac: Some(mac), master, mtu: 1_500, ..Link::default() })
}

fn vxlan(kernel: &mut Kernel, name: &str, vni: u32, local: Option<IpAddr>, bridge: u32) -> u32 {
    let kind = LinkKind::Vxlan(Vxlan { vni, local, ..Vxlan::default() });
    let port = Some(PortOptions::default());
    kernel.link(name, Link { kind, master: Some(bridge), port, mtu: 1_500, ..Link::default() })
}

fn network(
    inventory: &Inventory,
    node: &Switch,
    network: &Network,
    kernel: &mut Kernel,
    frr: &mut Frr,
    held: &mut Held,
) {
    let topology = &inventory.topology;
    let local = Some(IpAddr::V4(node.loopback));
    let vrf = network.tenant.as_ref().and_then(|it| kernel.indexes.get(it)).copied();
    let domain = node.bridge(network.vlan);
    let bridge = bridge(kernel, &domain, node.svi_mac(network), vrf);
    let vxlan = vxlan(kernel, &node.vxlan(network.vni), network.vni, local, bridge);
    for gateway in network.gateways() {
        let hop = Hop { ifindex: bridge, gateway: None, weight: 1, encap: None, dead: false };
        kernel.route(LOCAL, single(gateway.address), RouteKind::Local, vec![hop]);
    }
    let others: Vec<IpAddr> =
        topology.other_vteps(&node.name, &network.name).map(|it| it.loopback.into()).collect();
    for vtep in &others {
        let target = TunnelTarget::Vtep { address: *vtep, port: None, vni: None, via: None };
        kernel.events.push(Event::TunnelMac(TunnelMac {
            vxlan,
            mac: Mac::ZERO,
            source_vni: None,
            target,
        }));
    }
    let flood: BTreeSet<IpAddr> = others.into_iter().collect();
    let vni = Vni {
        kind: VniKind::L2,
        local,
        flood,
        up: true,
        vxlan: Some(node.vxlan(network.vni)),
        ..Vni::default()
    };
    frr.vnis.insert(network.vni, vni);
    held.domains
        .insert(domain.clone(), Domain { vni: Some(network.vni), local, ..Domain::default() });
    for host in topology.hosts.iter().filter(|it| it.network() == Some(&network.name)) {
        station(inventory, node, network, host, [bridge, vxlan], kernel, frr, held, &domain);
    }
}

#[expect(clippy::too_many_arguments, reason = "it is a part of a function")]
fn station(
    inventory: &Inventory,
    node: &Switch,
    network: &Network,
    host: &Host,
    [bridge, vxlan]: [u32; 2],
    kernel: &mut Kernel,
    frr: &mut Frr,
    held: &mut Held,
    domain: &str,
) {
    let mac = host.end.mac;
    let is_here = host.switch.node == node.name;
    let home = IpAddr::V4(inventory.topology.switch(&host.switch.node).unwrap().loopback);
    let port = match is_here {
        true => kernel.link(
            &host.switch.port,
            Link {
                master: Some(bridge),
                mtu: 1_500,
                port: Some(PortOptions::default()),
                ..Link::default()
            },
        ),
        false => vxlan,
    };
    kernel.events.push(Event::BridgeMac(BridgeMac {
        bridge,
        vlan: 0,
        mac,
        port,
        permanent: false,
        locked: false,
        extern_learn: !is_here,
        sticky: false,
        fixed: false,
    }));
    if !is_here {
        let target = TunnelTarget::Vtep { address: home, port: None, vni: None, via: None };
        kernel.events.push(Event::TunnelMac(TunnelMac { vxlan, mac, source_vni: None, target }));
    }
    let place = match is_here {
        true => Place::Local { interface: Some(host.switch.port.clone()), vlan: None },
        false => Place::Vtep(home),
    };
    frr.macs.push(MacEntry { vni: network.vni, mac, place: place.clone(), ..MacEntry::default() });
    for address in network.host_addresses(host) {
        let neighbour = Neighbour {
            ifindex: bridge,
            address: address.address,
            mac: Some(mac),
            state: 0x40,
            extern_learn: !is_here,
            router: false,
        };
        kernel.events.push(Event::Neighbour(neighbour));
        frr.neighbours.push(NeighbourEntry {
            vni: network.vni,
            address: address.address,
            mac,
            place: place.clone(),
            active: true,
            sequence: 0,
            duplicate: false,
            gateway: false,
        });
    }
    let place = match is_here {
        true => HeldPlace::Port { port: host.switch.port.clone(), vlan: None },
        false => HeldPlace::Vtep(home),
    };
    held.macs.insert(MacKey { domain: domain.to_owned(), mac }, place);
}

/// To the loopbacks of all others, and to services.
fn routes(
    inventory: &Inventory,
    node: &Switch,
    kernel: &mut Kernel,
    frr: &mut Frr,
    held: &mut Held,
) {
    let topology = &inventory.topology;
    let others = topology.switches.iter().filter(|it| it.name != node.name);
    let loopbacks = others.map(|it| (IpAddr::V4(it.loopback), vec![it.name.as_str()]));
    let services =
        topology.services.iter().filter(|it| !it.servers.contains(&node.name)).flat_map(|it| {
            let at: Vec<&str> = it.servers.iter().map(String::as_str).collect();
            it.addresses.iter().map(move |address| (*address, at.clone()))
        });
    for (address, at) in loopbacks.chain(services) {
        let ways = topology.shortest_ways(&node.name, &at);
        if ways.is_empty() {
            continue;
        }
        let ports: Vec<&str> = ways.iter().map(|(own, _)| own.port.as_str()).collect();
        let hop = |port: &&str| {
            let template: Hop =
                serde_json::from_str(r#"{"ifindex": 0, "gateway": null, "weight": 1}"#).unwrap();
            Hop { ifindex: kernel.indexes[*port], gateway: Some(beyond(port)), ..template }
        };
        let hops: Vec<Hop> = ports.iter().map(hop).collect();
        kernel.route(MAIN, single(address), RouteKind::Unicast, hops);
        let entry = |port: &&str| HopEntry {
            gateway: Some(beyond(port)),
            interface: Some((*port).to_owned()),
            weight: 1,
            active: true,
            fib: true,
            ..HopEntry::default()
        };
        frr.routes.push(RouteEntry {
            vrf: None,
            prefix: single(address),
            protocol: "bgp".into(),
            distance: 20,
            metric: 0,
            installed: true,
            failed: false,
            hops: ports.iter().map(entry).collect(),
        });
        let of = ports.len() as u32 * 128;
        let hop = |port: &&str| HeldHop {
            port: (*port).to_owned(),
            gateway: beyond(port),
            share: Share { buckets: 128, of },
        };
        held.routes.insert(
            HeldRoute { view: "default".into(), addresses: single(address).to_string() },
            Way::Hops { hops: ports.iter().map(hop).collect(), resilient: false },
        );
    }
}
