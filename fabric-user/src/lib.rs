//! The user-space side of Fabric.

pub mod kernel;
