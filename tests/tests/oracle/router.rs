//! The two routers of the oracle.
//!
//! ```text
//!   CLIENT --- in0 --- R --- out0 --- SPINE1 --- servers
//! ```

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use anyhow::{Context as _, Result};
use fabric_common::{
    reason::Reason,
    schema::{
        ports::{FLAG_ROUTE4, FLAG_ROUTE6, ROLE_ROUTED},
        routes::{KIND_BLACKHOLE, KIND_GROUP, KIND_NEXTHOP, KIND_UNREACHABLE, target},
    },
};
use fabric_tests::{
    addresses::{LEAF1_VTEP, Mac, SPINE1_MAC},
    device::{self, address_text, mac_text},
    packet::Frame,
    router::{CLIENT, IN0_MAC, VIEW, server},
    twins::{Fabric, Marker, Twins},
    world::World,
};

const PORTS: [&str; 2] = ["in0", "out0"];
pub(crate) const OUT0_MAC: Mac = [2, 0, 0, 0x0c, 0, 1];
/// IP MTU of the port towards the client, and of the one towards the servers.
pub(crate) const MTUS: [u32; 2] = [1_500, 1_400];
/// The wires carry more than the ports, so that too long frames can be offered.
const WIRE_MTU: u32 = 2_000;
/// The router's own addresses. Its ICMP messages come from the first, whose packets the twins
/// compare but for the identification.
const OWN: [u8; 4] = LEAF1_VTEP;
const OWN6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 1);

/// It forwards and answers without limits of rate.
const SETTINGS: [(&str, &str); 13] = [
    ("ipv4/ip_forward", "1"),
    ("ipv4/icmp_ratelimit", "0"),
    ("ipv4/icmp_ratemask", "0"),
    ("ipv4/icmp_msgs_per_sec", "1000000"),
    ("ipv4/icmp_msgs_burst", "1000000"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    // The first sets the second as well, and new devices are to have none.
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "1"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/icmp/ratelimit", "0"),
    ("ipv6/conf/all/forwarding", "1"),
];

/// Its ports, unlike the wires, have IPv6, and ask for no neighbours, whenever that might be.
const PORT_SETTINGS: [(&str, &str); 6] = [
    ("ipv6/conf/in0/disable_ipv6", "0"),
    ("ipv6/conf/out0/disable_ipv6", "0"),
    ("ipv4/neigh/in0/mcast_solicit", "0"),
    ("ipv4/neigh/out0/mcast_solicit", "0"),
    ("ipv6/neigh/in0/mcast_solicit", "0"),
    ("ipv6/neigh/out0/mcast_solicit", "0"),
];

fn set(settings: &[(&str, &str)]) -> Result<()> {
    for (name, value) in settings {
        // Limits that this kernel does not have do not limit.
        match fs::write(format!("/proc/sys/net/{name}"), value) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => other.with_context(|| format!("cannot set {name}"))?,
        }
    }
    Ok(())
}

/// Makes the devices of a router in this thread's namespace. What no other route leads to is
/// discarded: the rate of answers to that (`ip_error`) is a setting of the whole machine.
fn build() -> Result<()> {
    set(&SETTINGS)?;
    let [in0, out0, spine, client] = [IN0_MAC, OUT0_MAC, SPINE1_MAC, CLIENT.mac].map(mac_text);
    let own = address_text(OWN);
    let v4 = |last| address_text(server(last).ipv4);
    let v6 = |last| Ipv6Addr::from(server(last).ipv6);
    let (client4, client6) = (address_text(CLIENT.ipv4), Ipv6Addr::from(CLIENT.ipv6));
    let [local, blackhole, unreachable, back] =
        [server::LOCAL, server::BLACKHOLE, server::UNREACHABLE, server::BACK];
    device::ip(&format!(
        "link set lo up\n\
         link add in0 address {in0} mtu {} type veth \
           peer name in0p mtu {WIRE_MTU}\n\
         link add out0 address {out0} mtu {} type veth \
           peer name out0p mtu {WIRE_MTU}\n\
         link set in0 addrgenmode none\nlink set out0 addrgenmode none\n\
         link set in0 up\nlink set out0 up\n\
         link set in0p up arp off\nlink set out0p up arp off\n",
        MTUS[0], MTUS[1]
    ))?;
    set(&PORT_SETTINGS)?;
    device::ip(&format!(
        "addr add {own}/32 dev in0\naddr add {OWN6}/128 dev in0 nodad\n\
         addr add {}/32 dev lo\naddr add {}/128 dev lo nodad\n\
         route add 198.51.100.0/24 dev in0 src {own}\n\
         route add 2001:db8::/64 dev in0\n\
         neigh add {client4} lladdr {client} dev in0 nud permanent\n\
         neigh add {client6} lladdr {client} dev in0 nud permanent\n\
         neigh add 192.0.2.129 lladdr {spine} dev out0 nud permanent\n\
         neigh add fe80::5b lladdr {spine} dev out0 nud permanent\n\
         route add 203.0.113.0/25 via 192.0.2.129 dev out0 onlink\n\
         route add 203.0.113.128/25 via inet6 fe80::5b dev out0\n\
         route add 2001:db8:2::/64 via fe80::5b dev out0\n\
         route add blackhole default\n\
         route add blackhole {}/32\nroute add blackhole {}/128\n\
         route add unreachable {}/32\nroute add unreachable {}/128\n\
         route add {}/32 dev in0\nroute add {}/128 dev in0\n\
         neigh add {} lladdr {client} dev in0 nud permanent\n\
         neigh add {} lladdr {client} dev in0 nud permanent\n",
        v4(local),
        v6(local),
        v4(blackhole),
        v6(blackhole),
        v4(unreachable),
        v6(unreachable),
        v4(back),
        v6(back),
        v4(back),
        v6(back),
    ))?;
    for port in PORTS {
        // What our programs redirect is received by NAPI, which needs GRO.
        device::run("ethtool", &format!("-K {port}p gro on"))?;
    }
    Ok(())
}

