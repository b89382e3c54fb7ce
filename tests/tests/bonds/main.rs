//! A bond as access port, with fabric-xdpd: what arrives at its members is forwarded, and only where the
//! bond takes it.
//!
//! ```text
//!   p1 --- swp1 \
//!                bond0 \
//!   p2 --- swp2 /       br10, VNI 10010
//!   p3 --- swp3 -------/
//! ```
//!
//! In `lacp` there is another bond at the other end, with the kernel as judge. `lab` has bonds in a lab.
//!
//! Needs the kernel's bonds; `cargo xtask vm` boots one that has them.

mod lab;
mod lacp;
mod site;

use std::time::{Duration, Instant};

use fabric_common::{
    reason::Reason,
    schema::{counters::reason_index, ports::FLAG_MEMBER},
};
use fabric_tests::{
    addresses::{HOST_A, HOST_B},
    device::mac_text,
    fabric::{Router, SOON, until},
    packet::Frame,
    wire::Wire,
};
use rustix::process::Signal;

/// Linux 6.1 gives a frame out of a veth a page, and the wire has room for 49 of those.
const BURST: usize = 40;

fn leaf(mode: &str) -> Router {
    let mut router = Router::without_daemon("");
    build(&router, mode);
    router.start();
    until(SOON, "the bond and the other port live", || {
        ["bond0", "swp3"].iter().all(|name| slot(&router, name).is_some_and(|(_, down)| !down))
    });
    router
}

/// Makes a bond of swp1 and swp2, and a bridge of that and swp3.
fn build(router: &Router, mode: &str) {
    router.ip(&format!(
        "link set swp1 down\nlink set swp2 down\naddr flush dev swp1\naddr flush dev swp2\n\
         addr flush dev swp3\nlink add bond0 type bond mode {mode} miimon 20\n\
         link set swp1 master bond0\nlink set swp2 master bond0\n\
         link add br10 type bridge mcast_snooping 0\n\
         link add vx10 type vxlan id 10010 local 10.0.0.1 dstport 4789 nolearning\n\
         link set vx10 master br10 up\nlink set bond0 master br10 up\n\
         link set swp3 master br10\nlink set br10 up\n"
    ));
    let [a, b] = [HOST_A, HOST_B].map(|host| mac_text(host.mac));
    router.bridge(&format!(
        "link set dev vx10 learning off\n\
         fdb add {a} dev bond0 master static\nfdb add {b} dev swp3 master static\n"
    ));
}

/// Slot of a port, and whether it is down.
fn slot(router: &Router, name: &str) -> Option<(u32, bool)> {
    let (maps, ifindex) = (router.maps(), router.ifindex(name));
    let port = maps.ports.iter().find(|(_, port)| port.ifindex == ifindex);
    port.map(|(slot, port)| (slot, port.down != 0))
}

/// Whether a port counts as its bond.
fn is_member(router: &Router, name: &str) -> bool {
    let slot = slot(router, name);
    slot.is_some_and(|(slot, _)| router.maps().ports.get(slot).flags & FLAG_MEMBER != 0)
}

fn bridged(router: &Router, name: &str) -> u64 {
    let Some((slot, _)) = slot(router, name) else { return 0 };
    let maps = router.maps();
    let row = maps.ports.get(slot).row.into();
    maps.reasons.get(reason_index(row, Reason::Bridged as u8)).map(|c| c.packets).sum()
}

