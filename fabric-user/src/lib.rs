//! The user-space side of Fabric.

pub mod model;
pub mod observe;
