//! Where the kernel knows more than its tables of routes say: IPsec policies, what it has learned by ICMP,
//! and whether it forwards at all. Whatever it does alone with a packet, it does beside Fabric.

mod hop_limit;
mod ipsec;
mod net;
mod netfilter;
mod path_mtu;
mod router;
