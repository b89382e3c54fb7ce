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
pub mod ground;
pub mod journeys;
pub mod leaf;
pub mod lookups;
pub mod neighbours;
pub mod object;
pub mod outer;
pub mod overlay;
pub mod plot;
pub mod prefixes;
pub mod processor;
pub mod race;
pub mod report;
pub mod ring;
pub mod routed;
pub mod router;
pub mod samples;
pub mod spine;
pub mod staged;
pub mod tool;
pub mod traffic;
pub mod tunnel;
