//! The kernel as oracle for VLANs: a VLAN-aware bridge, and VLAN devices in a plain bridge.
//!
//! Needs a kernel with VLAN filtering and VLAN devices, as distributions have them; `cargo xtask vm`
//! boots one.

mod answers;
mod devices;
mod filtering;
mod gateways;
mod members;
mod single_device;
mod site;
mod states;
mod tags_inside;
