//! What there is of a lab, and what is not as it should be: namespaces, daemons, cables, bridges,
//! addresses, sessions, acceleration, and on request pings.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

use super::acceleration::{Acceleration, DaemonState};
use super::ask::patience;
use super::convergence::{self, BfdPeer, BgpSummary};
use super::daemons;
use super::error::LabError;
use super::facts::{Interfaces, PortState};
use super::ping::Ping;
use super::running::Lab;
use super::state::State;
use super::topology::{Bridges, ControlPlane, End, Function, Host, Router, Switch, Topology};

/// A whole lab.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Its name.
    pub lab: String,
    /// Base name of its topology's files.
    pub topology: String,
    /// Who writes what the kernels forward by.
    pub control_plane: ControlPlane,
    /// False while `up` works, or after it crashed: take such a lab down.
    pub complete: bool,
    /// Whether everything is as it should be.
    pub healthy: bool,
    /// What is not, one sentence each.
    pub faults: Vec<String>,
    /// Switches and servers in the order of the picture.
    pub switches: Vec<SwitchStatus>,
    /// Hosts in the order of the picture.
    pub hosts: Vec<HostStatus>,
    /// Cables in the order of the picture, those of hosts last, where they are plugged in now.
    pub links: Vec<LinkStatus>,
    /// Answers to pings; absent unless they were asked for.
    pub pings: Option<Vec<Ping>>,
}

/// A switch or a server.
#[derive(Debug, Serialize)]
pub struct SwitchStatus {
    /// Its name.
    pub node: String,
    /// Spine, leaf, border or server.
    pub function: Function,
    /// Its site.
    pub site: String,
    /// Its AS number; 0 where nobody speaks BGP.
    #[serde(rename = "as")]
    pub asn: u32,
    /// Loopback and VTEP address.
    pub vtep: Ipv4Addr,
    /// IPv6 loopback.
    pub loopback6: Option<Ipv6Addr>,
    /// Names of the services whose addresses it has.
    pub services: Vec<String>,
    /// Its network namespace.
    pub namespace: String,
    /// FRR's daemons that should run here.
    pub daemons: Vec<FrrDaemon>,
    /// BGP sessions that are up; absent when bgpd does not answer.
    pub bgp_established: Option<usize>,
    /// BGP sessions that should be up.
    pub bgp_sessions: usize,
    /// BFD sessions that are up; absent when bfdd does not answer, or should not run.
    pub bfd_up: Option<usize>,
    /// BFD sessions that should be up.
    pub bfd_sessions: usize,
    /// EVPN routes received from all neighbours together.
    pub evpn_routes: u64,
    /// VNIs that zebra knows, or those of the tunnels that are there where nobody speaks BGP.
    pub vnis: Vec<u32>,
    /// MAC addresses that zebra knows, local and remote.
    pub macs: u64,
    /// State of fabric-xdpd.
    pub fabric_xdpd: DaemonState,
    /// Ports that carry frames and that Fabric accelerates.
    pub accelerated: usize,
    /// Ports that carry frames and that it should accelerate.
    pub accelerable: usize,
}

/// A daemon of FRR.
#[derive(Debug, Serialize)]
pub struct FrrDaemon {
    /// The daemon.
    pub name: String,
    /// Its process; absent when it does not run.
    pub pid: Option<i32>,
    /// Whether somebody stopped it, as by SIGSTOP.
    pub suspended: bool,
}

/// A host.
#[derive(Debug, Serialize)]
pub struct HostStatus {
    /// Its name.
    pub node: String,
    /// Its network; absent when its port is routed.
    pub network: Option<String>,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its IPv6 address.
    pub address6: Option<Ipv6Addr>,
    /// Subnets of its routed port.
    pub subnets: Vec<String>,
    /// Its MAC.
    pub mac: super::Mac,
    /// Its network namespace.
    pub namespace: String,
    /// The switch where it is plugged in now.
    pub switch: String,
    /// The switch's port, or its bond of several.
    pub port: String,
}

