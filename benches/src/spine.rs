//! A spine as the kernel knows it: two routed ports, all neighbours and routes static. This is also
//! the kernel's side of the comparison, in the shape in which it is fastest and still routes:
//! nothing but forwarding, no netfilter, no reverse path filter.

use std::fmt::Write as _;

use anyhow::Result;

use crate::{
    leaf::{index, mac_text},
    race::{End, Way},
    routed::{PREFIX, ROUTER_MAC, destination4, destination6},
    tool,
};

/// MAC address of the port behind which all destinations are.
pub const OUT_MAC: [u8; 6] = [0x52, 0x54, 3, 1, 0, 0];
/// MAC address of the next router.
pub const NEXT_MAC: [u8; 6] = [0x52, 0x54, 3, 1, 0, 1];
/// IP MTU of both ports.
pub const MTU: u32 = 1_500;

/// What the routes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routes {
    /// A route to each destination.
    Hosts,
    /// A /24 or /64 for [`PREFIX`] destinations.
    Prefixes,
}

impl Routes {
    /// In words for the report.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Hosts => "one to each destination",
            Self::Prefixes => "a /24 or /64 to each 256 destinations",
        }
    }
}

/// Interface indexes.
#[derive(Clone, Copy, Debug)]
pub struct Spine {
    /// The port of the client.
    pub inward: u32,
    /// The port of the next router.
    pub outward: u32,
    /// The next router's end: here everything arrives and ends.
    pub sink: u32,
}

impl Spine {
    /// Builds the spine in the present network namespace, with routes to `destinations`.
    ///
    /// # Errors
    /// If the kernel lacks a device type or iproute2 is missing.
    pub fn build(destinations: u32, routes: Routes) -> Result<Self> {
        for (name, value) in [
            ("net.ipv4.ip_forward", "1"),
            ("net.ipv4.conf.all.rp_filter", "0"),
            ("net.ipv4.conf.default.rp_filter", "0"),
            ("net.ipv6.conf.all.disable_ipv6", "0"),
            ("net.ipv6.conf.default.disable_ipv6", "0"),
            ("net.ipv6.conf.default.accept_dad", "0"),
            ("net.ipv6.conf.all.forwarding", "1"),
        ] {
            tool::sysctl(name, value)?;
        }
        tool::batch("ip", &Self::links())?;
        tool::batch("ip", &Self::routes(destinations, routes))?;
        Ok(Self { inward: index("in0")?, outward: index("out0")?, sink: index("next0")? })
    }

    /// From the client to the next router.
    #[must_use]
    pub const fn way(&self) -> Way {
        Way { ingress: self.inward, egress: self.outward, sink: self.sink, end: End::Driver }
    }

    fn links() -> String {
        let queues = "numrxqueues 1 numtxqueues 1";
        let [router, out, next] = [ROUTER_MAC, OUT_MAC, NEXT_MAC].map(mac_text);
        format!(
            "link set dev lo up\n\
             link add name in0 mtu {MTU} address {router} {queues} type veth \
                peer name client0 {queues}\n\
             link add name out0 mtu {MTU} address {out} {queues} type veth \
                peer name next0 address {next} {queues}\n\
             link set dev in0 addrgenmode none\nlink set dev client0 addrgenmode none\n\
             link set dev out0 addrgenmode none\nlink set dev next0 addrgenmode none\n\
             link set dev in0 up\nlink set dev client0 up\n\
             link set dev out0 up\nlink set dev next0 up\n\
             addr add 172.31.0.0/31 dev out0\n\
             addr add 172.31.0.2/31 dev in0\n\
             neigh replace 172.31.0.1 lladdr {next} dev out0 nud permanent\n\
             neigh replace fe80::1 lladdr {next} dev out0 nud permanent\n"
        )
    }

    fn routes(destinations: u32, routes: Routes) -> String {
        let (step, bits) = match routes {
            Routes::Hosts => (1, [32, 128]),
            Routes::Prefixes => (PREFIX, [24, 64]),
        };
        let mut commands = String::new();
        for destination in (0..destinations).step_by(step as usize) {
            let v4 = std::net::Ipv4Addr::from(destination4(destination));
            let v6 = std::net::Ipv6Addr::from(destination6(destination));
            let _ = writeln!(commands, "route add {v4}/{} via 172.31.0.1 dev out0", bits[0]);
            let _ = writeln!(commands, "route add {v6}/{} via fe80::1 dev out0", bits[1]);
        }
        commands
    }
}
