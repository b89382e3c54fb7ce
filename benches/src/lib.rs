//! What the benchmarks share: a leaf in namespaces of its own, a generator, a sink, and a race
//! between contenders. Each question is a binary in `src/bin`; `cargo xtask bench` runs them.

pub mod answer;
pub mod arena;
pub mod contest;
pub mod daemon;
pub mod dir24;
pub mod direction;
pub mod environment;
pub mod fabric;
pub mod flow;
pub mod leaf;
pub mod lookups;
pub mod neighbours;
pub mod netlink;
pub mod nexthop_object;
pub mod object;
pub mod outer;
pub mod overlay;
pub mod pktgen;
pub mod plot;
pub mod prefixes;
pub mod probe;
pub mod processor;
pub mod race;
pub mod report;
pub mod routed;
pub mod router;
pub mod routes;
pub mod samples;
pub mod scale;
pub mod spine;
pub mod tool;
pub mod traffic;
pub mod tunnel;
pub mod underlay;
