//! What may happen to a leaf.

mod vlans;

use std::time::Duration;

use fabric_tests::random::Random;
use rustix::process::Signal;

use crate::{
    leaf::{Leaf, PORTS, mac, stranger},
    shape::Shape,
};

/// Does something, and says what.
pub(crate) fn operate(leaf: &mut Leaf, random: &mut Random) -> String {
    match random.below(10) {
        0 => daemon(leaf, random),
        1..3 => port(leaf, random),
        3 => sysctl(leaf, random),
        4 => run_bridge(leaf, random),
        _ => run_ip(leaf, random),
    }
}

/// The daemon sleeps, is killed or ended, while something else happens.
fn daemon(leaf: &mut Leaf, random: &mut Random) -> String {
    let (how, signal) = match random.below(3) {
        0 => {
            leaf.daemon.signal(Signal::STOP);
            let meanwhile = [operate_kernel(leaf, random), operate_kernel(leaf, random)];
            // Sometimes until the heartbeat has expired, sometimes not.
            std::thread::sleep(Duration::from_millis(*random.choose(&[20, 1_500])));
            leaf.daemon.signal(Signal::CONT);
            return format!(
                "fabric-xdpd stopped and continued; meanwhile {}",
                meanwhile.join("; ")
            );
        }
        1 => ("killed", Signal::KILL),
        _ => ("ended", Signal::TERM),
    };
    leaf.daemon.end(signal);
    let meanwhile: Vec<_> = (0..random.below(4)).map(|_| operate_kernel(leaf, random)).collect();
    std::thread::sleep(Duration::from_millis(*random.choose(&[0, 1_500])));
    leaf.start();
    format!("fabric-xdpd {how} and started; meanwhile {}", meanwhile.join("; "))
}

/// As [`operate`], but nothing happens to the daemon.
fn operate_kernel(leaf: &mut Leaf, random: &mut Random) -> String {
    match random.below(4) {
        0 => port(leaf, random),
        1 => run_bridge(leaf, random),
        _ => run_ip(leaf, random),
    }
}

fn run_bridge(leaf: &Leaf, random: &mut Random) -> String {
    let line = match leaf.shape {
        Shape::Plain => bridge(random),
        Shape::Vlans => vlans::bridge(random),
    };
    leaf.bridge(&format!("{line}\n"));
    format!("bridge {line}")
}

fn run_ip(leaf: &Leaf, random: &mut Random) -> String {
    let lines = match (leaf.shape, leaf.shape == Shape::Vlans && random.below(3) > 0) {
        (Shape::Plain, _) if random.below(30) == 0 => {
            let device = *random.choose(&["vx100", "vx200"]);
            return away(leaf, device, random);
        }
        (Shape::Plain, _) => ip(random, 0),
        (Shape::Vlans, false) => ip(random, ROUTING),
        (Shape::Vlans, true) => match random.below(8) {
            0 => {
                let device = *random.choose(&vlans::MOVED);
                return away(leaf, device, random);
            }
            _ => vlans::ip(random),
        },
    };
    leaf.ip(&format!("{lines}\n"));
    format!("ip {}", lines.replace('\n', "; "))
}

/// A port goes away and comes back, elsewhere, with the same index or another one.
fn port(leaf: &Leaf, random: &mut Random) -> String {
    let port = *random.choose(leaf.shape.ports());
    let number = PORTS.iter().position(|each| *each == port).unwrap_or_default();
    let again = random.below(2) == 0;
    let settle = |leaf: &Leaf| {
        if again {
            let [ip, bridge] = leaf.shape.settle(port);
            leaf.ip(&ip);
            leaf.bridge(&bridge);
        }
    };
    match random.below(6) {
        0 => {
            leaf.ip(&format!("link del {port}\n"));
            let index = if random.below(2) == 0 { Some(100 + number as u32) } else { None };
            leaf.remake(port, index);
            settle(leaf);
            format!("{port} made anew with index {index:?}, in its place: {again}")
        }
        1 => {
            leaf.ip(&format!("link del {port}\n"));
            format!("{port} deleted")
        }
        2 => {
            let away = leaf.away.name();
            leaf.ip(&format!("link set {port} netns {away}\n"));
            let back = format!("link set {port} netns {}\n", leaf.netns.name());
            leaf.away.force("ip", &[], &back);
            leaf.ip(&format!("link set {port} up\n"));
            settle(leaf);
            format!("{port} moved to another namespace and back, in its place: {again}")
        }
        3 => {
            // Its index goes to another device, whose other end is the same for the leaf's peers.
            let away = leaf.away.name();
            leaf.ip(&format!("link set {port} netns {away}\n"));
            leaf.remake(port, Some(100 + number as u32));
            leaf.away.force("ip", &[], &format!("link del {port}\n"));
            leaf.remake(port, None);
            settle(leaf);
            format!("{port} moved away for good, another one in its place: {again}")
        }
        4 => {
            let peer = format!("link set p{port} {}\n", random.choose(&["down", "up"]));
            leaf.peers.force("ip", &[], &peer);
            format!("at the other end: {}", peer.trim())
        }
        _ => {
            let (from, to) = (format!("p{port}"), random.below(2) == 0);
            let gro = || fabric_tests::device::run("ethtool", &format!("-K {from} gro {}", on(to)));
            let _gone = leaf.peers.enter(gro);
            format!("gro of p{port}: {}", on(to))
        }
    }
}

