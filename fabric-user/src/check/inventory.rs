//! What a suite's names stand for: nodes, hosts, networks and tenants of a topology.

use std::{net::IpAddr, path::Path};

use super::names::{Known, Names};
use crate::lab::{
    Topology,
    topology::{Files, Host, Network, Switch, Tenant, error::TopologyError},
};

/// A topology by names.
#[derive(Clone, Debug)]
pub(crate) struct Inventory {
    /// With hosts where they are plugged in now.
    pub(crate) topology: Topology,
}

impl Inventory {
    pub(crate) const fn of(topology: Topology) -> Self {
        Self { topology }
    }

    /// Of files: a picture and the inventory beside it, or an inventory alone if its name is what is given, and no
    /// picture lies beside it.
    ///
    /// # Errors
    /// If they cannot be used.
    pub(crate) fn load(path: &Path) -> Result<Self, TopologyError> {
        let files = Files::of(path);
        let is_undrawn = path == files.inventory && !files.picture.is_file();
        let topology = match is_undrawn {
            true => Topology::undrawn(&files.name(), &files.read_inventory()?),
            false => Topology::load(path),
        };
        topology.map(Self::of)
    }

    /// Switches, and servers that speak BGP.
    ///
    /// # Errors
    /// As [`Names::pick`]; so do the others.
    pub(crate) fn nodes(&self, names: &Names) -> Result<Vec<&Switch>, String> {
        self.nodes_that(names, "node", |_| true)
    }

    /// Those of them for which something is true, which `kind` says.
    pub(crate) fn nodes_that<'a>(
        &'a self,
        names: &Names,
        kind: &str,
        is_one: impl Fn(&Switch) -> bool,
    ) -> Result<Vec<&'a Switch>, String> {
        let all: Vec<&Switch> = self.topology.switches.iter().filter(|it| is_one(it)).collect();
        names.pick(kind, &all, known_node)
    }

    /// Those of them where something of Fabric runs.
    pub(crate) fn boxes(&self, names: &Names) -> Result<Vec<&Switch>, String> {
        self.nodes_that(names, "node with fabric-xdpd", |it| it.fabric_xdpd)
    }

    /// Hosts.
    pub(crate) fn hosts(&self, names: &Names) -> Result<Vec<&Host>, String> {
        let all: Vec<&Host> = self.topology.hosts.iter().collect();
        names.pick("host", &all, |it| self.known_host(it))
    }

    /// Names of nodes and of hosts.
    pub(crate) fn devices(&self, names: &Names) -> Result<Vec<&str>, String> {
        let all: Vec<&str> = self.topology.node_names().collect();
        names.pick("node or host", &all, |name| {
            let host = self.topology.host(name).map(|it| self.known_host(it));
            let known = host.or_else(|| self.topology.switch(name).map(known_node));
            known.unwrap_or(Known { name, ..Known::default() })
        })
    }

    /// A host is at the site of its node.
    fn known_host<'a>(&'a self, host: &'a Host) -> Known<'a> {
        let node = self.topology.switch(&host.switch.node);
        Known {
            name: &host.name,
            sites: node.map(|it| it.site.as_str()).into_iter().collect(),
            networks: host.network().into_iter().collect(),
        }
    }

    /// Networks.
    pub(crate) fn networks(&self, names: &Names) -> Result<Vec<&Network>, String> {
        let all: Vec<&Network> = self.topology.networks.iter().collect();
        names.pick("network", &all, |it| Known {
            name: &it.name,
            sites: self.vteps_of(it).iter().map(|it| it.site.as_str()).collect(),
            networks: vec![&it.name],
        })
    }

    /// Tenants.
    pub(crate) fn tenants(&self, names: &Names) -> Result<Vec<&Tenant>, String> {
        let all: Vec<&Tenant> = self.topology.tenants.iter().collect();
        let networks = |tenant: &Tenant| {
            let all = self.topology.networks.iter();
            all.filter(|it| it.tenant.as_ref() == Some(&tenant.name))
                .map(|it| it.name.as_str())
                .collect()
        };
        names.pick("tenant", &all, |it| Known {
            name: &it.name,
            sites: Vec::new(),
            networks: networks(it),
        })
    }

    /// The nodes where a network lives.
    pub(crate) fn vteps_of(&self, network: &Network) -> Vec<&Switch> {
        let all = self.topology.switches.iter();
        all.filter(|it| it.networks.contains(&network.name)).collect()
    }

    /// Each of these hosts with its network, and each of these nodes where that lives. Hosts on routed ports are in none.
    ///
    /// # Errors
    /// As [`Names::pick`].
    pub(crate) fn stations(
        &self,
        hosts: &Names,
        nodes: &Names,
    ) -> Result<Vec<(&Host, &Network, &Switch)>, String> {
        let meant: Vec<&str> = self.nodes(nodes)?.iter().map(|it| it.name.as_str()).collect();
        let mut stations = Vec::new();
        for host in self.hosts(hosts)? {
            let Some(network) = self.network_of(host) else { continue };
            let homes = self.vteps_of(network).into_iter();
            let homes = homes.filter(|it| meant.contains(&it.name.as_str()));
            stations.extend(homes.map(|node| (host, network, node)));
        }
        Ok(stations)
    }

    /// The nodes that have networks of a tenant.
    pub(crate) fn vteps_in(&self, tenant: &Tenant) -> Vec<&Switch> {
        let all = self.topology.switches.iter();
        all.filter(|it| self.topology.tenants_of(it).any(|other| other.name == tenant.name))
            .collect()
    }

    /// The network of a host; none on a routed port.
    pub(crate) fn network_of(&self, host: &Host) -> Option<&Network> {
        self.topology.network(host.network()?)
    }

    /// The gateways of a host, the IPv4 one first.
    pub(crate) fn gateways_of(&self, host: &Host) -> Vec<IpAddr> {
        match self.network_of(host) {
            Some(network) => {
                let is_used = |it: &IpAddr| it.is_ipv4() || host.address6.is_some();
                network.gateways().map(|it| it.address).filter(is_used).collect()
            }
            None => host.subnets().iter().map(|it| it.gateway).collect(),
        }
    }

    /// Where a name of a node leads to as an address: its loopback or the host's own.
    pub(crate) fn addresses_of(&self, name: &str) -> Vec<IpAddr> {
        let topology = &self.topology;
        let both = |v4, v6: Option<std::net::Ipv6Addr>| {
            [Some(IpAddr::V4(v4)), v6.map(IpAddr::V6)].into_iter().flatten().collect()
        };
        if let Some(host) = topology.host(name) {
            return both(host.address, host.address6);
        }
        topology.switch(name).map(|it| both(it.loopback, it.loopback6)).unwrap_or_default()
    }

    /// Whether something is a device that can be asked.
    pub(crate) fn has_device(&self, name: &str) -> bool {
        self.topology.node_names().any(|it| it == name)
    }
}

fn known_node(node: &Switch) -> Known<'_> {
    Known {
        name: &node.name,
        sites: vec![&node.site],
        networks: node.networks.iter().map(String::as_str).collect(),
    }
}
