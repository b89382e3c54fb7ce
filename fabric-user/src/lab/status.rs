//! The state of a lab, node by node.

use serde::Serialize;
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::convergence::{self, BfdPeer, BgpSummary};
use super::error::LabError;
use super::running::Lab;
use super::topology::Function;
use super::vty;

/// A whole lab.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Its name.
    pub lab: String,
    /// Base name of its topology's files.
    pub topology: String,
    /// False while `up` works, or after it crashed: take such a lab down.
    pub complete: bool,
    /// Whether everything that should be there is there.
    pub converged: bool,
    /// What is missing when it has not converged.
    pub missing: Vec<String>,
    /// Switches and servers in the order of the picture.
    pub switches: Vec<SwitchStatus>,
    /// Hosts in the order of the picture.
    pub hosts: Vec<HostStatus>,
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
    /// Its AS number.
    #[serde(rename = "as")]
    pub asn: u32,
    /// Loopback and VTEP address.
    pub vtep: Ipv4Addr,
    /// IPv6 loopback.
    pub loopback6: Option<Ipv6Addr>,
    /// Names of the services that a server announces.
    pub services: Vec<String>,
    /// Its network namespace.
    pub namespace: String,
    /// BGP sessions that are up; absent when bgpd does not answer.
    pub bgp_established: Option<usize>,
    /// BGP sessions that should be up.
    pub bgp_sessions: usize,
    /// BFD sessions that are up; absent when bfdd does not answer, or does not run.
    pub bfd_up: Option<usize>,
    /// BFD sessions that should be up.
    pub bfd_sessions: usize,
    /// EVPN routes received from all neighbours together.
    pub evpn_routes: u64,
    /// VNIs that zebra knows.
    pub vnis: Vec<u32>,
    /// MAC addresses that zebra knows, local and remote.
    pub macs: u64,
    /// State of fabric-xdpd.
    pub fabric_xdpd: DaemonState,
}

/// What fabric-xdpd does on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaemonState {
    /// Not wanted here.
    None,
    /// Its process is alive.
    Running,
    /// It was started and has ended.
    Stopped,
}

impl DaemonState {
    /// The word for tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "-",
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }
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
    /// The switch's port.
    pub port: String,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct VniSummary {
    vni: u32,
    num_macs: u64,
}

impl Lab {
    /// Asks every node.
    pub fn status(&self) -> Result<Status, LabError> {
        let state = self.state()?;
        let missing = self.missing().unwrap_or_else(|error| vec![error.with_causes()]);
        let stop = self.cancel();
        let mut switches = Vec::new();
        for switch in &self.topology().switches {
            self.go_on()?;
            let node = self.node(&switch.name)?;
            // A daemon that does not answer is part of the status, not the end of it.
            let summary: Option<BgpSummary> =
                vty::show_json(&node, "bgpd", "show bgp summary json", stop).ok();
            let vnis: HashMap<String, VniSummary> =
                vty::show_json(&node, "zebra", "show evpn vni json", stop).unwrap_or_default();
            let bfd_sessions = convergence::bfd_sessions_of(self.topology(), switch);
            let bfd: Option<Vec<BfdPeer>> = match bfd_sessions {
                0 => None,
                _ => vty::show_json(&node, "bfdd", "show bfd peers json", stop).ok(),
            };
            let evpn = summary.as_ref().and_then(|summary| summary.get("l2VpnEvpn"));
            let mut numbers: Vec<u32> = vnis.values().map(|vni| vni.vni).collect();
            numbers.sort_unstable();
            switches.push(SwitchStatus {
                node: switch.name.clone(),
                function: switch.function,
                site: switch.site.clone(),
                asn: switch.asn,
                vtep: switch.loopback,
                loopback6: switch.loopback6,
                services: self
                    .topology()
                    .services_of(&switch.name)
                    .map(|service| service.name.clone())
                    .collect(),
                namespace: node.netns().name().to_owned(),
                bgp_established: summary.as_ref().map(convergence::established),
                bgp_sessions: convergence::sessions_of(self, switch),
                bfd_up: bfd.as_deref().map(convergence::bfd_up),
                bfd_sessions,
                evpn_routes: evpn
                    .map_or(0, |evpn| evpn.peers.values().map(|peer| peer.pfx_rcd).sum()),
                vnis: numbers,
                macs: vnis.values().map(|vni| vni.num_macs).sum(),
                fabric_xdpd: match state.fabric_xdpd.get(&switch.name) {
                    None => DaemonState::None,
                    Some(process) if process.is_alive() => DaemonState::Running,
                    Some(_) => DaemonState::Stopped,
                },
            });
        }
        let mut hosts = Vec::new();
        for host in &self.topology().hosts {
            let Some(place) = state.places.get(&host.name) else {
                continue;
            };
            hosts.push(HostStatus {
                node: host.name.clone(),
                network: host.network().map(str::to_owned),
                address: host.address,
                address6: host.address6(),
                subnets: host.subnets().iter().map(|it| it.host.subnet().to_string()).collect(),
                mac: host.end.mac,
                namespace: self.node(&host.name)?.netns().name().to_owned(),
                switch: place.switch.clone(),
                port: place.port.clone(),
            });
        }
        Ok(Status {
            lab: self.name().to_owned(),
            topology: state.topology,
            complete: state.complete,
            converged: state.complete && missing.is_empty(),
            missing,
            switches,
            hosts,
        })
    }
}