/// A cable.
#[derive(Debug, Serialize)]
pub struct LinkStatus {
    /// One end.
    pub a: EndStatus,
    /// The other end.
    pub b: EndStatus,
    /// Whether it was silenced: it has a carrier, and nothing arrives.
    pub silent: bool,
}

/// One end of a cable.
#[derive(Debug, Serialize)]
pub struct EndStatus {
    /// The node.
    pub node: String,
    /// Its port.
    pub port: String,
    /// What there is of it.
    pub state: PortState,
}

impl LinkStatus {
    /// What is wrong with it.
    pub fn complaint(&self) -> Option<String> {
        let end =
            |end: &EndStatus| Some(format!("{} {} {}", end.node, end.port, end.state.complaint()?));
        let ends: Vec<String> = [&self.a, &self.b].into_iter().filter_map(end).collect();
        match (self.silent, ends.as_slice()) {
            (false, []) => None,
            (true, []) => Some("it is silent".to_owned()),
            _ => Some(ends.join(", ")),
        }
    }

    fn fault(&self) -> Option<String> {
        let complaint = self.complaint()?;
        let (a, b) = (&self.a, &self.b);
        // What is gone cannot be switched on.
        let remedy = match [a.state, b.state].contains(&PortState::Gone) {
            true => String::new(),
            false => format!("; `fabricctl lab mend {} {}` mends it", a.node, a.port),
        };
        let (left, right) = (format!("{} {}", a.node, a.port), format!("{} {}", b.node, b.port));
        Some(format!("the link {left} -- {right} is broken: {complaint}{remedy}"))
    }
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct VniSummary {
    vni: u32,
    num_macs: u64,
}

/// A default route, of `ip -j route show default`.
#[derive(Debug, serde::Deserialize)]
struct DefaultRoute {
    gateway: Option<IpAddr>,
}

/// What gives a port its addresses and routes back.
fn anew(end: &End) -> String {
    format!("`fabricctl lab mend {} {}` writes it anew", end.node, end.port)
}

/// Which of these addresses a port does not have; none if there is no such port.
fn lost_addresses(
    interfaces: &Interfaces,
    end: &End,
    addresses: impl Iterator<Item = IpAddr>,
) -> Vec<String> {
    let End { node, port, .. } = end;
    let lost =
        addresses.filter(|&it| interfaces.get(port).is_some() && !interfaces.has_address(port, it));
    lost.map(|it| format!("{node} {port} has lost its address {it}; {}", anew(end))).collect()
}

/// What is looked at, and what was found wrong so far.
struct Survey<'a> {
    lab: &'a Lab,
    topology: Topology,
    state: State,
    interfaces: BTreeMap<String, Interfaces>,
    faults: Vec<String>,
}

impl Lab {
    /// Looks at everything; sends pings between hosts if `with_pings`.
    ///
    /// # Errors
    /// If the lab's record cannot be read, or somebody interrupts.
    pub fn status(&self, with_pings: bool) -> Result<Status, LabError> {
        self.survey()?.run(with_pings)
    }

    /// Looks at the cables alone, see [`Status::links`].
    ///
    /// # Errors
    /// As [`Self::status`].
    pub fn links(&self) -> Result<Vec<LinkStatus>, LabError> {
        Ok(self.survey()?.links())
    }

    fn survey(&self) -> Result<Survey<'_>, LabError> {
        let (state, topology) = (self.state()?, self.current_topology()?);
        let mut interfaces = BTreeMap::new();
        for node in topology.node_names() {
            self.go_on()?;
            interfaces.insert(node.to_owned(), self.interfaces(node)?);
        }
        Ok(Survey { lab: self, topology, state, interfaces, faults: Vec::new() })
    }
}

