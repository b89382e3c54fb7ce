//! Servers that are in a network and speak BGP there, and providers outside: who hears what from whom beyond the
//! ways of the underlay.

use std::net::IpAddr;

use super::{Function, Member, Network, Prefixed, Switch, Topology};

/// The two ends of a BGP session inside a network, by their addresses.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// The node at the other end.
    pub peer: &'a Switch,
    /// The peer's address.
    pub address: IpAddr,
}

impl Topology {
    /// The place of a server that is in a network; none for every other node.
    pub fn member(&self, node: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.end.node == node)
    }

    /// The provider of that name.
    pub fn provider(&self, name: &str) -> Option<&Switch> {
        self.switch(name).filter(|it| it.function == Function::Provider)
    }

    /// Providers with a cable to a node, one for each cable.
    pub fn providers_of<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Switch> {
        self.links_of(node).filter_map(|(_, peer)| self.provider(&peer.node))
    }

    /// Leafs and borders with an address of their own in a network, in the order of the picture: the exits of
    /// the servers in it.
    pub fn exits<'a>(&'a self, network: &'a str) -> impl Iterator<Item = &'a Switch> {
        let network = self.network(network);
        self.switches.iter().filter(move |it| {
            it.function != Function::Server
                && network.is_some_and(|network| network.addresses.contains_key(&it.name))
        })
    }

    /// The BGP sessions of a node inside networks: of a server with all exits of its network, of an exit with all
    /// servers, one for each family.
    pub fn sessions_inside<'a>(&'a self, node: &'a Switch) -> Vec<Session<'a>> {
        let mut sessions = Vec::new();
        for network in &self.networks {
            if !network.addresses.contains_key(&node.name) {
                continue;
            }
            let exits: Vec<&Switch> = match self.member(&node.name) {
                Some(_) => self.exits(&network.name).collect(),
                None => self.servers_in(network).collect(),
            };
            for peer in exits {
                let addresses = network.addresses.get(&peer.name).into_iter().flatten();
                sessions.extend(addresses.map(|it| Session { peer, address: it.address }));
            }
        }
        sessions
    }

    fn servers_in<'a>(&'a self, network: &'a Network) -> impl Iterator<Item = &'a Switch> {
        let members = self.members.iter().filter(|it| it.network == network.name);
        members.filter_map(|it| self.switch(&it.end.node))
    }

    /// Addresses of services that servers in networks announce.
    pub fn services_inside(&self) -> impl Iterator<Item = IpAddr> {
        let inside = self
            .services
            .iter()
            .filter(|service| service.servers.iter().any(|server| self.member(server).is_some()));
        inside.flat_map(|service| service.addresses.iter().copied())
    }

    /// How many next hops a node has to a service of servers in a network, which are `at`: an exit of the network
    /// one for each server, and a provider one for each cable to such an exit. The underlay does not hear of it.
    pub fn service_width(&self, from: &Switch, at: &[&str]) -> usize {
        let Some(network) = at.iter().find_map(|server| self.member(server)).map(|it| &it.network)
        else {
            return 0;
        };
        let is_exit = |name: &str| self.exits(network).any(|it| it.name == name);
        match from.function {
            Function::Provider => {
                self.links_of(&from.name).filter(|(_, peer)| is_exit(&peer.node)).count()
            }
            _ if is_exit(&from.name) => at.len(),
            _ => 0,
        }
    }

    /// How many next hops a node has to a prefix that providers announce: a border one for each cable to such a
    /// provider, and a server in a network one for each of its exits that have it.
    pub fn announced_width(&self, from: &Switch, prefix: Prefixed) -> usize {
        let cables = |node: &str| {
            self.providers_of(node).filter(|it| it.announces.contains(&prefix)).count()
        };
        match self.member(&from.name) {
            Some(member) => {
                let speaks = self.sessions_inside(from);
                let has_family = |it: &Switch| {
                    let is_it = |session: &Session<'_>| {
                        session.peer.name == it.name
                            && session.address.is_ipv4() == prefix.address.is_ipv4()
                    };
                    speaks.iter().any(is_it)
                };
                let exits = self.exits(&member.network);
                exits.filter(|exit| has_family(exit) && cables(&exit.name) > 0).count()
            }
            None if from.function == Function::Border => cables(&from.name),
            None => 0,
        }
    }
}
