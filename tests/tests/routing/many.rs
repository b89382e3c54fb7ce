//! More next hops and groups than 14 bits can count, which is how many the targets of MAC addresses
//! can name. What counts is the MAC address that a packet leaves with.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use fabric_common::{
    reason::Reason,
    schema::routes::{KIND_GROUP, KIND_NEXTHOP, split_target},
};
use fabric_tests::{
    addresses::{Mac, Station},
    device::{self, mac_text},
    fabric::{Router, until},
    packet::Frame,
    wire::Wire,
};

/// Neighbours on swp2.
const NEIGHBOURS: u32 = 17_500;
/// For the kernel's and the daemon's work on so many, on a busy machine.
const LONG: Duration = Duration::from_secs(120);
/// Packets on their way at once: a socket's buffer holds them all.
const AT_ONCE: usize = 64;

/// The address of neighbour `n`, or of a host behind it.
fn address(subnet: u8, n: u32) -> [u8; 4] {
    let [_, _, high, low] = n.to_be_bytes();
    [10, subnet, high, low]
}

fn mac(generation: u8, n: u32) -> Mac {
    let [_, _, high, low] = n.to_be_bytes();
    [2, 0x64, generation, 0, high, low]
}

fn neighbours(router: &Router, generation: u8) {
    let line = |n| {
        let [address, mac] = [device::address_text(address(64, n)), mac_text(mac(generation, n))];
        format!("neigh replace {address} lladdr {mac} dev swp2 nud permanent\n")
    };
    router.ip(&(1..=NEIGHBOURS).map(line).collect::<String>());
}

/// A router with so many neighbours, on which fabric-xdpd does not run yet.
fn crowded() -> Router {
    // The heart does not beat while the daemon compiles so many, which takes seconds on a busy machine.
    let router = Router::without_daemon("heartbeat_timeout_ms = 60000\n");
    router.ip("addr add 10.64.255.254/16 dev swp2\n");
    neighbours(&router, 1);
    router
}

/// Number of hosts in the maps with a target of this kind.
fn hosts(router: &Router, wanted: u32) -> usize {
    let maps = router.maps();
    let kinds = maps.hosts_table().iter().map(|(_, target, _)| split_target(target).0);
    kinds.filter(|kind| *kind == wanted).count()
}

/// Number of next hops in the maps.
fn nexthops(router: &Router) -> usize {
    router.maps().nexthops.iter().filter(|(_, nexthop)| nexthop.port != 0).count()
}

/// Both ends of the router's way from swp1 to swp2.
struct Wires {
    from: Wire,
    to: Wire,
    swp1: Mac,
}

