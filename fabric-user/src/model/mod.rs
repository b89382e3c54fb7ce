//! What the network looks like, and what the maps should hold.
//!
//! [`Network`] keeps every observed object, [`compile`] turns it into [`Desired`]: pure functions
//! without kernel or BPF types, keyed by what things are called in the network and never by map
//! indexes. The usual way of a batch of events:
//!
//! 1. `network.apply_to(event, &mut dirty)` for each. A dump of everything makes a new network in the same
//!    way, and everything is compiled.
//! 2. [`Compiled::update`] compiles what is dirty: first the [`Structure`], if it has to be anew, whose cost
//!    grows with links, VTEPs and groups of next hops; then routes and MACs that have changed, or all of
//!    them where the structure is another one for them. Each costs a lookup or two.
//! 3. If [`Dirty::routing_stale`]: a dump of [`Scope::Routing`](crate::observe::Scope::Routing) a moment
//!    later, and with its events `dirty = network.replace_routing(events)`: only what differs is dirty.
//!
//! What cannot be expressed is left out, so that the kernel forwards it, and named in
//! [`Structure::problems`].

mod compile;
mod compile_answers;
mod compile_arrivals;
mod compile_bonds;
mod compile_bridges;
mod compile_downstream;
mod compile_fdb;
mod compile_gateways;
mod compile_groups;
mod compile_hop_limits;
mod compile_ipsec;
mod compile_leaks;
mod compile_learned;
mod compile_local;
mod compile_netfilter;
mod compile_ports;
mod compile_routes;
mod compile_segments;
mod compile_sources;
mod compile_tunnels;
mod compile_underlay;
mod compile_uppers;
mod compile_views;
mod compile_vnis;
mod compiled;
mod desired;
mod dirty;
mod guarded;
mod ipsec;
mod macs;
mod multipath;
mod netfilter;
mod network;
pub(crate) mod pairs;
mod policy;
mod redirect;
mod routes;
mod routing;
mod rules;
#[cfg(test)]
mod tests;

pub use compile::{compile, compile_structure};
pub use compile_answers::compile_answers;
pub use compile_fdb::{LeftMacs, compile_fdb};
pub use compile_routes::{compile_route, compile_routes, is_host, stale_neighbours};
pub use compiled::{Answers, Before, Changes, Compiled, Macs, Routes};
pub use desired::{
    Answer, AnswerKey, Answering, Arrivals, Circuit, CircuitKey, Desired, Domain, DomainKey,
    FdbKey, Group, GroupKey, Inside, Nexthop, NexthopKey, Port, Problem, Role, RoutePlace, Segment,
    SegmentKey, Structure, Target, View, VtepKey, Way, WithoutIpv6,
};
pub use dirty::Dirty;
pub use guarded::Guarded;
pub use macs::Station;
pub use multipath::{HashPolicy, Multipath};
pub use network::Network;
pub use policy::{Asked, Pattern, Policy};
