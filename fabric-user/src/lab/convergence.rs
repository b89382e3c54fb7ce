//! Whether a lab has converged: every fabric-xdpd in sync, every BGP and BFD session up, every VTEP in the
//! flood lists that need it, and every route as wide as the picture says: between VTEPs, to IPv6
//! loopbacks, to servers and services, to the subnets of routed ports and to those of tenants.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::daemons;
use super::error::LabError;
use super::ready::asking_ends;
use super::running::Lab;
use super::topology::{ControlPlane, Function, Network, Prefixed, Station, Switch, Topology};

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

/// An entry of a bridge or of a vxlan device, of `bridge -j fdb show`.
#[derive(Debug, Deserialize)]
struct FloodEntry {
    mac: String,
    ifname: String,
    /// The VTEP, in an entry of the vxlan device.
    dst: Option<Ipv4Addr>,
    /// The VNI, in an entry of a single vxlan device.
    src_vni: Option<u32>,
    /// The bridge, in an entry of it.
    master: Option<String>,
}

/// `ip -j neigh show`, one neighbour.
#[derive(Debug, Deserialize)]
struct Neighbour {
    dst: IpAddr,
    dev: String,
    lladdr: Option<String>,
}

#[derive(Debug, Deserialize)]
struct KernelRoute {
    dst: String,
    #[serde(default)]
    nexthops: Vec<serde_json::Value>,
}

/// `show bfd peers json`, one session.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BfdPeer {
    /// `up` when both ends hear each other.
    status: String,
}

/// Number of BFD sessions that a switch has by the topology: one a link, and one for each BGP session inside a
/// network, when BFD runs.
pub(super) fn bfd_sessions_of(topology: &Topology, switch: &Switch) -> usize {
    let all = || topology.links_of(&switch.name).count() + topology.sessions_inside(switch).len();
    topology.fabric.bfd.map_or(0, |_| all())
}

/// Number of BFD sessions that are up.
pub(super) fn bfd_up(peers: &[BfdPeer]) -> usize {
    peers.iter().filter(|peer| peer.status == "up").count()
}

/// Number of BGP sessions that a switch has by the topology.
pub(super) fn sessions_of(topology: &Topology, switch: &Switch) -> usize {
    if topology.fabric.control_plane == ControlPlane::Static {
        return 0;
    }
    topology.links_of(&switch.name).count()
        + topology.evpn_peers(switch).count()
        + topology.sessions_inside(switch).len()
}

/// Number of sessions that are up in every address family that they carry.
pub(super) fn established(summary: &BgpSummary) -> usize {
    let mut up: HashMap<&str, bool> = HashMap::new();
    for (name, peer) in summary.values().flat_map(|family| &family.peers) {
        *up.entry(name).or_insert(true) &= peer.state == "Established";
    }
    up.values().filter(|&&up| up).count()
}

/// Something that nodes have to have a route to.
struct Destination<'a> {
    prefix: Prefixed,
    /// Names of the nodes that announce it.
    at: Vec<&'a str>,
}

impl Destination<'_> {
    /// Whether `ip` writes the destination like that: without the length if it is a single address.
    fn is_written(&self, dst: &str) -> bool {
        match self.prefix.length {
            0 => dst == "default",
            _ if self.prefix.is_host() => dst.parse() == Ok(self.prefix.address),
            _ => dst.parse() == Ok(self.prefix),
        }
    }
}

/// What the underlay and providers carry besides the way to VTEPs. Without a control plane everything is written
/// everywhere.
fn routed_destinations(topology: &Topology) -> Vec<Destination<'_>> {
    if topology.fabric.control_plane == ControlPlane::Static {
        let all = topology.destinations().into_iter();
        return all.map(|(prefix, at)| Destination { prefix, at }).collect();
    }
    // Of a server in a network nobody hears but of its services.
    let nodes = topology.switches.iter().filter(|it| topology.member(&it.name).is_none());
    let nodes = nodes.flat_map(|node| {
        let server = (node.function == Function::Server).then_some(IpAddr::V4(node.loopback));
        let loopbacks = server.into_iter().chain(node.loopback6.map(IpAddr::V6));
        let at = node.name.as_str();
        loopbacks
            .map(move |address| Destination { prefix: Prefixed::single(address), at: vec![at] })
    });
    let services = topology.services.iter().flat_map(|service| {
        let at: Vec<&str> = service.servers.iter().map(String::as_str).collect();
        let addresses = service.addresses.iter();
        addresses
            .map(move |&address| Destination { prefix: Prefixed::single(address), at: at.clone() })
    });
    let subnets = topology.hosts.iter().flat_map(|host| {
        let at = host.switch.node.as_str();
        let subnets = host.subnets().iter();
        subnets.map(move |it| Destination { prefix: it.host.subnet(), at: vec![at] })
    });
    let mut announced: BTreeMap<Prefixed, Vec<&str>> = BTreeMap::new();
    for node in &topology.switches {
        for prefix in &node.announces {
            announced.entry(*prefix).or_default().push(&node.name);
        }
    }
    let announced = announced.into_iter().map(|(prefix, at)| Destination { prefix, at });
    nodes.chain(services).chain(subnets).chain(announced).collect()
}

