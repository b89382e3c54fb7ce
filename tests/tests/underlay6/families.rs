//! Two vxlan devices with one VNI and one UDP port: the kernel lets each family have its own.
//!
//! ```text
//!            / swp3 -- br4 -- vx4 (VNI 100, 192.0.2.1)
//!   swp1 --
//!            \ swp4 -- br6 -- vx6 (VNI 100, 2001:db8:ff::1)
//! ```

use std::time::{Duration, Instant};

use fabric_common::{
    reason::Reason,
    schema::domains::{Domain, FLAG_IN_USE, FLAG_IPV6},
};
use fabric_tests::{
    addresses::{Mac, Station},
    device,
    fabric::{Router, until},
    packet::{Frame, Vxlan, Vxlan6},
    wire::Wire,
};

const VNI: u32 = 100;
const LOCAL: [u8; 4] = [192, 0, 2, 1];
const REMOTE: [u8; 4] = [192, 0, 2, 2];
const LOCAL6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const REMOTE6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const BEHIND_VTEP: Station =
    Station { mac: [2, 0, 0, 0, 0x10, 1], ipv4: [10, 9, 0, 1], ipv6: [0; 16] };
const ON_SWP3: Station = Station { mac: [2, 0, 0, 0, 0x10, 3], ipv4: [10, 9, 0, 3], ipv6: [0; 16] };
const ON_SWP4: Station = Station { mac: [2, 0, 0, 0, 0x10, 4], ipv4: [10, 9, 0, 4], ipv6: [0; 16] };
const SWP1: Mac = [2, 0, 0, 0, 0x20, 1];

/// Makes the devices of both families.
fn build(router: &Router) {
    router.ip(
        "link set swp1 address 02:00:00:00:20:01\n\
         addr add 192.0.2.1/32 dev lo\naddr add 2001:db8:ff::1/128 dev lo\n\
         addr flush dev swp3\naddr flush dev swp4\n\
         link add br4 type bridge mcast_snooping 0\nlink add br6 type bridge mcast_snooping 0\n\
         link set br4 up\nlink set br6 up\nlink set swp3 master br4\nlink set swp4 master br6\n\
         link add vx4 mtu 1450 type vxlan id 100 local 192.0.2.1 dstport 4789 nolearning noudpcsum\n\
         link add vx6 mtu 1430 type vxlan id 100 local 2001:db8:ff::1 dstport 4789 nolearning \
           udp6zerocsumtx udp6zerocsumrx\n\
         link set vx4 master br4\nlink set vx6 master br6\n\
         route add 192.0.2.2/32 via 10.1.1.2\nroute add 2001:db8:ff::2/128 via 2001:db8:1::2\n",
    );
    let mut lines = String::new();
    for (vxlan, remote, port, station) in
        [("vx4", "192.0.2.2", "swp3", ON_SWP3), ("vx6", "2001:db8:ff::2", "swp4", ON_SWP4)]
    {
        let [there, here] = [BEHIND_VTEP, station].map(|station| device::mac_text(station.mac));
        lines += &format!(
            "link set dev {vxlan} learning off\n\
             fdb add 00:00:00:00:00:00 dev {vxlan} dst {remote} self permanent\n\
             fdb add {there} dev {vxlan} dst {remote} self static\n\
             fdb add {there} dev {vxlan} master static\n\
             fdb add {here} dev {port} master static\n"
        );
    }
    router.bridge(&lines);
    router.ip("link set vx4 up\nlink set vx6 up\n");
    router.know_neighbours();
}

/// The frame that comes out of a port for a station within some seconds.
fn received(wire: &Wire, station: &Station) -> Vec<u8> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let frame = wire.receive(deadline).expect("the socket works").expect("the frame comes out");
        if frame.starts_with(&station.mac) {
            return frame;
        }
    }
}

