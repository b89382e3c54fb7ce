//! Whether Fabric forwards what it should: what each fabric-xdpd says of itself, and the programs that the
//! kernel has on the ports.

use std::fmt;

use super::daemons;
use super::error::LabError;
use super::facts::PortState;
use super::process::Process;
use super::running::Lab;
use super::topology::{Switch, Topology};
use crate::daemon::state::State;
use crate::kernel::maps::Maps;
use crate::kernel::pins::Instance;

/// Something that should be accelerated and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unaccelerated {
    /// The node.
    pub node: String,
    /// The port; none if it is about the whole node, or about something beyond it.
    pub port: Option<String>,
    /// Why, and what to do.
    pub why: String,
    /// The daemon has said so, and waiting will not change it.
    pub is_settled: bool,
}

impl fmt::Display for Unaccelerated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.port {
            Some(port) => write!(f, "{} {port} is not accelerated: {}", self.node, self.why),
            None => write!(f, "{}: {}", self.node, self.why),
        }
    }
}

/// What fabric-xdpd does on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaemonState {
    /// Not wanted here.
    None,
    /// It runs, and its maps hold what its kernel has.
    InSync,
    /// It runs, and reads what its kernel has.
    Reading,
    /// Somebody stopped its process, as by SIGSTOP.
    Suspended,
    /// It was started and has ended.
    Ended,
}

impl DaemonState {
    /// The words for tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "-",
            Self::InSync => "in sync",
            Self::Reading => "reading",
            Self::Suspended => "suspended",
            Self::Ended => "ended",
        }
    }
}

/// A node's fabric-xdpd.
#[derive(Debug)]
pub(super) struct Acceleration {
    pub(super) daemon: DaemonState,
    /// Ports that should be accelerated: those that carry frames.
    pub(super) ports: usize,
    /// What is not accelerated, ports first.
    pub(super) missing: Vec<Unaccelerated>,
}

impl Acceleration {
    /// Number of ports that are accelerated.
    pub(super) fn accelerated(&self) -> usize {
        let not: Vec<_> = self.missing.iter().filter_map(|it| it.port.as_ref()).collect();
        if matches!(self.daemon, DaemonState::InSync | DaemonState::Reading) {
            self.ports.saturating_sub(not.len())
        } else {
            0
        }
    }
}

/// The ports of a switch that fabric-xdpd is to accelerate: of links, servers in networks, then of hosts, where a bond stands for its
/// cables.
pub(super) fn ports<'a>(
    topology: &'a Topology,
    switch: &'a Switch,
) -> impl Iterator<Item = &'a str> {
    let links = topology.links_of(&switch.name).map(|(own, _)| own.port.as_str());
    let members = topology.members.iter().filter(|it| it.switch.node == switch.name);
    let members = members.map(|it| it.switch.port.as_str());
    let hosts = topology.hosts.iter().filter(|host| host.switch.node == switch.name);
    links.chain(members).chain(hosts.map(|host| host.switch.port.as_str()))
}

impl Lab {
    /// Whatever should be accelerated and is not. Ports without a carrier and those that a person left to
    /// the kernel are none of it.
    ///
    /// # Errors
    /// If a node cannot be looked at.
    pub fn unaccelerated(&self) -> Result<Vec<Unaccelerated>, LabError> {
        let (state, topology) = (self.state()?, self.current_topology()?);
        let mut all = Vec::new();
        for switch in &topology.switches {
            let process = state.fabric_xdpd.get(&switch.name);
            all.extend(self.acceleration(&topology, switch, process)?.missing);
        }
        Ok(all)
    }

