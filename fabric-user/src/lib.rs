//! The user-space side of Fabric.

pub mod cli;
pub mod lab;
