//! Where the kernel knows more than its tables of routes say: IPsec policies, and what it has learned by
//! ICMP. Whatever it does alone with a packet, it does beside Fabric.

mod ipsec;
mod net;
mod path_mtu;