#[test]
fn one_vni_and_port_of_two_families_are_two_bridges_and_no_audit_changes_that() {
    let mut router = Router::without_daemon("audit_interval_s = 1\n");
    build(&router);
    router.start();
    let vnis = |router: &Router| router.maps().vnis.table().iter().count();
    until(Duration::from_secs(20), "both VNIs are known", || vnis(&router) == 2);

    let open = || {
        ["p1", "p3", "p4"].map(|end| {
            // What programs redirect is received by NAPI, which needs GRO.
            device::run("ethtool", &format!("-K {end} gro on")).expect("veth devices can do that");
            Wire::open(end).expect("the end of a port")
        })
    };
    let [p1, p3, p4] = router.peers().enter(open).expect("the namespace exists");
    let over4 = Vxlan { destination_mac: SWP1, ..Vxlan::new(REMOTE, LOCAL, VNI) };
    let over6 = Vxlan6 { destination_mac: SWP1, ..Vxlan6::new(REMOTE6, LOCAL6, VNI) };
    for _ in 0..3 {
        let audits = router.state().audits;
        for turn in 0..10 {
            let frame = |to| Frame::ipv4(&BEHIND_VTEP, to).ports([turn, 7]).bytes();
            p1.send(&over4.around(&frame(&ON_SWP3))).expect("it can be sent");
            p1.send(&over6.around(&frame(&ON_SWP4))).expect("it can be sent");
            assert_eq!(received(&p3, &ON_SWP3), frame(&ON_SWP3));
            assert_eq!(received(&p4, &ON_SWP4), frame(&ON_SWP4));
        }
        until(Duration::from_secs(60), "there was another audit", || {
            router.state().audits > audits
        });
    }
    let met = |reason| router.maps().ended_anywhere(reason);
    assert_eq!(met(Reason::Decapsulated), 60, "all were XDP's");
    let state = router.state();
    assert_eq!(state.audit_corrections, 0, "an audit corrected what was right");
    assert_eq!(state.problems, Vec::<String>::new());

    // A station of the other family's bridge is unknown.
    let frame = Frame::ipv4(&BEHIND_VTEP, &ON_SWP4).bytes();
    p1.send(&over4.around(&frame)).expect("it can be sent");
    until(Duration::from_secs(10), "it is left to the kernel", || {
        met(Reason::BridgeDeliverUnknown) == 1
    });
}

/// Packets on their way must not see the VNI of one tunnel with the UDP port of the other.
#[test]
fn a_tunnel_that_changes_in_several_fields_gets_another_entry_and_the_old_one_stays_as_it_was() {
    let mut router = Router::without_daemon("");
    build(&router);
    router.start();
    let used = |router: &Router, vni: u32| {
        let maps = router.maps();
        let mut all = maps.domains.iter().filter(|(_, d)| d.flags & FLAG_IN_USE != 0);
        all.find(|(_, domain)| domain.vni == vni && domain.flags & FLAG_IPV6 == 0)
    };
    let (old, before) = used(&router, VNI).expect("the domain of the tunnel over IPv4");
    router.ip(
        "link del vx4\n\
         link add vx4 mtu 1400 type vxlan id 200 local 192.0.2.1 dstport 8472 nolearning noudpcsum\n\
         link set vx4 master br4\n",
    );
    router.bridge("link set dev vx4 learning off\n");
    router.ip("link set vx4 up\n");
    until(Duration::from_secs(20), "the new tunnel is known", || used(&router, 200).is_some());
    let (new, now) = used(&router, 200).expect("it was there");
    assert_ne!(old, new, "the entry changed under packets on their way");
    assert_eq!((now.udp_port_be, now.max_frame), (8472_u16.to_be(), 1_414));
    let freed = router.maps().domains.get(old);
    let unused = Domain { flags: before.flags & !FLAG_IN_USE, ..before };
    assert_eq!(freed, unused, "what a packet on its way may still read");
    assert_eq!(used(&router, VNI), None);
}
