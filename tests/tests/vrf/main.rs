//! Virtual routing and forwarding (`ip link add … type vrf`), with the kernel of the same leaf as judge.
//!
//! Needs a kernel with VRF devices; `cargo xtask vm` boots one.

mod gateways;
mod leaks;
mod routing;
#[path = "../arrivals/site.rs"]
mod site;
mod tunnels;
mod underlay;