/// MACs and neighbours of hosts and SVIs that somebody should have written and that are not there: the leaf's bridge
/// has the MACs of what is at other leafs at its tunnel, and the tunnel has them behind their leafs.
fn missing_entries(
    topology: &Topology,
    switch: &Switch,
    fdb: &[FloodEntry],
    neighbours: &[Neighbour],
) -> Vec<String> {
    let node = switch.name.as_str();
    let mut missing = Vec::new();
    for network in switch.networks.iter().filter_map(|name| topology.network(name)) {
        let (bridge, vxlan) = (switch.svi(network.vlan), switch.vxlan(network.vni));
        for Station { name, address, mac, at } in topology.stations(network, node) {
            let mac = mac.to_string();
            let is_neighbour = |it: &Neighbour| {
                it.dst == address && it.dev == bridge && it.lladdr.as_ref() == Some(&mac)
            };
            if !neighbours.iter().any(is_neighbour) {
                missing.push(format!(
                    "{node} does not have {address} of {name} as neighbour at {bridge}"
                ));
            }
            if at == node {
                continue;
            }
            let leaf = topology.switch(at).map(|leaf| leaf.loopback);
            let at_tunnel = || fdb.iter().filter(|it| it.mac == mac && it.ifname == vxlan);
            if !at_tunnel().any(|it| it.dst == leaf) {
                missing.push(format!("{node} does not have {name} behind {at}"));
            }
            if !at_tunnel().any(|it| it.master.as_ref() == Some(&bridge)) {
                missing.push(format!("{node} does not have {name} at {vxlan} in {bridge}"));
            }
        }
    }
    missing
}

impl Lab {
    /// What routes, tunnels, sessions and ports of bonds are still missing, one sentence each.
    /// No daemon is asked later than `deadline`.
    pub(super) fn missing(&self, deadline: Instant) -> Result<Vec<String>, LabError> {
        let mut missing = Vec::new();
        for switch in &self.topology().switches {
            match self.missing_sessions(switch, deadline, &mut missing) {
                Err(error @ LabError::Vty { .. }) => missing.push(error.with_causes()),
                result => result?,
            }
        }
        // Without its sessions the rest cannot be there.
        if missing.is_empty() {
            let routed = routed_destinations(self.topology());
            for switch in &self.topology().switches {
                if !switch.networks.is_empty() {
                    self.missing_at_vtep(switch, &mut missing)?;
                    self.missing_in_tenants(switch, &mut missing)?;
                }
                self.missing_routes(switch, &routed, &mut missing)?;
            }
        }
        self.missing_in_bonds(self.topology(), &mut missing)?;
        Ok(missing)
    }

    fn missing_sessions(
        &self,
        switch: &Switch,
        deadline: Instant,
        missing: &mut Vec<String>,
    ) -> Result<(), LabError> {
        let node = switch.name.as_str();
        if sessions_of(self.topology(), switch) == 0 {
            return Ok(());
        }
        let summary: BgpSummary = self.ask(node, "bgpd", "show bgp summary json", deadline)?;
        let (up, all) = (established(&summary), sessions_of(self.topology(), switch));
        if up < all {
            missing.push(format!("{node} has {up} of {all} BGP sessions"));
        }
        let all = bfd_sessions_of(self.topology(), switch);
        if all > 0 {
            let peers: Vec<BfdPeer> = self.ask(node, "bfdd", "show bfd peers json", deadline)?;
            let up = bfd_up(&peers);
            if up < all {
                missing.push(format!("{node} has {up} of {all} BFD sessions"));
            }
        }
        Ok(())
    }

    /// Waits until the lab has converged; how long that took.
    ///
    /// # Errors
    /// As [`Lab::wait_ready`].
    pub fn wait_converged(&self, limit: Duration) -> Result<Duration, LabError> {
        let start = Instant::now();
        loop {
            let state = self.state()?;
            self.check_daemons(&state)?;
            let mut missing = self.missing(asking_ends(limit.saturating_sub(start.elapsed())))?;
            for (node, process) in state.fabric_xdpd {
                if !daemons::state_of(&self.instance(&node), &process).is_some_and(|it| it.synced) {
                    missing.push(format!("fabric-xdpd on {node} is not in sync with its kernel"));
                }
            }
            self.go_on()?;
            if missing.is_empty() {
                return Ok(start.elapsed());
            }
            if start.elapsed() > limit {
                return Err(self.not_ready(limit, &missing));
            }
            std::thread::sleep(POLL);
        }
    }