    /// How it stands with a node whose fabric-xdpd is `process`.
    pub(super) fn acceleration(
        &self,
        topology: &Topology,
        switch: &Switch,
        process: Option<&Process>,
    ) -> Result<Acceleration, LabError> {
        let node = switch.name.as_str();
        let Some(process) = process else {
            return Ok(Acceleration { daemon: DaemonState::None, ports: 0, missing: Vec::new() });
        };
        let instance = self.instance(node);
        let state = daemons::state_of(&instance, process);
        let daemon = match &state {
            _ if !process.is_alive() => DaemonState::Ended,
            _ if process.is_suspended() => DaemonState::Suspended,
            Some(state) if state.synced => DaemonState::InSync,
            _ => DaemonState::Reading,
        };
        let mut missing = Vec::new();
        let mut say = |port: Option<&str>, why: String, is_settled: bool| {
            let (node, port) = (node.to_owned(), port.map(str::to_owned));
            missing.push(Unaccelerated { node, port, why, is_settled });
        };
        match daemon {
            DaemonState::None | DaemonState::InSync => {}
            DaemonState::Ended => {
                let words = daemons::last_words(&self.log_of(node));
                say(None, format!("fabric-xdpd has ended; {words}"), true);
            }
            DaemonState::Suspended => {
                let why = format!(
                    "fabric-xdpd is suspended, and the kernel forwards; `kill -CONT {}` wakes it",
                    process.pid
                );
                say(None, why, true);
            }
            DaemonState::Reading => {
                let trouble = state.as_ref().and_then(|state| state.trouble.clone());
                let trouble = trouble.map(|it| format!(": {it}")).unwrap_or_default();
                say(None, format!("fabric-xdpd is not in sync with its kernel{trouble}"), false);
            }
        }
        let state = state.unwrap_or_default();
        if state.detached {
            say(None, "everything is detached; `fabricctl attach` ends that".to_owned(), true);
        } else if has_bypass(&instance) {
            say(None, "the bypass is on; `fabricctl bypass off` ends that".to_owned(), true);
        }
        let interfaces = self.interfaces(node)?;
        let mut number = 0;
        for port in ports(topology, switch) {
            let interface = match interfaces.get(port) {
                Some(it) if interfaces.state(port) == PortState::Up => it,
                _ => continue,
            };
            if state.chosen.contains(port) || self.is_silent(node, interface.ifindex) {
                continue;
            }
            number += 1;
            if let Some(why) = state.declined.get(port) {
                say(Some(port), reason(topology, node, port, why), true);
            } else if interface.program().is_none() {
                say(Some(port), "no program is on it".to_owned(), false);
            } else if let Some(partly) = state.partly.get(port) {
                say(Some(port), partly.join("; "), true);
            }
        }
        for problem in beyond_ports(&state) {
            say(None, problem.clone(), true);
        }
        for neighbour in &state.unresolved {
            say(None, format!("its neighbour {neighbour} does not answer"), false);
        }
        Ok(Acceleration { daemon, ports: number, missing })
    }
}

fn has_bypass(instance: &str) -> bool {
    let maps = Instance::new(instance).ok().and_then(|it| Maps::open(&it, false).ok());
    maps.is_some_and(|maps| maps.settings.get(0).bypass != 0)
}

/// What is left to the kernel and does not follow from a port that is.
fn beyond_ports(state: &State) -> impl Iterator<Item = &String> {
    state.problems.iter().filter(|problem| {
        let follows = state.declined.values().any(|why| problem.contains(why.as_str()));
        !follows && !state.partly.values().flatten().any(|said| said == *problem)
    })
}

/// The daemon's reason without what is said anyway, and for MTUs what to do in a lab.
fn reason(topology: &Topology, node: &str, port: &str, why: &str) -> String {
    let prefix = format!("port {port} is left to the kernel: ");
    let why = why.strip_prefix(&prefix).unwrap_or(why);
    if !why.contains("MTU is too large") {
        return why.to_owned();
    }
    let links = topology.links.iter();
    let link = links.flat_map(|link| [(&link.a, link), (&link.b, link)]);
    let mut link = link.filter(|(end, _)| end.node == node && end.port == port);
    let mtu = link.next().map_or(topology.fabric.host_mtu, |(_, link)| topology.mtu_of(link));
    let key = if mtu == topology.fabric.host_mtu { "host_mtu" } else { "underlay_mtu" };
    format!(
        "its MTU of {mtu} is too large: the links of a lab are veth devices, which take XDP programs with \
         about 3,500 bytes at most; lower {key} in {}.toml",
        topology.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_a_port_is_said_once() {
        let why = "port swp1 is left to the kernel: its MTU is too large for the driver".to_owned();
        let state = State {
            declined: [("swp1".to_owned(), why.clone())].into(),
            partly: [("swp2".to_owned(), vec!["port swp2: rp_filter".to_owned()])].into(),
            problems: vec![
                format!("VTEP 10.0.0.1: {why}"),
                "port swp2: rp_filter".to_owned(),
                "bridge br1 is promiscuous".to_owned(),
            ],
            ..State::default()
        };
        assert_eq!(beyond_ports(&state).collect::<Vec<_>>(), ["bridge br1 is promiscuous"]);
    }
}
