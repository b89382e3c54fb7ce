//! From the network to what the maps should hold.

use super::{Desired, Network, Policy, Problem, Structure, compile_fdb, compile_routes};

/// Compiles everything.
#[must_use]
pub fn compile(network: &Network, policy: &Policy) -> Desired {
    let structure = compile_structure(network, policy);
    let fdb = compile_fdb(network, &structure);
    let routes = compile_routes(network, &structure).collect();
    Desired { structure, fdb, routes }
}

/// Compiles everything but the MACs and the routes.
#[must_use]
pub fn compile_structure(network: &Network, policy: &Policy) -> Structure {
    let mut compiler = Compiler { network, policy, out: Structure::default() };
    compiler.bridges();
    compiler.underlay();
    compiler.routed_ports();
    compiler.ipsec();
    compiler.routed_groups();
    compiler.multipath();
    compiler.out.own.extend(network.routing().routes.own());
    compiler.out.problems.sort_unstable();
    compiler.out.problems.dedup();
    compiler.out
}

/// A compilation in progress.
pub(super) struct Compiler<'a> {
    pub(super) network: &'a Network,
    pub(super) policy: &'a Policy,
    pub(super) out: Structure,
}

impl Compiler<'_> {
    /// Notes something that is left to the kernel.
    pub(super) fn problem(&mut self, ifindex: Option<u32>, text: String) {
        self.out.problems.push(Problem { ifindex, text });
    }
}
