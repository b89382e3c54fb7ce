//! The kernel is right: the same frame through its bridge and vxlan and through our programs has
//! to come out byte for byte the same, but for the UDP source port and the IP identification; and
//! the same packet through its router without exception.

mod admission;
mod answers;
mod bridge_ports;
mod classifiers;
mod comparison;
mod decapsulation;
mod encapsulation;
mod ipv6;
mod learning;
mod local;
mod mtu;
mod netfilter;
mod passed;
mod refused;
mod router;
mod routing;
mod segments;
mod site;
mod spanning_tree;
mod uppers;
