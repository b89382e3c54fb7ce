//! From the network to what the maps should hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    Desired, DomainKey, Network, Policy, Problem, Structure, compile_answers,
    compile_downstream::Downstream, compile_fdb, compile_netfilter, compile_routes,
    compile_tunnels,
};
use crate::observe::{Chain, Link, LinkKind, Vxlan};

/// Compiles everything.
#[must_use]
pub fn compile(network: &Network, policy: &Policy) -> Desired {
    let structure = compile_structure(network, policy);
    let routes = compile_routes(network, &structure).collect();
    let fdb = compile_fdb(network, &structure);
    let answers = compile_answers(network, &structure);
    Desired { structure, routes, fdb, answers }
}

/// Compiles everything but the routes and the MACs.
#[must_use]
pub fn compile_structure(network: &Network, policy: &Policy) -> Structure {
    let mut compiler = Compiler {
        network,
        policy,
        taken: taken(network),
        gateways: BTreeMap::new(),
        tunnels: BTreeMap::new(),
        members: members(network),
        external: external(network),
        vrf_ends: compile_tunnels::vrf_ends(network),
        out: Structure::default(),
        leads: BTreeSet::new(),
        chains: compile_netfilter::chains(network, policy),
        filtered: Vec::new(),
    };
    compiler.bridges();
    compiler.twins();
    compiler.answering();
    compiler.underlay();
    compiler.segments();
    compiler.downstream();
    compiler.routed_ports();
    compiler.ipsec();
    compiler.netfilter();
    compiler.learned();
    compiler.arrivals();
    compiler.aliases();
    compiler.routed_groups();
    compiler.multipath();
    compiler.without_ipv6();
    compiler.bonds();
    compiler.out.own.extend(network.routing().routes.own());
    compiler.out.problems.sort_unstable();
    compiler.out.problems.dedup();
    compiler.out
}

/// What takes packets from an interface before the kernel routes them, by that interface.
fn taken(network: &Network) -> BTreeMap<u32, &Link> {
    let takers = network.links().filter(|link| link.takes_more && !link.lower_elsewhere);
    takers.filter_map(|link| Some((link.lower?, link))).collect()
}

fn external(network: &Network) -> Vec<(&Link, &Vxlan)> {
    let devices = network.links().filter_map(|link| match &link.kind {
        LinkKind::Vxlan(vxlan) if vxlan.external && link.up => Some((link, vxlan)),
        _ => None,
    });
    devices.collect()
}

fn members(network: &Network) -> BTreeMap<u32, Vec<&Link>> {
    let mut members: BTreeMap<u32, Vec<&Link>> = BTreeMap::new();
    for link in network.links() {
        if let Some(bond) = link.master
            && network.link(bond).is_some_and(Link::is_bond)
        {
            members.entry(bond).or_default().push(link);
        }
    }
    members
}

/// A compilation in progress.
pub(super) struct Compiler<'a> {
    pub(super) network: &'a Network,
    pub(super) policy: &'a Policy,
    /// Interfaces that something takes packets from before the kernel routes them, with that.
    pub(super) taken: BTreeMap<u32, &'a Link>,
    /// Vxlan devices in external mode that are up.
    pub(super) external: Vec<(&'a Link, &'a Vxlan)>,
    /// Local addresses of vxlan devices whose underlay is in a VRF, each with that VRF.
    pub(super) vrf_ends: BTreeMap<IpAddr, u32>,
    /// Members of bonds, by the bond.
    pub(super) members: BTreeMap<u32, Vec<&'a Link>>,
    pub(super) out: Structure,
    /// Interfaces that may be gateways, with the domains that they route for.
    pub(super) gateways: BTreeMap<u32, DomainKey>,
    /// Tunnels of next hops, by what stands for them in place of an interface index.
    pub(super) tunnels: BTreeMap<u32, Downstream>,
    /// Interfaces that the ways to VTEPs over IPv6, or over IPv4, lead over.
    pub(super) leads: BTreeSet<(bool, u32)>,
    /// Chains of netfilter that may do something to packets.
    pub(super) chains: Vec<&'a Chain>,
    /// Names of bridges whose frames netfilter sees, and a sentence about that.
    pub(super) filtered: Vec<(&'a str, String)>,
}

impl<'a> Compiler<'a> {
    /// The members of a bond; none of any other interface.
    pub(super) fn members(&self, bond: &Link) -> impl Iterator<Item = &'a Link> {
        self.members.get(&bond.ifindex).into_iter().flatten().copied()
    }

    /// Notes something that is left to the kernel.
    pub(super) fn problem(&mut self, ifindex: Option<u32>, text: String) {
        self.out.problems.push(Problem { ifindex, text });
    }
}