    fn missing_at_vtep(&self, switch: &Switch, missing: &mut Vec<String>) -> Result<(), LabError> {
        let topology = &self.current_topology()?;
        let flood: Vec<FloodEntry> = self.json(&switch.name, "bridge", &["fdb", "show"])?;
        for network in switch.networks.iter().filter_map(|name| topology.network(name)) {
            for other in topology.other_vteps(&switch.name, &network.name) {
                let floods = flood.iter().any(|entry| {
                    entry.mac == "00:00:00:00:00:00"
                        && entry.ifname == switch.vxlan(network.vni)
                        && entry.src_vni.is_none_or(|vni| vni == network.vni)
                        && entry.dst == Some(other.loopback)
                });
                if !floods {
                    missing.push(format!(
                        "{} does not flood VNI {} to {}",
                        switch.name, network.vni, other.name
                    ));
                }
            }
        }
        // BGP brings the MACs and neighbours of hosts that have spoken.
        if topology.fabric.control_plane == ControlPlane::Static {
            let neighbours = self.json(&switch.name, "ip", &["-4", "neigh", "show"])?;
            missing.extend(missing_entries(topology, switch, &flood, &neighbours));
        }
        let vteps: BTreeSet<&str> = switch
            .networks
            .iter()
            .flat_map(|network| topology.other_vteps(&switch.name, network))
            .map(|other| other.name.as_str())
            .collect();
        let routed: Vec<Destination<'_>> = vteps
            .into_iter()
            .filter_map(|name| {
                let loopback = topology.switch(name)?.loopback;
                Some(Destination { prefix: Prefixed::single(loopback.into()), at: vec![name] })
            })
            .collect();
        self.missing_routes(switch, &routed, missing)
    }

    /// Subnets of a leaf's tenants that it has not heard of: those of networks at other leafs.
    fn missing_in_tenants(
        &self,
        switch: &Switch,
        missing: &mut Vec<String>,
    ) -> Result<(), LabError> {
        let topology = self.topology();
        for tenant in topology.tenants_of(switch) {
            let elsewhere = topology.networks.iter().filter(|network| {
                network.tenant.as_ref() == Some(&tenant.name)
                    && !switch.networks.contains(&network.name)
                    && topology.other_vteps(&switch.name, &network.name).next().is_some()
            });
            let elsewhere: Vec<_> = elsewhere.flat_map(Network::gateways).collect();
            let table = tenant.table().to_string();
            for (family, is_ipv6) in [("-4", false), ("-6", true)] {
                let arguments = [family, "route", "show", "table", &table];
                let routes: Vec<KernelRoute> = self.json(&switch.name, "ip", &arguments)?;
                let of_family = elsewhere.iter().filter(|it| it.address.is_ipv6() == is_ipv6);
                let unheard = of_family
                    .map(Prefixed::subnet)
                    .filter(|subnet| routes.iter().all(|route| route.dst.parse() != Ok(*subnet)));
                missing.extend(unheard.map(|subnet| {
                    format!("{} has no way to {subnet} of tenant {}", switch.name, tenant.name)
                }));
            }
        }
        Ok(())
    }

    /// Routes of a node that are not there, or not as wide as the picture says.
    fn missing_routes(
        &self,
        switch: &Switch,
        wanted: &[Destination<'_>],
        missing: &mut Vec<String>,
    ) -> Result<(), LabError> {
        for (family, is_ipv6) in [("-4", false), ("-6", true)] {
            let wanted: Vec<_> =
                wanted.iter().filter(|to| to.prefix.address.is_ipv6() == is_ipv6).collect();
            if wanted.is_empty() {
                continue;
            }
            let routes: Vec<KernelRoute> =
                self.json(&switch.name, "ip", &[family, "route", "show"])?;
            for to in wanted {
                let want = self.width_of(switch, to);
                let has = routes
                    .iter()
                    .find(|route| to.is_written(&route.dst))
                    // A route with one next hop has no list.
                    .map_or(0, |route| route.nexthops.len().max(1));
                if has < want {
                    missing
                        .push(format!("{} has {has} of {want} ways to {}", switch.name, to.prefix));
                }
            }
        }
        Ok(())
    }

    /// How many ways a node has to a destination: none to itself, and none to nodes of its own AS,
    /// because BGP takes such a path for a loop, except between VTEPs of a rack.
    fn width_of(&self, switch: &Switch, to: &Destination<'_>) -> usize {
        let topology = self.topology();
        let is_loop = |name: &str| {
            let other = topology.switch(name);
            let speaks_bgp = topology.fabric.control_plane == ControlPlane::Bgp;
            let same = other.is_some_and(|other| other.asn == switch.asn);
            speaks_bgp && same && switch.networks.is_empty()
        };
        let announces =
            |name: &&str| topology.switch(name).is_some_and(|it| it.announces.contains(&to.prefix));
        if to.at.iter().any(|name| topology.member(name).is_some()) {
            topology.service_width(switch, &to.at)
        } else if to.at.iter().any(announces) {
            topology.announced_width(switch, to.prefix)
        } else if to.at.iter().any(|name| is_loop(name)) {
            0
        } else {
            topology.ecmp_width(&switch.name, &to.at)
        }
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