impl Wires {
    fn of(router: &Router) -> Self {
        let link = router.query("link show dev swp1");
        let text = link[0]["address"].as_str().expect("it has an address").to_owned();
        let bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16).expect("two digits"));
        let swp1 = bytes.collect::<Vec<_>>().try_into().expect("six bytes");
        let open = || {
            // What programs redirect is received by NAPI, which needs GRO.
            device::run("ethtool", "-K p2 gro on").expect("veth devices can do that");
            ["p1", "p2"].map(|end| Wire::open(end).expect("the end of a port"))
        };
        let [from, to] = router.peers().enter(open).expect("the namespace exists");
        Self { from, to, swp1 }
    }

    /// The MAC address with which a packet to each address leaves.
    fn macs(&self, addresses: &[[u8; 4]]) -> BTreeMap<[u8; 4], Mac> {
        let client = Station { mac: [2, 0, 0, 0, 0, 1], ipv4: [10, 1, 1, 2], ipv6: [0; 16] };
        let mut macs = BTreeMap::new();
        for some in addresses.chunks(AT_ONCE) {
            for address in some {
                let host = Station { mac: self.swp1, ipv4: *address, ipv6: [0; 16] };
                self.from.send(&Frame::ipv4(&client, &host).bytes()).expect("it can be sent");
            }
            let deadline = Instant::now() + Duration::from_secs(20);
            while some.iter().any(|address| !macs.contains_key(address)) {
                let frame = self.to.receive(deadline).expect("the socket works");
                let frame = frame.unwrap_or_else(|| panic!("not all of {some:?} come out"));
                if frame[12..14] == [8, 0] && frame[26..30] == client.ipv4 {
                    let part = |at: usize| frame[at..at + 6].try_into().expect("six bytes");
                    macs.insert(frame[30..34].try_into().expect("four bytes"), part(0));
                }
            }
        }
        macs
    }

    /// Asserts that packets to these hosts behind their neighbours have the neighbours' MAC addresses,
    /// and that XDP routed them all.
    fn assert_right(&self, router: &Router, subnet: u8, generation: u8, hosts: &[u32]) {
        let maps = router.maps();
        let routed = || maps.ended(router.slot(&maps, "swp1"), Reason::Routed);
        let before = routed();
        let addresses: Vec<_> = hosts.iter().map(|n| address(subnet, *n)).collect();
        let macs = self.macs(&addresses);
        let wrong = hosts.iter().filter(|n| macs[&address(subnet, **n)] != mac(generation, **n));
        let wrong: Vec<_> = wrong.collect();
        let some = &wrong[..wrong.len().min(9)];
        assert!(wrong.is_empty(), "{} of {} go to others: {some:?}", wrong.len(), hosts.len());
        let by_xdp = routed() - before;
        let reasons = || router.daemon().fabricctl(&["counters", "reasons"]).1;
        assert_eq!(by_xdp, hosts.len() as u64, "the kernel forwarded some\n{}", reasons());
    }
}

#[test]
fn each_of_17500_neighbours_gets_its_own_packets_and_gives_its_next_hop_back() {
    let mut router = crowded();
    let all: Vec<u32> = (1..=NEIGHBOURS).collect();
    router.start();
    until(LONG, "all neighbours are hosts", || hosts(&router, KIND_NEXTHOP) == all.len());
    let wires = Wires::of(&router);
    wires.assert_right(&router, 64, 1, &all);

    // Each gets another next hop, and what it had is free again.
    neighbours(&router, 2);
    let changed = |router: &Router| {
        let maps = router.maps();
        let used = maps.nexthops.iter().filter(|(_, nexthop)| nexthop.port != 0);
        let new = used.filter(|(_, nexthop)| nexthop.macs[2] == 2).count();
        (new, nexthops(router))
    };
    until(LONG, "all have their new MAC and no other", || {
        changed(&router) == (all.len(), all.len())
    });
    wires.assert_right(&router, 64, 2, &all);

    let (gone, left): (Vec<u32>, Vec<u32>) = all.iter().partition(|n| **n % 3 == 0);
    let line = |n: &u32| format!("neigh del {} dev swp2\n", device::address_text(address(64, *n)));
    router.ip(&gone.iter().map(line).collect::<String>());
    until(LONG, "those that are gone have no next hop", || nexthops(&router) == left.len());
    wires.assert_right(&router, 64, 2, &left);

    // And a daemon that takes over counts who refers to what as its predecessor did.
    router.kill();
    router.start();
    assert_eq!(nexthops(&router), left.len());
    wires.assert_right(&router, 64, 2, &left);
}

#[test]
fn each_of_17500_groups_leads_to_its_own_neighbour() {
    let mut router = crowded();
    let all: Vec<u32> = (1..=NEIGHBOURS).collect();
    let line = |n: &u32| {
        let [neighbour, host] = [64, 65].map(|net| device::address_text(address(net, *n)));
        format!("nexthop add id {n} via {neighbour} dev swp2\nroute add {host} nhid {n}\n")
    };
    router.ip(&all.iter().map(line).collect::<String>());
    router.start();
    until(LONG, "all routes are there", || hosts(&router, KIND_GROUP) == all.len());
    assert_eq!(router.state().problems, Vec::<String>::new());
    Wires::of(&router).assert_right(&router, 65, 1, &all);
}