impl Survey<'_> {
    fn run(&mut self, with_pings: bool) -> Result<Status, LabError> {
        let topology = self.topology.clone();
        if !self.state.complete {
            self.faults.push(
                "it is being built, or was interrupted; `fabricctl lab down` removes it".to_owned(),
            );
        }
        for node in topology.node_names() {
            let netns = self.lab.node(node)?.netns().clone();
            if !netns.exists() {
                self.faults.push(format!("the namespace {} of {node} is gone", netns.name()));
            }
        }
        let links = self.links();
        self.faults.extend(links.iter().filter_map(LinkStatus::fault));
        let mut switches = Vec::new();
        for switch in &topology.switches {
            self.lab.go_on()?;
            self.check_switch(&topology, switch);
            switches.push(self.switch(&topology, switch)?);
        }
        let mut hosts = Vec::new();
        for host in &topology.hosts {
            self.lab.go_on()?;
            self.check_host(&topology, host)?;
            hosts.push(self.host(host)?);
        }
        let missing = match self.lab.missing(patience()) {
            Err(LabError::Interrupted) => return Err(LabError::Interrupted),
            missing => missing.unwrap_or_else(|error| vec![error.with_causes()]),
        };
        self.faults.extend(missing);
        let pings = if with_pings { Some(self.lab.ping_all(&topology)?) } else { None };
        self.faults.extend(pings.iter().flatten().filter_map(Ping::fault));
        // A daemon that does not answer is missed by several who look.
        let mut said = std::collections::HashSet::new();
        self.faults.retain(|fault| said.insert(fault.clone()));
        let faults = std::mem::take(&mut self.faults);
        Ok(Status {
            lab: self.lab.name().to_owned(),
            topology: self.state.topology.clone(),
            control_plane: topology.fabric.control_plane,
            complete: self.state.complete,
            healthy: faults.is_empty(),
            faults,
            switches,
            hosts,
            links,
            pings,
        })
    }

    fn interfaces(&self, node: &str) -> &Interfaces {
        // Every node of the topology was looked at.
        &self.interfaces[node]
    }

    fn links(&self) -> Vec<LinkStatus> {
        self.topology.cables().map(|[a, b]| self.link(a, b)).collect()
    }

    fn link(&self, a: &End, b: &End) -> LinkStatus {
        let end = |end: &End| EndStatus {
            node: end.node.clone(),
            port: end.port.clone(),
            state: self.interfaces(&end.node).state(&end.port),
        };
        let is_silent = |end: &End| {
            let interface = self.interfaces(&end.node).get(&end.port);
            interface.is_some_and(|it| self.lab.is_silent(&end.node, it.ifindex))
        };
        LinkStatus { a: end(a), b: end(b), silent: is_silent(a) || is_silent(b) }
    }

    /// Bridges, tunnels and addresses.
    fn check_switch(&mut self, topology: &Topology, switch: &Switch) {
        let node = switch.name.as_str();
        let interfaces = &self.interfaces[node];
        let mut faults = Vec::new();
        let loopbacks = [Some(IpAddr::V4(switch.loopback)), switch.loopback6.map(IpAddr::V6)];
        for address in loopbacks.into_iter().flatten() {
            if !interfaces.has_address("lo", address) {
                faults.push(format!("{node} has lost its loopback address {address}"));
            }
        }
        for service in topology.services_of(node) {
            if !service.addresses.iter().all(|&address| interfaces.has_address("lo", address)) {
                let name = &service.name;
                faults.push(format!(
                    "{node} has left service {name}; `fabricctl lab announce {name} {node}` undoes that"
                ));
            }
        }
        for network in switch.networks.iter().filter_map(|name| topology.network(name)) {
            let (bridge, vxlan) = (switch.bridge(network.vlan), switch.vxlan(network.vni));
            let routers = switch.routers(network);
            let devices = routers.iter().map(|it| &it.device).chain([&bridge, &vxlan]);
            for name in devices.collect::<BTreeSet<_>>() {
                let complaint = match interfaces.state(name) {
                    // A bridge has no carrier while its ports have none.
                    PortState::NoCarrier => None,
                    state => state.complaint(),
                };
                faults.extend(complaint.map(|complaint| format!("{node} {name} {complaint}")));
            }
            if let Some(tunnel) = interfaces.get(&vxlan) {
                let is_single = switch.bridges == Bridges::SingleVxlan;
                let vni = (!is_single).then_some(network.vni);
                let complaints = tunnel.tunnel_complaints(vni, switch.loopback);
                faults.extend(complaints.iter().map(|it| format!("{node} {vxlan} {it}")));
            }
            let members = topology.members.iter().filter(|it| it.network == network.name);
            let members = members.map(|it| &it.switch);
            let hosts = topology.hosts.iter();
            let hosts = hosts.filter(|it| it.network() == Some(network.name.as_str()));
            let ports = members.chain(hosts.map(|it| &it.switch));
            let ports = ports.filter(|it| it.node == node).map(|it| &it.port);
            for port in ports.chain([&vxlan]) {
                let interface = interfaces.get(port);
                if interface.is_some_and(|it| it.master.as_ref() != Some(&bridge)) {
                    faults.push(format!("{node} {port} is no port of {bridge}"));
                }
            }
            for Router { device, addresses } in &routers {
                let lost = addresses.iter().map(|it| it.address);
                let lost = lost.filter(|&it| !interfaces.has_address(device, it));
                if interfaces.get(device).is_some() {
                    let complaint = |it| format!("{node} {device} has lost its address {it}");
                    faults.extend(lost.map(complaint));
                }
            }
        }
        for host in topology.hosts.iter().filter(|host| host.switch.node == node) {
            let gateways = host.subnets().iter().map(|subnet| subnet.gateway);
            faults.extend(lost_addresses(interfaces, &host.switch, gateways));
        }
        if let Some(member) = topology.member(node)
            && let Some(network) = topology.network(&member.network)
        {
            let addresses = network.own_addresses(node).iter().map(|it| it.address);
            faults.extend(lost_addresses(interfaces, &member.end, addresses));
        }
        self.faults.extend(faults);
    }

    /// The address, MAC and default routes of a host.
    fn check_host(&mut self, topology: &Topology, host: &Host) -> Result<(), LabError> {
        let Host { name, end, .. } = host;
        let interfaces = &self.interfaces[name];
        let Some(interface) = interfaces.get(&end.port) else { return Ok(()) };
        let addresses = [IpAddr::V4(host.address)].into_iter();
        let addresses = addresses.chain(host.address6.map(IpAddr::V6));
        let mut faults = lost_addresses(interfaces, end, addresses);
        if interface.address != end.mac.to_string() {
            let (port, has) = (&end.port, &interface.address);
            faults.push(format!("{name} {port} has MAC {has} and not {}", end.mac));
        }
        let network = host.network().and_then(|name| topology.network(name));
        let gateways = network.into_iter().flat_map(|network| {
            let has6 = host.address6.is_some();
            network.gateways().map(|it| it.address).filter(move |it| has6 || it.is_ipv4())
        });
        for gateway in gateways.chain(host.subnets().iter().map(|it| it.gateway)) {
            let family = if gateway.is_ipv4() { "-4" } else { "-6" };
            let routes: Vec<DefaultRoute> =
                self.lab.json(name, "ip", &[family, "route", "show", "default"])?;
            if !routes.iter().any(|it| it.gateway == Some(gateway)) {
                faults.push(format!(
                    "{name} has lost its default route via {gateway}; {}",
                    anew(end)
                ));
            }
        }
        self.faults.extend(faults);
        Ok(())
    }

    fn switch(&mut self, topology: &Topology, switch: &Switch) -> Result<SwitchStatus, LabError> {
        let node = self.lab.node(&switch.name)?;
        let daemons = self.frr_daemons(topology, switch, node.netns().name());
        // A daemon that does not answer is part of the status, not the end of it.
        let summary: Option<BgpSummary> =
            self.lab.ask(&switch.name, "bgpd", "show bgp summary json", patience()).ok();
        let vnis: HashMap<String, VniSummary> = self
            .lab
            .ask(&switch.name, "zebra", "show evpn vni json", patience())
            .unwrap_or_default();
        let bfd_sessions = convergence::bfd_sessions_of(topology, switch);
        let bfd: Option<Vec<BfdPeer>> = match bfd_sessions {
            0 => None,
            _ => self.lab.ask(&switch.name, "bfdd", "show bfd peers json", patience()).ok(),
        };
        let evpn = summary.as_ref().and_then(|summary| summary.get("l2VpnEvpn"));
        let mut numbers: Vec<u32> = match topology.fabric.control_plane {
            ControlPlane::Bgp => vnis.values().map(|vni| vni.vni).collect(),
            ControlPlane::Static => self.tunnels(topology, switch),
        };
        numbers.sort_unstable();
        let process = self.state.fabric_xdpd.get(&switch.name);
        let acceleration = self.lab.acceleration(topology, switch, process)?;
        let Acceleration { daemon, ports, missing } = &acceleration;
        self.faults.extend(missing.iter().map(ToString::to_string));
        let interfaces = self.interfaces(&switch.name);
        let has_all = |addresses: &[IpAddr]| {
            addresses.iter().all(|&address| interfaces.has_address("lo", address))
        };
        let services = topology.services_of(&switch.name);
        Ok(SwitchStatus {
            node: switch.name.clone(),
            function: switch.function,
            site: switch.site.clone(),
            asn: switch.asn,
            vtep: switch.loopback,
            loopback6: switch.loopback6,
            services: services
                .filter(|service| has_all(&service.addresses))
                .map(|service| service.name.clone())
                .collect(),
            namespace: node.netns().name().to_owned(),
            daemons,
            bgp_established: summary.as_ref().map(convergence::established),
            bgp_sessions: convergence::sessions_of(topology, switch),
            bfd_up: bfd.as_deref().map(convergence::bfd_up),
            bfd_sessions,
            evpn_routes: evpn.map_or(0, |evpn| evpn.peers.values().map(|peer| peer.pfx_rcd).sum()),
            vnis: numbers,
            macs: vnis.values().map(|vni| vni.num_macs).sum(),
            fabric_xdpd: *daemon,
            accelerated: acceleration.accelerated(),
            accelerable: *ports,
        })
    }

    /// VNIs of the tunnels that are there.
    fn tunnels(&self, topology: &Topology, switch: &Switch) -> Vec<u32> {
        let interfaces = self.interfaces(&switch.name);
        let networks = switch.networks.iter().filter_map(|name| topology.network(name));
        let here = networks.filter(|it| interfaces.state(&switch.vxlan(it.vni)) == PortState::Up);
        here.map(|network| network.vni).collect()
    }

    fn frr_daemons(
        &mut self,
        topology: &Topology,
        switch: &Switch,
        namespace: &str,
    ) -> Vec<FrrDaemon> {
        let names = daemons::frr_daemons(topology);
        let all = names.into_iter().map(|name| {
            let process = daemons::frr_process(namespace, name);
            let suspended = process.as_ref().is_some_and(super::process::Process::is_suspended);
            FrrDaemon { name: name.to_owned(), pid: process.map(|it| it.pid), suspended }
        });
        let all: Vec<FrrDaemon> = all.collect();
        for FrrDaemon { name, pid, suspended } in &all {
            match pid {
                None => self.faults.push(format!("{name} on {} does not run", switch.name)),
                Some(pid) if *suspended => self.faults.push(format!(
                    "{name} on {} is suspended; `kill -CONT {pid}` wakes it",
                    switch.name
                )),
                Some(_) => {}
            }
        }
        all
    }

    fn host(&self, host: &Host) -> Result<HostStatus, LabError> {
        Ok(HostStatus {
            node: host.name.clone(),
            network: host.network().map(str::to_owned),
            address: host.address,
            address6: host.address6,
            subnets: host.subnets().iter().map(|it| it.host.subnet().to_string()).collect(),
            mac: host.end.mac,
            namespace: self.lab.node(&host.name)?.netns().name().to_owned(),
            switch: host.switch.node.clone(),
            port: host.switch.port.clone(),
        })
    }
}
