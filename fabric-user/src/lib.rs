//! The user-space side of Fabric.

pub mod audit;
mod check;
pub mod cli;
pub mod daemon;
pub mod facts;
pub mod frr;
pub mod hashed;
pub mod kernel;
pub mod lab;
pub mod mac;
pub mod metrics;
pub mod model;
pub mod netlink;
pub mod observe;
pub mod reconcile;
pub mod settings;
pub mod verify;