/// Sends a burst into one wire: how many frames come out of others.
fn send(router: &Router, from: &str, to: &[&str], frame: &[u8]) -> usize {
    let open = |name: &str| router.peers().enter(|| Wire::open(name)).unwrap().unwrap();
    let (from, to) = (open(from), to.iter().map(|name| open(name)).collect::<Vec<_>>());
    for _ in 0..BURST {
        from.send(frame).expect("the frame can be sent");
    }
    let deadline = Instant::now() + Duration::from_secs(3);
    let mut arrived = 0;
    while arrived < BURST && Instant::now() < deadline {
        for wire in &to {
            while let Some(got) = wire.receive(Instant::now()).expect("the wire can be read") {
                arrived += usize::from(got == frame);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    arrived
}

#[test]
fn frames_that_arrive_at_members_of_a_bond_are_forwarded_in_every_mode_that_takes_programs() {
    for mode in ["balance-rr", "active-backup", "balance-xor"] {
        let router = leaf(mode);
        until(SOON, "a member is there", || slot(&router, "swp1").is_some());
        until(SOON, "it counts as the bond", || {
            let [bond, member] =
                ["bond0", "swp1"].map(|name| slot(&router, name).map_or(0, |s| s.0));
            member != 0 && u32::from(router.maps().ports.get(member).as_port) == bond
        });
        let there = Frame::ipv4(&HOST_A, &HOST_B).bytes();
        assert_eq!(send(&router, "p1", &["p3"], &there), BURST, "{mode}");
        assert!(bridged(&router, "swp1") >= BURST as u64 - 1, "{mode}");
        let back = Frame::ipv4(&HOST_B, &HOST_A).bytes();
        assert_eq!(send(&router, "p3", &["p1", "p2"], &back), BURST, "{mode}");
        assert!(bridged(&router, "swp3") >= BURST as u64 - 1, "{mode}");
    }
}

#[test]
fn a_routed_port_that_is_switched_off_can_join_a_bond_that_runs_the_program() {
    let mut router = Router::without_daemon("");
    router.ip("link set swp2 down\naddr flush dev swp2\naddr flush dev swp3\n\
         link add bond0 type bond mode balance-rr miimon 20\nlink set swp2 master bond0\n\
         link add br10 type bridge mcast_snooping 0\n\
         link add vx10 type vxlan id 10010 local 10.0.0.1 dstport 4789 nolearning\n\
         link set vx10 master br10 up\nlink set bond0 master br10 up\n\
         link set swp3 master br10\nlink set br10 up\n");
    let [a, b] = [HOST_A, HOST_B].map(|host| mac_text(host.mac));
    router.bridge(&format!(
        "link set dev vx10 learning off\n\
         fdb add {a} dev bond0 master static\nfdb add {b} dev swp3 master static\n"
    ));
    router.start();
    until(SOON, "the bond and the routed port live", || {
        ["bond0", "swp1"].iter().all(|name| slot(&router, name).is_some_and(|(_, down)| !down))
    });
    assert!(!is_member(&router, "swp1"));
    router.ip("link set swp1 down\n");
    until(SOON, "the program goes", || !router.ask_ip("link show swp1\n").contains("\"xdp\""));
    router.ip("addr flush dev swp1\nlink set swp1 master bond0\n");
    until(SOON, "the member is there", || is_member(&router, "swp1"));
    let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
    assert_eq!(send(&router, "p1", &["p3"], &frame), BURST);
}

#[test]
fn routed_ports_that_join_a_bond_while_the_daemon_sleeps_lose_their_programs_to_it() {
    let mut router = Router::without_daemon("");
    router.start();
    until(SOON, "the routed ports live", || {
        ["swp1", "swp2"].iter().all(|name| slot(&router, name).is_some_and(|(_, down)| !down))
    });
    router.daemon().signal(Signal::STOP);
    build(&router, "balance-rr");
    router.daemon().signal(Signal::CONT);
    until(SOON, "the bond lives", || slot(&router, "bond0").is_some_and(|(_, down)| !down));
    until(SOON, "members are there", || {
        ["swp1", "swp2"].iter().all(|name| is_member(&router, name))
    });
    let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
    assert_eq!(send(&router, "p1", &["p3"], &frame), BURST);
    assert!(!router.daemon().log().contains("no native XDP"), "{}", router.daemon().log());
}

#[test]
fn a_member_that_is_detached_is_the_kernels() {
    let router = leaf("balance-rr");
    until(SOON, "the member is there", || is_member(&router, "swp1"));
    assert_eq!(router.daemon().fabricctl(&["detach", "swp1"]).0, 0);
    until(SOON, "the member has gone", || slot(&router, "swp1").is_none());
    let before = bridged(&router, "bond0");
    let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
    assert_eq!(send(&router, "p1", &["p3"], &frame), BURST);
    assert_eq!(bridged(&router, "bond0"), before);
    assert_eq!(router.daemon().fabricctl(&["attach", "swp1"]).0, 0);
    until(SOON, "the member is there again", || is_member(&router, "swp1"));
}

#[test]
fn what_a_backup_receives_is_the_kernels_to_drop_until_it_is_active() {
    let router = leaf("active-backup");
    until(SOON, "the active member is there", || slot(&router, "swp1").is_some());
    assert!(slot(&router, "swp2").is_none());
    let frame = Frame::ipv4(&HOST_A, &HOST_B).bytes();
    assert_eq!(send(&router, "p2", &["p3"], &frame), 0);
    router.ip("link set bond0 type bond active_slave swp2\n");
    until(SOON, "the other member is there", || slot(&router, "swp2").is_some());
    until(SOON, "the first one has gone", || slot(&router, "swp1").is_none());
    assert_eq!(send(&router, "p2", &["p3"], &frame), BURST);
    assert_eq!(send(&router, "p1", &["p3"], &frame), 0);
    router.ip("link set swp1 nomaster\n");
    assert_eq!(send(&router, "p2", &["p3"], &frame), BURST);
}

#[test]
fn an_audit_corrects_nothing_of_a_bond_that_takes_no_programs() {
    let mut router = Router::without_daemon("audit_interval_s = 1\n");
    build(&router, "broadcast");
    router.start();
    until(SOON, "there were audits", || router.state().audits > 2);
    let state = router.state();
    assert!(state.declined.contains_key("bond0"), "{state:?}");
    assert_eq!(state.audit_corrections, 0, "{state:?}");
}
