//! What may happen to VLANs, bonds and VLAN devices.

use fabric_tests::random::Random;

/// Ports of the VLAN-aware bridge, at first.
const MEMBERS: [&str; 6] = ["a1", "a2", "bond0", "a3.8", "vx100", "vx200"];
/// Its ports and those of the other bridge.
const ALL: [&str; 9] = ["a1", "a2", "bond0", "a3.8", "a3.7", "bond0.9", "vx100", "vx200", "vx400"];

/// Devices that move to other namespaces, beside the ports.
pub(super) const MOVED: [&str; 6] = ["a3.7", "a3.8", "bond0.9", "vx100", "vx200", "vx400"];

/// A line of `bridge`.
pub(super) fn bridge(random: &mut Random) -> String {
    let member = *random.choose(&MEMBERS);
    let any = *random.choose(&ALL);
    let vxlan = *random.choose(&["vx100", "vx200", "vx400"]);
    let vlan = *random.choose(&["100", "200"]);
    let flag = *random.choose(&["on", "off"]);
    let remote = 1 + random.below(4);
    let local = 1 + random.below(6);
    let vtep = 2 + random.below(3);
    match random.below(20) {
        0..3 => {
            let flags = random.choose(&["", "untagged", "pvid", "pvid untagged", "pvid untagged"]);
            format!("vlan add vid {vlan} dev {member} {flags}")
        }
        3..5 => format!("vlan del vid {vlan} dev {member}"),
        5..8 => {
            let states =
                ["forwarding", "forwarding", "blocking", "learning", "listening", "disabled"];
            format!("vlan set vid {vlan} dev {member} state {}", random.choose(&states))
        }
        8 => format!("vlan {} vid 50-60 dev {member}", random.choose(&["add", "del"])),
        9 => {
            let verb = random.choose(&["add", "del"]);
            format!("vlan {verb} vid {vlan} dev br100 self {}", random.choose(&["", "pvid"]))
        }
        10 => format!("link set dev {any} isolated {flag}"),
        11 => format!("link set dev {any} learning {flag}"),
        12 => format!("link set dev {any} {} {flag}", random.choose(&["locked", "hairpin"])),
        13 => format!("link set dev {any} state {}", random.below(5)),
        14 => format!("link set dev {member} vlan_tunnel {flag}"),
        15 => format!("fdb del 02:00:00:cc:00:0{remote} dev {vxlan} master vlan {vlan}"),
        16 => format!(
            "fdb replace 02:00:00:cc:00:0{remote} dev {vxlan} dst 10.0.0.{vtep} self extern_learn"
        ),
        17 => format!(
            "fdb replace 02:00:00:cc:00:0{remote} dev {vxlan} master extern_learn vlan {vlan}"
        ),
        18 => format!("fdb replace 02:00:00:dd:00:0{local} dev {any} master static vlan {vlan}"),
        _ => format!("fdb del 02:00:00:dd:00:0{local} dev {any} master vlan {vlan}"),
    }
}

/// Lines of `ip`.
pub(super) fn ip(random: &mut Random) -> String {
    if random.below(2) == 0 { bond(random) } else { link(random) }
}

