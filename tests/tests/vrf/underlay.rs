//! Tunnels whose underlay is in a VRF: their socket is bound to the VRF that `dev` is (`__vxlan_sock_add`), sends by
//! its routes and hears of what arrives at its ports.

use std::net::IpAddr;

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_R, SPINE1_MAC, SPINE2_MAC},
    device::mac_text,
};

use crate::{
    site::{REPEATS, Site},
    tunnels::{leaf, move_port},
};

/// What differs between the families.
struct Ends {
    local: &'static str,
    remote: &'static str,
    /// The router behind each port.
    spines: [&'static str; 2],
    options: &'static str,
}

const V4: Ends = Ends {
    local: "192.0.2.1",
    remote: "192.0.2.2",
    spines: ["203.0.113.1", "203.0.113.3"],
    options: "",
};

const V6: Ends = Ends {
    local: "2001:db8:ff::1",
    remote: "2001:db8:ff::2",
    spines: ["fe80::51", "fe80::52"],
    options: "udp6zerocsumtx udp6zerocsumrx",
};

impl Ends {
    const fn is_ipv6(&self) -> bool {
        !self.options.is_empty()
    }

    /// The local address is one of this interface.
    fn give(&self, site: &Site, interface: &str) {
        match self.is_ipv6() {
            true => site.ip(&format!("addr add {}/128 dev {interface} nodad", self.local)),
            false => site.ip(&format!(
                "addr del {0}/32 dev lo\naddr add {0}/32 dev {interface}",
                self.local
            )),
        }
    }

    /// Leads packets to LEAF2 over a port, in the main table or in that of a VRF.
    fn lead(&self, site: &Site, port: usize, table: &str) {
        let spine = self.spines[port];
        let mac = [SPINE1_MAC, SPINE2_MAC][port];
        site.ip(&format!(
            "neigh replace {spine} lladdr {} dev up{port} nud permanent\n\
             route replace {} via {spine} dev up{port} onlink {table}",
            mac_text(mac),
            self.remote
        ));
    }

    /// Moves a port into the VRF or out of it, where the route over it stays one of the VRF's.
    fn move_port(&self, site: &Site, port: usize, to: &str) {
        move_port(site, port, to);
        self.lead(site, port, "table 100");
    }

    /// The vxlan device, bound to an interface.
    fn vxlan(&self, site: &Site, bound_to: &str) {
        let options = format!("local {} dev {bound_to} {}", self.local, self.options);
        site.vxlan(&options, self.remote);
    }

    fn arrive(&self, site: &Site, port: usize) -> usize {
        site.arrive_for(port, ip(self.remote), ip(self.local))
    }

    /// A leaf whose first uplink and whose local address are in the VRF blue, and its tunnel with them.
    fn leaf(&self) -> Site {
        let site = leaf();
        self.give(&site, "blue");
        self.move_port(&site, 0, "master blue");
        self.vxlan(&site, "blue");
        site
    }

    /// What is sent leaves by this port, by the kernel and by XDP.
    #[track_caller]
    fn leaves(&self, site: &Site, port: usize) {
        let mut expected = [0, 0];
        expected[port] = REPEATS;
        assert_eq!(site.judged(Site::leave), expected);
        site.settled(|site| {
            let before = site.met(Reason::Encapsulated);
            site.leave() == expected
                && site.met(Reason::Encapsulated) >= before + REPEATS as u64 - 2
        });
    }

    /// What arrives at this port is taken, by the kernel and by XDP.
    #[track_caller]
    fn taken(&self, site: &Site, port: usize) {
        assert_eq!(site.judged(|site| self.arrive(site, port)), REPEATS, "at up{port}");
        site.settled(|site| {
            let before = site.met(Reason::Decapsulated);
            self.arrive(site, port) == REPEATS
                && site.met(Reason::Decapsulated) >= before + REPEATS as u64
        });
    }

