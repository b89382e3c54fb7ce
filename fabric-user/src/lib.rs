//! The user-space side of Fabric.

pub mod daemon;
pub mod kernel;
pub mod model;
pub mod observe;
pub mod reconcile;
pub mod settings;
