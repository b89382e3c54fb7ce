//! What the benchmarks share: a leaf in namespaces of its own, a generator, a sink, and a race
//! between contenders. Each question is a binary in `src/bin`; `cargo xtask bench` runs them.

pub mod arena;
pub mod dir24;
pub mod environment;
pub mod fabric;
pub mod flow;
pub mod leaf;
pub mod lookups;
pub mod object;
pub mod outer;
pub mod prefixes;
pub mod processor;
pub mod race;
pub mod report;
pub mod samples;
pub mod tool;
