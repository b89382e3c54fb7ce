//! The user-space side of Fabric.