fn bond(random: &mut Random) -> String {
    let member = *random.choose(&["b1", "b2"]);
    let mode = *random.choose(&[
        "balance-rr",
        "balance-rr",
        "active-backup",
        "active-backup",
        "balance-xor",
        "balance-xor",
        "802.3ad",
        "broadcast",
        "balance-tlb",
    ]);
    let join = |member: &str| {
        format!("link set {member} down\nlink set {member} master bond0\nlink set {member} up")
    };
    match random.below(13) {
        0 => "link del bond0".into(),
        1 | 2 => format!(
            "link add bond0 address 02:00:00:ab:00:00 type bond mode {mode} miimon 20\nlink set bond0 up\n\
             {}\n{}\nlink set bond0 master br100",
            join("b1"),
            join("b2")
        ),
        // The mode changes only without members.
        3 | 4 => format!(
            "link set b1 nomaster\nlink set b2 nomaster\nlink set bond0 down\n\
             link set bond0 type bond mode {mode} miimon 20\n{}\n{}\nlink set bond0 up",
            join("b1"),
            join("b2")
        ),
        5 => join(member),
        6 => format!("link set {member} nomaster\nlink set {member} up"),
        7 => format!("link set {member} {}", random.choose(&["up", "up", "down"])),
        8 => format!("link set bond0 type bond active_slave {member}"),
        9 => format!("link set bond0 type bond primary {member}"),
        10 => format!("link set bond0 type bond all_slaves_active {}", random.below(2)),
        11 => format!("link set bond0 {}", random.choose(&["up", "up", "down"])),
        _ => format!("link set bond0 address 02:00:00:ab:00:0{}", random.below(2)),
    }
}

fn link(random: &mut Random) -> String {
    let (device, link, id) =
        *random.choose(&[("a3.7", "a3", 7), ("a3.8", "a3", 8), ("bond0.9", "bond0", 9)]);
    let any = *random.choose(&ALL);
    let bridge = *random.choose(&["br100", "br100", "br400"]);
    let vxlan = *random.choose(&["vx100", "vx200", "vx400"]);
    let up = *random.choose(&["up", "up", "down"]);
    match random.below(28) {
        0 => format!("link del {device}"),
        1 => format!("link add link {link} name {device} type vlan id {id}\nlink set {device} up"),
        2 => format!("link set {device} {up}"),
        3 => format!("link set {device} type vlan reorder_hdr {}", random.choose(&["on", "off"])),
        // Above a port of a bridge, of the underlay and above the bridge itself.
        4 => "link add link a2 name a2.9 type vlan id 9\nlink set a2.9 up master br400".into(),
        5 => "link add link a2 name a2.100 type vlan id 100\nlink set a2.100 up".into(),
        6 => format!("link del {}", random.choose(&["a2.9", "a2.100", "u1.5", "br100.100"])),
        7 => "link add link u1 name u1.5 type vlan id 5\nlink set u1.5 up".into(),
        8 => "link add link br100 name br100.100 type vlan id 100\nlink set br100.100 up".into(),
        9 | 10 => format!("link set br100 type bridge vlan_filtering {}", random.below(2)),
        11 => format!("link set br400 type bridge vlan_filtering {}", random.below(2)),
        12 => {
            let protocol = random.choose(&["802.1Q", "802.1Q", "802.1ad"]);
            format!("link set br100 type bridge vlan_protocol {protocol}")
        }
        13 => format!("link set {any} master {bridge}"),
        14 => format!("link set {any} nomaster"),
        15 => format!("link set {any} mtu {}", random.choose(&["1400", "1500", "1500"])),
        16 => format!("link set {any} {up}"),
        17 => format!("link set {bridge} {up}"),
        18 => format!("link del {}", random.choose(&[vxlan, bridge])),
        19 => format!(
            "link add {vxlan} type vxlan id {} local 10.0.0.1 dstport 4789 nolearning noudpcsum\n\
             link set {vxlan} up master {bridge}",
            &vxlan[2..]
        ),
        20 => format!("link set br100 type bridge stp_state {}", random.below(2)),
        21 => {
            let port = random.choose(&["r1", "u1"]);
            format!(
                "link add vrf77 type vrf table 77\nlink set vrf77 up\nlink set {port} master vrf77"
            )
        }
        22 => format!("link set {} nomaster", random.choose(&["r1", "u1"])),
        23 => "route replace 10.30.0.0/16 via 10.1.3.2 dev r1 table 77".into(),
        24 | 25 => {
            let to = random.choose(&["0", "0", "5"]);
            format!("link set {device} type vlan egress-qos-map 0:{to}")
        }
        // On a member of the bond.
        26 => "link add link b1 name b1.100 type vlan id 100\nlink set b1.100 up".into(),
        _ => "link del b1.100".into(),
    }
}
