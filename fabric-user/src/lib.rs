//! The user-space side of Fabric.

pub mod bpf_object;
