//! Whether a lab has converged: every fabricd alive, every BGP session up, every VTEP in the flood lists that need it,
//! and every route between VTEPs as wide as the picture says.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::daemons;
use super::error::LabError;
use super::running::Lab;
use super::tools;
use super::topology::Switch;
use super::vty;

/// How often the fabric is looked at while waiting.
const POLL: Duration = Duration::from_millis(100);

/// `show bgp summary json`: address family by name.
pub(super) type BgpSummary = HashMap<String, FamilySummary>;

/// One address family of the summary.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct FamilySummary {
    /// Neighbours by interface or address.
    pub(super) peers: HashMap<String, PeerSummary>,
}

/// One neighbour of the summary.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PeerSummary {
    /// `Established` when the session is up.
    pub(super) state: String,
    /// Routes received.
    pub(super) pfx_rcd: u64,
}

#[derive(Debug, Deserialize)]
struct FloodEntry {
    mac: String,
    ifname: String,
    dst: Option<Ipv4Addr>,
}

#[derive(Debug, Deserialize)]
struct KernelRoute {
    dst: String,
    #[serde(default)]
    nexthops: Vec<serde_json::Value>,
}

/// Number of BGP sessions that a switch has by the topology.
pub(super) fn sessions_of(lab: &Lab, switch: &Switch) -> usize {
    let topology = lab.topology();
    topology.links_of(&switch.name).count() + topology.evpn_peers(switch).count()
}

/// Number of sessions that are up in every address family that they carry.
pub(super) fn established(summary: &BgpSummary) -> usize {
    let mut up: HashMap<&str, bool> = HashMap::new();
    for (name, peer) in summary.values().flat_map(|family| &family.peers) {
        *up.entry(name).or_insert(true) &= peer.state == "Established";
    }
    up.values().filter(|&&up| up).count()
}

impl Lab {
    /// What is still missing, one sentence each; empty when the lab has converged.
    pub fn missing(&self) -> Result<Vec<String>, LabError> {
        let mut missing = Vec::new();
        for (node, fabricd) in self.state()?.fabricd {
            if !fabricd.is_alive() {
                let log = self.folder().join(format!("{node}.fabricd.log"));
                missing.push(format!("fabricd on {node} ended, {}", daemons::last_words(&log)));
            }
        }
        for switch in &self.topology().switches {
            let node = self.node(&switch.name)?;
            let summary: BgpSummary = vty::show_json(&node, "bgpd", "show bgp summary json")?;
            let (up, all) = (established(&summary), sessions_of(self, switch));
            if up < all {
                missing.push(format!("{} has {up} of {all} BGP sessions", switch.name));
            }
        }
        // Without its sessions the rest cannot be there.
        if missing.is_empty() {
            for switch in &self.topology().switches {
                if !switch.networks.is_empty() {
                    self.missing_at_vtep(switch, &mut missing)?;
                }
            }
        }
        Ok(missing)
    }

    /// Whether the lab has converged.
    pub fn converged(&self) -> Result<bool, LabError> {
        Ok(self.missing()?.is_empty())
    }

    /// Waits until the lab has converged; how long that took.
    pub fn wait_converged(&self, limit: Duration) -> Result<Duration, LabError> {
        let start = Instant::now();
        loop {
            let missing = self.missing()?;
            if missing.is_empty() {
                return Ok(start.elapsed());
            }
            if start.elapsed() > limit {
                return Err(LabError::NotConverged {
                    lab: self.name().to_owned(),
                    seconds: limit.as_secs(),
                    missing: missing.join(", "),
                });
            }
            self.go_on()?;
            std::thread::sleep(POLL);
        }
    }

    fn missing_at_vtep(&self, switch: &Switch, missing: &mut Vec<String>) -> Result<(), LabError> {
        let topology = self.topology();
        let flood: Vec<FloodEntry> = self.json(switch, "bridge", &["fdb", "show"])?;
        let routes: Vec<KernelRoute> = self.json(switch, "ip", &["-4", "route", "show"])?;
        for network in switch.networks.iter().filter_map(|name| topology.network(name)) {
            for other in topology.other_vteps(&switch.name, &network.name) {
                let floods = flood.iter().any(|entry| {
                    entry.mac == "00:00:00:00:00:00"
                        && entry.ifname == network.vxlan()
                        && entry.dst == Some(other.loopback)
                });
                if !floods {
                    missing.push(format!(
                        "{} does not flood VNI {} to {}",
                        switch.name, network.vni, other.name
                    ));
                }
                let wanted = topology.ecmp_width(&switch.name, &other.name);
                let width = routes
                    .iter()
                    .find(|route| route.dst == other.loopback.to_string())
                    // A route with one next hop has no list.
                    .map_or(0, |route| route.nexthops.len().max(1));
                if width < wanted {
                    missing.push(format!(
                        "{} has {width} of {wanted} ways to {}",
                        switch.name, other.name
                    ));
                }
            }
        }
        Ok(())
    }

    /// Runs `ip -j` or `bridge -j` on a switch.
    fn json<T: serde::de::DeserializeOwned>(
        &self,
        switch: &Switch,
        program: &str,
        arguments: &[&str],
    ) -> Result<Vec<T>, LabError> {
        let path = tools::require(program, "iproute2")?;
        let mut command = Command::new(path);
        let text = self.exec(&switch.name, command.arg("-j").args(arguments))?;
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_str(&text).map_err(|error| LabError::Command {
            command: format!("`{program} -j {}`", arguments.join(" ")),
            place: format!("node {}", switch.name),
            message: format!("its answer cannot be read: {error}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_counts_only_when_it_is_up_in_all_families() {
        let text = r#"{
            "ipv4Unicast": {"as": 1, "peers": {"swp1": {"state": "Established", "pfxRcd": 8}, "swp2": {"state": "Established"}}},
            "l2VpnEvpn": {"peers": {"swp1": {"state": "Established"}, "swp2": {"state": "Active"}, "10.0.2.1": {"state": "Established"}}}
        }"#;
        let summary: BgpSummary = serde_json::from_str(text).expect("valid");
        assert_eq!(established(&summary), 2);
    }
}