const fn on(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn sysctl(leaf: &Leaf, random: &mut Random) -> String {
    let (key, values): (&str, &[&str]) = *random.choose(&[
        ("ipv4/conf/all/rp_filter", &["0", "0", "1", "2"][..]),
        ("ipv4/conf/r1/rp_filter", &["0", "1", "2"]),
        ("ipv4/conf/u1/rp_filter", &["0", "1"]),
        ("ipv4/ip_forward", &["0", "1", "1"]),
        ("ipv6/conf/all/forwarding", &["0", "1", "1"]),
        ("ipv4/fib_multipath_hash_policy", &["0", "1", "2"]),
        ("ipv4/ip_default_ttl", &["64", "99"]),
        ("ipv4/conf/r1/forwarding", &["0", "1", "1"]),
    ]);
    let value = *random.choose(values);
    leaf.sysctl(key, value);
    format!("sysctl {key}={value}")
}

/// A line of `bridge` for plain bridges.
fn bridge(random: &mut Random) -> String {
    let access = *random.choose(&["a1", "a2", "a3"]);
    let vxlan = *random.choose(&["vx100", "vx200"]);
    let flag = *random.choose(&["on", "off"]);
    let remote = 1 + random.below(3);
    let local = 1 + random.below(3);
    let vtep = 2 + random.below(3);
    match random.below(14) {
        0 => format!("link set dev {vxlan} learning {flag}"),
        1 => format!("link set dev {vxlan} isolated {flag}"),
        2 => format!("link set dev {vxlan} locked {flag}"),
        3 => format!("link set dev {access} isolated {flag}"),
        4 => format!("link set dev {access} locked {flag}"),
        5 => format!("link set dev {access} learning {flag}"),
        6 => format!("link set dev {access} state {}", random.below(5)),
        7 => format!("link set dev {access} hairpin {flag}"),
        8 => format!("fdb del 02:00:00:cc:00:0{remote} dev {vxlan} master"),
        9 => format!(
            "fdb replace 02:00:00:cc:00:0{remote} dev {vxlan} dst 10.0.0.{vtep} self extern_learn"
        ),
        10 => format!("fdb replace 02:00:00:cc:00:0{remote} dev {vxlan} master extern_learn"),
        11 => format!("fdb replace 02:00:00:cc:00:0{remote} dev {access} master static"),
        12 => format!("fdb replace 02:00:00:dd:00:0{local} dev {access} master static"),
        _ => format!("fdb del 02:00:00:dd:00:0{local} dev {access} master"),
    }
}

/// Of the lines of `ip` those from here on are about what is routed.
const ROUTING: usize = 18;
/// How many there are.
const LINES: usize = 34;

/// A line of `ip`, from this one on.
fn ip(random: &mut Random, first: usize) -> String {
    let port = *random.choose(Shape::Plain.ports());
    let routed = *random.choose(&["u1", "u2", "r1"]);
    let number = PORTS.iter().position(|each| *each == routed).unwrap_or_default() - 2;
    let vxlan = *random.choose(&["vx100", "vx200"]);
    let bridge = *random.choose(&["br100", "br200"]);
    let up = *random.choose(&["up", "up", "down"]);
    let vtep = 2 + random.below(3);
    let verb = *random.choose(&["add", "add", "del"]);
    match first + random.below(LINES - first) {
        0 => format!("link set {port} {up}"),
        1 => format!("link set {bridge} {up}"),
        2 => format!("link set {vxlan} {up}"),
        3 => format!("link set {port} mtu {}", random.choose(&["1400", "1500", "1600"])),
        4 => format!("link set {vxlan} mtu {}", random.choose(&["1400", "1500"])),
        5 => format!("link set {port} master {bridge}"),
        6 => format!("link set {port} nomaster"),
        7 => format!("link set {vxlan} master {bridge}"),
        8 => format!("link del {vxlan}"),
        9 => format!("link del {bridge}"),
        10 => format!(
            "link add {vxlan} type vxlan id {} local 10.0.0.1 dstport 4789 nolearning noudpcsum ttl 9",
            &vxlan[2..]
        ),
        11 => format!(
            "link set {vxlan} type vxlan id {} tos {} df {}",
            &vxlan[2..],
            random.choose(&["0", "inherit", "0x20"]),
            random.choose(&["set", "unset", "inherit"])
        ),
        12 => {
            format!("link set {bridge} type bridge ageing_time {}", random.choose(&["0", "30000"]))
        }
        13 => format!("link set {bridge} type bridge stp_state {}", random.below(2)),
        14 => {
            let mut mac = mac(port, false);
            mac[4] = random.below(2) as u8;
            format!("link set {port} address {}", fabric_tests::device::mac_text(mac))
        }
        15 => format!("link set {bridge} promisc {}", random.choose(&["on", "off"])),
        16 => format!(
            "link add link {bridge} name mv0 address 02:00:00:dd:00:0{} type macvlan mode bridge\n\
             link set mv0 up",
            1 + random.below(9)
        ),
        17 => "link del mv0".into(),
        18 => format!("addr {verb} 10.0.0.1/32 dev lo"),
        19 => format!("addr {verb} 10.1.{number}.1/24 dev {routed}"),
        20 => format!("addr {verb} 10.30.0.9/32 dev lo"),
        21 => format!("neigh del 10.1.{number}.2 dev {routed}"),
        22 => {
            let own = mac(routed, true);
            let stranger = stranger(routed);
            let mac = fabric_tests::device::mac_text(*random.choose(&[own, stranger]));
            format!("neigh replace 10.1.{number}.2 lladdr {mac} dev {routed} nud permanent")
        }
        23 => format!("nexthop del id {}", random.choose(&["1", "2", "3", "4", "10", "20"])),
        24 => {
            let to = 1 + random.below(2);
            format!("nexthop replace id {} via 10.1.{to}.2 dev u{to}", 1 + random.below(2))
        }
        25 => format!("nexthop replace id 10 group {}", random.choose(&["1", "2", "1/2", "1,3/2"])),
        26 => format!("route replace 10.0.0.{vtep}/32 via 10.1.{}.2", 1 + random.below(2)),
        27 => format!("route {verb} blackhole 10.30.0.0/24"),
        28 => format!("route {verb} 10.0.0.{vtep}/32 via 10.1.1.2 mtu 1500"),
        29 => format!("route del 10.0.0.{vtep}/32"),
        30 => format!("rule {verb} to 10.0.0.{vtep} pref 100 blackhole"),
        31 => format!("rule {verb} iif {routed} pref 101 lookup 77"),
        32 => {
            format!("xfrm policy {verb} src 10.0.0.1/32 dst 10.0.0.{vtep}/32 dir out action block")
        }
        _ => format!("xfrm policy {verb} src 0.0.0.0/0 dst 10.30.0.0/16 dir fwd action block"),
    }
}

/// A device goes to another namespace and comes back.
fn away(leaf: &Leaf, device: &str, random: &mut Random) -> String {
    leaf.ip(&format!("link set {device} netns {}\n", leaf.away.name()));
    leaf.away.force("ip", &[], &format!("link set {device} netns {}\n", leaf.netns.name()));
    let again = random.below(2) == 0;
    if again {
        let [ip, bridge] = leaf.shape.settle(device);
        leaf.ip(&ip);
        leaf.bridge(&bridge);
    }
    format!("{device} moved to another namespace and back, in its place: {again}")
}
