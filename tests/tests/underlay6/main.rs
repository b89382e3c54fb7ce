//! Two leafs over an IPv6 underlay, with fabric-xdpd on both. FRR 8.4 cannot advertise IPv6 VTEPs, so
//! the entries are the kernel's own, static ones.

mod families;
mod site;
mod traffic;