    /// What arrives at this port is taken by nobody.
    #[track_caller]
    fn refused(&self, site: &Site, port: usize) {
        assert_eq!(site.judged(|site| self.arrive(site, port)), 0, "at up{port}");
        let before = site.met(Reason::Decapsulated);
        assert_eq!(self.arrive(site, port), 0, "at up{port}");
        assert_eq!(site.met(Reason::Decapsulated), before, "at up{port}");
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn a_tunnel_whose_underlay_is_in_a_vrf_is_carried_there_and_ends_nowhere_else() {
    for ends in [V4, V6] {
        let site = ends.leaf();
        for accept in ["0", "1"] {
            site.sysctl("ipv4/udp_l3mdev_accept", accept);
            ends.leaves(&site, 0);
            ends.taken(&site, 0);
            ends.refused(&site, 1);
        }
        assert_eq!(site.problems(), "");
        // A way outside the VRF does not count, and one of the VRF that leads out of it does.
        ends.lead(&site, 1, "");
        ends.leaves(&site, 0);
        ends.lead(&site, 1, "table 100");
        ends.leaves(&site, 1);
        ends.refused(&site, 1);
        // An entry may name the VRF, as that of a device without does by itself.
        let station = mac_text(HOST_R.mac);
        site.bridge(&format!(
            "fdb replace {station} dev vx100 dst {} via blue self static",
            ends.remote
        ));
        ends.leaves(&site, 1);
        // What is sent and taken by a VRF that is down is the kernel's.
        site.ip("link set blue down");
        site.settled(|site| site.problems().contains("in the VRF blue, which is down"));
        let before = site.met(Reason::Encapsulated);
        site.judged(Site::leave);
        assert_eq!(site.met(Reason::Encapsulated), before);
    }
}

#[test]
fn an_uplink_that_moves_into_the_vrf_or_out_of_it_takes_its_tunnels_with_it() {
    for ends in [V4, V6] {
        let site = ends.leaf();
        for _ in 0..2 {
            ends.leaves(&site, 0);
            ends.taken(&site, 0);
            // Its routes go with the move.
            move_port(&site, 0, "nomaster");
            assert_eq!(site.judged(Site::leave), [0, 0]);
            ends.refused(&site, 0);
            ends.lead(&site, 0, "table 100");
            ends.leaves(&site, 0);
            ends.refused(&site, 0);
            // Another one comes in its place.
            ends.move_port(&site, 1, "master blue");
            ends.leaves(&site, 1);
            ends.taken(&site, 1);
            ends.refused(&site, 0);
            ends.move_port(&site, 0, "master blue");
            move_port(&site, 1, "nomaster");
        }
    }
}

#[test]
fn a_tunnel_whose_address_is_not_the_vrfs_is_left_to_the_kernel_and_named() {
    for ends in [V4, V6] {
        let site = ends.leaf();
        ends.leaves(&site, 0);
        let length = if ends.is_ipv6() { 128 } else { 32 };
        site.ip(&format!(
            "addr del {0}/{length} dev blue\naddr add {0}/{length} dev lo{1}",
            ends.local,
            if ends.is_ipv6() { " nodad" } else { "" }
        ));
        site.settled(|site| site.problems().contains("which no interface in the VRF blue has"));
        let by_xdp = || [Reason::Encapsulated, Reason::Decapsulated].map(|reason| site.met(reason));
        let before = by_xdp();
        // Rules lead to the addresses outside VRFs first.
        site.judged(Site::leave);
        site.judged(|site| ends.arrive(site, 0));
        assert_eq!(by_xdp(), before);
    }
}

/// One without a local address hears of every VTEP, outside VRFs only. The kernel lets sockets in and outside a VRF be on
/// different UDP ports only (`udp_lib_lport_inuse`).
#[test]
fn a_tunnel_outside_vrfs_gets_nothing_of_what_is_in_one() {
    let site = leaf();
    move_port(&site, 0, "master blue");
    site.ip("addr add 192.0.2.21/32 dev blue\n\
             link add br200 type bridge mcast_snooping 0\nlink set br200 addrgenmode none up\n\
             link add vx200 mtu 1500 type vxlan id 200 local 192.0.2.21 dev blue dstport 4790 nolearning\n\
             link set vx200 addrgenmode none master br200 up");
    site.bridge(
        "link set dev vx200 learning off\n\
                 fdb add 02:00:00:00:00:77 dev vx200 dst 192.0.2.2 self static\n\
                 fdb add 02:00:00:00:00:77 dev vx200 master static",
    );
    site.vxlan("", V4.remote);
    V4.lead(&site, 0, "table 100");
    V4.lead(&site, 1, "");
    V4.leaves(&site, 1);
    let to = |site: &Site, port, to| site.arrive_for(port, ip(V4.remote), ip(to));
    site.settled(|site| {
        let before = site.met(Reason::Decapsulated);
        to(site, 1, "203.0.113.2") == REPEATS
            && site.met(Reason::Decapsulated) >= before + REPEATS as u64
    });
    for (port, address) in [(0, "192.0.2.21"), (0, "203.0.113.0"), (1, "192.0.2.21")] {
        assert_eq!(site.judged(|site| to(site, port, address)), 0, "up{port}, {address}");
    }
    site.settled(|site| site.problems().contains("what arrives in VRFs for tunnels over IPv4"));
    // It has an address, and nothing stands in the way.
    site.vxlan("local 192.0.2.1", V4.remote);
    site.settled(|site| site.problems().is_empty());
    V4.taken(&site, 1);
    for (port, address) in [(0, "192.0.2.21"), (0, "192.0.2.1"), (1, "192.0.2.21")] {
        assert_eq!(site.judged(|site| to(site, port, address)), 0, "up{port}, {address}");
    }
}

#[test]
fn of_two_tunnels_with_one_vni_in_two_vrfs_one_is_left_to_the_kernel() {
    let site = V4.leaf();
    // The kernel lets both be if an option of their sockets differs.
    site.ip("link add red type vrf table 101\nlink set red up\naddr add 192.0.2.21/32 dev red\n\
             link add br200 type bridge mcast_snooping 0\nlink set br200 addrgenmode none up\n\
             link add vx200 mtu 1500 type vxlan id 10100 local 192.0.2.21 dev red dstport 4789 \
             udp6zerocsumrx nolearning\n\
             link set vx200 addrgenmode none master br200 up");
    move_port(&site, 1, "master red");
    site.settled(|site| site.problems().contains("vx200 has the VNI 10100 on the UDP port 4789"));
    V4.leaves(&site, 0);
    V4.taken(&site, 0);
    let in_red = |site: &Site| site.arrive_for(1, ip(V4.remote), ip("192.0.2.21"));
    assert_eq!(site.judged(in_red), 0, "they are another bridge's");
}

/// Which VRF it is, the kernel looks up when the device comes up.
#[test]
fn a_vxlan_device_bound_to_a_port_in_a_vrf_is_left_to_the_kernel_and_named() {
    let site = leaf();
    V4.give(&site, "blue");
    V4.move_port(&site, 0, "master blue");
    V4.vxlan(&site, "up0");
    site.settled(|site| site.problems().contains("vx100 is bound to up0 (`dev up0`)"));
    let before = [Reason::Encapsulated, Reason::Decapsulated].map(|reason| site.met(reason));
    assert_eq!(site.judged(Site::leave), [REPEATS, 0]);
    assert_eq!(site.judged(|site| V4.arrive(site, 0)), REPEATS);
    assert_eq!(site.judged(|site| V4.arrive(site, 1)), 0);
    let after = [Reason::Encapsulated, Reason::Decapsulated].map(|reason| site.met(reason));
    assert_eq!(before, after);
}

/// Nobody tells in which VRF the socket of a device is, which came up when its port was elsewhere.
#[test]
fn a_vxlan_device_whose_port_moves_between_vrfs_is_the_kernels_until_it_comes_up_anew() {
    const IN_ONE: &str = "vx100 is bound to up0 (`dev up0`), which is in the VRF";
    const OUT: &str = "vx100 came up when what it is bound to was in another VRF, or in none";
    let site = leaf();
    site.ip("link add red type vrf table 101\nlink set red up");
    V4.vxlan(&site, "up0");
    V4.leaves(&site, 0);
    V4.taken(&site, 0);
    let by_xdp = || [Reason::Encapsulated, Reason::Decapsulated].map(|reason| site.met(reason));
    for (to, table, why) in [
        ("master blue", "table 100", IN_ONE),
        ("master red", "table 101", IN_ONE),
        ("nomaster", "", OUT),
    ] {
        move_port(&site, 0, to);
        V4.lead(&site, 0, table);
        site.settled(|site| site.problems().contains(why));
        let before = by_xdp();
        site.judged(Site::leave);
        site.judged(|site| V4.arrive(site, 0));
        assert_eq!(by_xdp(), before, "{to}");
    }
    site.ip("link set vx100 down\nlink set vx100 up");
    V4.leaves(&site, 0);
    V4.taken(&site, 0);
    assert_eq!(site.problems(), "");
}
