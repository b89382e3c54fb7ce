//! What the tests of the packet path share: a world to run packets in, packets, expectations.
//!
//! Everything here needs root. What cannot be done, or is not as a function says, ends the test with a
//! panic; `# Panics` says what else does. A test that fails must not leave anything behind: devices
//! and pins live in namespaces that die with the test's thread.

pub mod addresses;
pub mod asked;
pub mod counters;
pub mod daemon;
pub mod device;
pub mod ecmp;
pub mod expect;
pub mod fabric;
pub mod gateway;
pub mod judged;
pub mod leaf;
mod leaf6;
pub mod link_option;
pub mod loaded;
mod mapped;
pub mod model;
pub mod namespace;
pub mod packet;
pub mod precedence;
pub mod random;
pub mod refusals;
pub mod router;
pub mod run;
pub mod shape;
pub mod space;
pub mod tap;
pub mod traffic;
pub mod twins;
pub mod wire;
pub mod world;
