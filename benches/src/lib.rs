//! What the benchmarks share: a leaf in namespaces of its own, a generator, a sink, and a race
//! between contenders. Each question is a binary in `src/bin`; `cargo xtask bench` runs them.

pub mod arena;
pub mod contest;
pub mod daemon;
pub mod direction;
pub mod environment;
pub mod fabric;
pub mod flow;
pub mod leaf;
pub mod neighbours;
pub mod object;
pub mod outer;
pub mod plot;
pub mod processor;
pub mod race;
pub mod report;
pub mod samples;
pub mod tool;
pub mod traffic;
pub mod tunnel;