/// Loads our programs and fills their maps with what [`build`] made.
fn accelerate() -> Result<Fabric> {
    let mut world = World::new()?;
    let mut ports = BTreeMap::new();
    for (name, (mac, mtu)) in PORTS.into_iter().zip([IN0_MAC, OUT0_MAC].into_iter().zip(MTUS)) {
        let port = world.enter(name, ROLE_ROUTED, mac, mtu)?;
        world.route_on(&port, VIEW, FLAG_ROUTE4 | FLAG_ROUTE6);
        ports.insert(name, port);
    }
    let spine = world.nexthop(&ports["out0"], SPINE1_MAC, MTUS[1]);
    let client = world.nexthop(&ports["in0"], CLIENT.mac, MTUS[0]);
    let single = world.group(&[(spine, 1)]);
    // As one, and with buckets.
    let other = world.nexthop(&ports["out0"], SPINE1_MAC, MTUS[1]);
    let spread = world.group(&[(spine, 1), (other, 1)]);
    let neighbour = target(KIND_NEXTHOP, client.0.into());
    let ip4 = |last| IpAddr::from(Ipv4Addr::from(server(last).ipv4));
    let ip6 = |last| IpAddr::from(Ipv6Addr::from(server(last).ipv6));
    world.route(VIEW, (ip4(0), 25), target(KIND_GROUP, single));
    world.route(VIEW, (ip4(128), 25), target(KIND_GROUP, spread));
    world.route(VIEW, (ip6(0), 64), target(KIND_GROUP, spread));
    for (last, target) in [
        (server::BLACKHOLE, target(KIND_BLACKHOLE, 0)),
        (server::UNREACHABLE, target(KIND_UNREACHABLE, 0)),
        (server::BACK, neighbour),
    ] {
        world.route(VIEW, (ip4(last), 32), target);
        world.route(VIEW, (ip6(last), 128), target);
    }
    world.route(VIEW, (Ipv4Addr::from(CLIENT.ipv4).into(), 32), neighbour);
    world.route(VIEW, (Ipv6Addr::from(CLIENT.ipv6).into(), 128), neighbour);
    for address in [Ipv4Addr::from(OWN).into(), OWN6.into()] {
        world.own(VIEW, address);
    }
    world.own(VIEW, ip4(server::LOCAL));
    world.own(VIEW, ip6(server::LOCAL));
    Ok(Fabric { world, ports })
}

/// Runs a test on two fresh routers.
pub(crate) fn routers(test: impl FnOnce(&mut Twins) + Send) {
    Twins::run(&PORTS, markers(), build, accelerate, test);
}

/// One each way, which the kernel forwards on both routers: it has options.
fn markers() -> Vec<Marker> {
    vec![
        Marker {
            into: "in0",
            wrap: |frame| with_options(Frame::ipv4(&CLIENT, &server(server::WEST)), frame),
            out_of: vec!["out0"],
            reason: Reason::TransitInputOptions,
        },
        Marker {
            into: "out0",
            wrap: |frame| {
                let back = Frame::ipv4(&server(server::WEST), &CLIENT);
                with_options(back.to(OUT0_MAC), frame)
            },
            out_of: vec!["in0"],
            reason: Reason::TransitInputOptions,
        },
    ]
}

fn with_options(frame: Frame, payload: Vec<u8>) -> Vec<u8> {
    let frame = frame.change_ipv4(|ip| {
        ip.options = vec![1; 4];
        ip.payload = payload;
    });
    frame.bytes()
}
