//! Pings between the hosts of a lab, from them to their gateways, from hosts outside to services, and from servers
//! in networks to their exits.

use std::net::IpAddr;
use std::process::Command;
use std::sync::Mutex;

use serde::Serialize;

use super::build;
use super::error::LabError;
use super::running::Lab;
use super::tools;
use super::topology::{Host, Topology};

/// A ping, and whether it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ping {
    /// The host or server that asks.
    pub from: String,
    /// The host, service or exit that should answer, or `gateway`.
    pub to: String,
    /// The address that is asked.
    pub address: IpAddr,
    /// Whether an answer came within a second, at the second attempt at the latest: the first may be lost
    /// while addresses are being resolved.
    pub answered: bool,
}

impl Ping {
    /// What is wrong.
    pub(super) fn fault(&self) -> Option<String> {
        let Self { from, to, address, answered } = self;
        (!answered).then(|| format!("{from} gets no answer from {to} ({address})"))
    }
}

/// Every host asks its gateway, a host at a provider all services that providers hear of, a server in a network the
/// exits there, and of two hosts in one network, of one tenant, or on routed ports, the first the second if
/// there is a way between their switches.
fn pings(topology: &Topology) -> Vec<Ping> {
    let network = |host: &Host| host.network().and_then(|name| topology.network(name));
    let gateway = |host: &Host| match network(host) {
        Some(network) => network.gateway.map(|it| IpAddr::V4(it.address)),
        None => host.subnets().first().map(|subnet| subnet.gateway),
    };
    let tenant = |host: &Host| network(host).and_then(|network| network.tenant.as_ref());
    let is_peer = |host: &Host, other: &Host| {
        host.network() == other.network()
            || tenant(host).is_some_and(|it| tenant(other) == Some(it))
    };
    let ping = |from: &str, to: &str, address: IpAddr| Ping {
        from: from.to_owned(),
        to: to.to_owned(),
        address,
        answered: false,
    };
    let mut all = Vec::new();
    for (number, host) in topology.hosts.iter().enumerate() {
        let name = &host.name;
        all.extend(gateway(host).map(|address| ping(name, "gateway", address)));
        let others = topology.hosts.iter().skip(number + 1);
        let peers = others.filter(|other| is_peer(host, other));
        let peers = peers.filter(|other| has_way(topology, host, other));
        all.extend(peers.map(|other| ping(name, &other.name, other.address.into())));
        if let Some(provider) = topology.provider(&host.switch.node) {
            for service in &topology.services {
                let at: Vec<&str> = service.servers.iter().map(String::as_str).collect();
                let is_heard = topology.service_width(provider, &at) > 0;
                let addresses = service.addresses.iter().filter(|_| is_heard);
                let addresses = addresses.filter(|it| it.is_ipv4() || host.address6.is_some());
                all.extend(addresses.map(|&address| ping(name, &service.name, address)));
            }
        }
    }
    for member in &topology.members {
        let Some(server) = topology.switch(&member.end.node) else { continue };
        let exits = topology.sessions_inside(server);
        all.extend(exits.iter().map(|it| ping(&server.name, &it.peer.name, it.address)));
    }
    all
}

fn has_way(topology: &Topology, from: &Host, to: &Host) -> bool {
    let (from, to) = (from.switch.node.as_str(), to.switch.node.as_str());
    from == to || topology.ecmp_width(from, &[to]) > 0
}

impl Lab {
    /// Sends them all, a few at once.
    pub(super) fn ping_all(&self, topology: &Topology) -> Result<Vec<Ping>, LabError> {
        let program = tools::require("ping", "iputils-ping")?;
        let all: Vec<Mutex<Ping>> = pings(topology).into_iter().map(Mutex::new).collect();
        build::in_parallel(&all, self.cancel(), |ping| {
            let Ok(mut ping) = ping.lock() else { return Ok(()) };
            let mut command = Command::new(&program);
            command.args(["-n", "-q", "-c", "1", "-W", "1", &ping.address.to_string()]);
            for _ in 0..2 {
                ping.answered = match self.exec(&ping.from, &mut command) {
                    Err(LabError::Interrupted) => return Err(LabError::Interrupted),
                    answer => answer.is_ok(),
                };
                if ping.answered {
                    break;
                }
            }
            Ok(())
        })?;
        Ok(all.into_iter().filter_map(|ping| ping.into_inner().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_ask_their_gateway_and_each_pair_of_a_network_asks_once() {
        let picture = include_str!("../../../topologies/one-site.dot");
        let inventory = include_str!("../../../topologies/one-site.toml");
        let topology = Topology::parse("one-site", picture, inventory).expect("valid");
        let all = pings(&topology);
        let said: Vec<String> = all.iter().map(|it| format!("{} {}", it.from, it.to)).collect();
        let expected = [
            "vm01 gateway",
            "vm01 vm03",
            "vm02 gateway",
            "vm02 vm04",
            "vm03 gateway",
            "vm04 gateway",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn hosts_outside_ask_services_and_servers_in_a_network_ask_all_exits() {
        let picture = include_str!("../../../topologies/exits.dot");
        let inventory = include_str!("../../../topologies/exits.toml");
        let topology = Topology::parse("exits", picture, inventory).expect("valid");
        let all = pings(&topology);
        let said = |from: &str| -> Vec<String> {
            let own = all.iter().filter(|it| it.from == from);
            own.map(|it| format!("{} {}", it.to, it.address)).collect()
        };
        let expected =
            ["gateway 198.51.100.1", "client02 198.51.100.138", "web 10.99.0.1", "web fd00:99::1"];
        assert_eq!(said("client01"), expected);
        let exits = said("front06");
        assert_eq!(exits.len(), 4 * 2, "{exits:?}");
        assert!(exits.contains(&"exit01 fd00:50::1".to_owned()), "{exits:?}");
    }

    #[test]
    fn hosts_without_a_way_between_them_do_not_ask_each_other() {
        let picture = "graph islands {
            leaf01 [function=leaf]; leaf02 [function=leaf]
            vm01 [function=host]; vm02 [function=host]; vm03 [function=host]
            leaf01:swp1 -- vm01:eth0; leaf01:swp2 -- vm02:eth0; leaf02:swp1 -- vm03:eth0
        }";
        let inventory = r#"
            fabric.control_plane = "static"
            nodes.leaf01 = { site = "a", loopback = "10.0.0.1" }
            nodes.leaf02 = { site = "a", loopback = "10.0.0.2" }
            hosts.vm01 = { address = "10.1.1.10/24", gateway = "10.1.1.1" }
            hosts.vm02 = { address = "10.1.2.10/24", gateway = "10.1.2.1" }
            hosts.vm03 = { address = "10.1.3.10/24", gateway = "10.1.3.1" }
        "#;
        let topology = Topology::parse("islands", picture, inventory).expect("valid");
        let all = pings(&topology);
        let said: Vec<String> = all.iter().map(|it| format!("{} {}", it.from, it.to)).collect();
        assert_eq!(said, ["vm01 gateway", "vm01 vm02", "vm02 gateway", "vm03 gateway"]);
    }
}
