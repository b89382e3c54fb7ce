//! States and options of bridge ports that decide where a frame goes, through fabric-xdpd.

use std::time::Instant;

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{BROADCAST, HOST_A, HOST_B, HOST_R, MULTICAST, STRANGER},
    device::mac_text,
    fabric::PATIENCE,
    judged::{Fate, Judged, all_at, all_at_each, frame},
    packet::Frame,
};

#[test]
fn a_locked_port_lets_in_hosts_that_are_known_there() {
    let mut site = Judged::new();
    let known = frame(HOST_A.mac, HOST_R.mac);
    site.bridge("link set dev acc0 locked on\n");
    assert_eq!(site.as_by_the_kernel("acc0", &known), all_at("up0"));
    assert!(site.met(Reason::Encapsulated) > 0);
    for source in [STRANGER.mac, HOST_B.mac, HOST_R.mac] {
        let other = frame(source, HOST_R.mac);
        assert_eq!(site.as_by_the_kernel("acc0", &other), Fate::new(), "{source:02x?}");
    }
    let stranger = frame(STRANGER.mac, HOST_R.mac);
    site.bridge("link set dev acc0 locked off\n");
    let encapsulated = site.met(Reason::Encapsulated);
    assert_eq!(site.as_by_the_kernel("acc0", &stranger), all_at("up0"));
    assert_eq!(site.as_by_the_kernel("acc0", &known), all_at("up0"));
    assert!(site.met(Reason::Encapsulated) > encapsulated);
}

#[test]
fn a_hairpin_port_sends_frames_back_to_its_other_hosts() {
    let mut site = Judged::new();
    let neighbour = frame(HOST_A.mac, STRANGER.mac);
    assert_eq!(site.as_by_the_kernel("acc0", &frame(STRANGER.mac, HOST_B.mac)), all_at("acc1"));
    assert_eq!(site.as_by_the_kernel("acc0", &neighbour), Fate::new());
    for _ in 0..2 {
        site.bridge("link set dev acc0 hairpin on\n");
        by_xdp(&mut site, "acc0", &neighbour, "acc0");
        // An isolated port does not reach itself.
        site.bridge("link set dev acc0 isolated on\n");
        assert_eq!(site.as_by_the_kernel("acc0", &neighbour), Fate::new());
        assert_eq!(site.as_by_the_kernel("acc0", &frame(HOST_A.mac, HOST_R.mac)), all_at("up0"));
        site.bridge("link set dev acc0 isolated off\n");
        by_xdp(&mut site, "acc0", &neighbour, "acc0");
        by_xdp(&mut site, "acc0", &frame(HOST_A.mac, HOST_B.mac), "acc1");
        site.bridge("link set dev acc0 hairpin off\n");
        assert_eq!(site.as_by_the_kernel("acc0", &neighbour), Fate::new());
    }
    site.wait_no_problem();
}

/// Asks until the fast path forwards as well.
#[track_caller]
fn by_xdp(site: &mut Judged, port: &str, frame: &Frame, to: &str) {
    let (start, before) = (Instant::now(), site.met(Reason::Bridged));
    while site.met(Reason::Bridged) == before {
        assert_eq!(site.as_by_the_kernel(port, frame), all_at(to));
        assert!(start.elapsed() < PATIENCE, "nothing is bridged: {:?}", site.state().problems);
    }
}

#[test]
fn a_port_without_a_carrier_is_stood_in_for_by_its_backup() {
    let mut site = Judged::new();
    let (arriving, local) = (frame(HOST_R.mac, HOST_A.mac), frame(HOST_B.mac, HOST_A.mac));
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc0"));
    site.bridge("link set dev acc0 backup_port acc1\n");
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc0"));
    assert!(site.met(Reason::Decapsulated) > 0);
    site.outside().ip("link set acc0p down\n");
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc1"));
    // Not even a backup is sent what it has brought.
    assert_eq!(site.as_by_the_kernel("acc1", &local), Fate::new());
    site.outside().ip("link set acc0p up\n");
    let decapsulated = site.met(Reason::Decapsulated);
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc0"));
    assert!(site.met(Reason::Decapsulated) > decapsulated);
}

/// Case TR-03: ingress_spanning_tree_filter.
#[test]
fn ports_that_do_not_forward_let_nothing_in_or_out() {
    let mut site = Judged::new();
    let (local, remote) = (frame(HOST_A.mac, HOST_B.mac), frame(HOST_A.mac, HOST_R.mac));
    let (reply, arriving) = (frame(HOST_B.mac, HOST_A.mac), frame(HOST_R.mac, HOST_A.mac));
    // Disabled, listening, learning, as `bridge` numbers them. A bridge without a spanning tree makes
    // what is blocking (4) forwarding (3) at once.
    for state in [0, 1, 2] {
        assert_eq!(site.as_by_the_kernel("acc0", &local), all_at("acc1"));
        site.bridge(&format!("link set dev acc1 state {state}\n"));
        assert_eq!(site.as_by_the_kernel("acc0", &local), Fate::new(), "state {state}");
        assert_eq!(site.as_by_the_kernel("acc1", &reply), Fate::new(), "state {state}");
        let encapsulated = site.met(Reason::Encapsulated);
        assert_eq!(site.as_by_the_kernel("acc0", &remote), all_at("up0"));
        assert!(site.met(Reason::Encapsulated) > encapsulated, "others go on");
        site.bridge("link set dev acc1 state 3\n");
    }
    site.bridge("link set dev vx100 state 1\n");
    assert_eq!(site.as_by_the_kernel("acc0", &remote), Fate::new());
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), Fate::new());
    site.bridge("link set dev vx100 state 3\n");
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc0"));
    assert!(site.met(Reason::Bridged) > 0 && site.met(Reason::Decapsulated) > 0);
}

#[test]
fn isolated_ports_reach_those_that_are_not() {
    let mut site = Judged::new();
    let (local, remote) = (frame(HOST_A.mac, HOST_B.mac), frame(HOST_A.mac, HOST_R.mac));
    let arriving = frame(HOST_R.mac, HOST_A.mac);
    site.bridge("link set dev acc0 isolated on\n");
    assert_eq!(site.as_by_the_kernel("acc0", &local), all_at("acc1"));
    site.bridge("link set dev acc1 isolated on\n");
    assert_eq!(site.as_by_the_kernel("acc0", &local), Fate::new());
    assert_eq!(site.as_by_the_kernel("acc0", &remote), all_at("up0"));
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc0"));
    site.bridge("link set dev vx100 isolated on\n");
    assert_eq!(site.as_by_the_kernel("acc0", &remote), Fate::new());
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), Fate::new());
    site.bridge("link set dev acc0 isolated off\n");
    assert_eq!(site.as_by_the_kernel("acc0", &local), all_at("acc1"));
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc0"));
    assert!(site.met(Reason::Bridged) > 0 && site.met(Reason::Decapsulated) > 0);
}

#[test]
fn a_sticky_host_stays_where_others_would_move() {
    let mut site = Judged::new();
    let (elsewhere, arriving) = (frame(HOST_A.mac, HOST_R.mac), frame(HOST_R.mac, HOST_A.mac));
    let host = mac_text(HOST_A.mac);
    site.bridge(&format!("fdb replace {host} dev acc0 master static sticky\n"));
    assert_eq!(site.as_by_the_kernel("acc1", &elsewhere), all_at("up0"));
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc0"));
    site.bridge(&format!(
        "fdb del {host} dev acc0 master\nfdb add {host} dev acc0 master static\n"
    ));
    assert_eq!(site.as_by_the_kernel("acc1", &elsewhere), all_at("up0"));
    assert_eq!(site.as_by_the_kernel_from_leaf2(&arriving), all_at("acc1"));
    assert!(site.met(Reason::Decapsulated) > 0);
}

#[test]
fn a_port_that_does_not_learn_has_its_hosts_flooded_to() {
    let mut site = Judged::new();
    let (hello, reply) = (frame(STRANGER.mac, HOST_B.mac), frame(HOST_B.mac, STRANGER.mac));
    site.bridge("link set dev acc0 learning off\n");
    assert_eq!(site.as_by_the_kernel("acc0", &hello), all_at("acc1"));
    assert_eq!(site.as_by_the_kernel("acc1", &reply), all_at_each(&["acc0", "up0"]));
    site.bridge("link set dev acc0 learning on\n");
    assert_eq!(site.as_by_the_kernel("acc0", &hello), all_at("acc1"));
    assert_eq!(site.as_by_the_kernel("acc1", &reply), all_at("acc0"));
}

/// Case TR-03: what may be flooded to no port goes nowhere, and to known stations goes by XDP as ever.
#[test]
fn what_may_be_flooded_to_no_port_goes_nowhere() {
    let mut site = Judged::new();
    let flooded = [STRANGER.mac, MULTICAST, BROADCAST];
    let fates = |site: &mut Judged| {
        flooded.map(|to| {
            let [here, arriving] = [HOST_A, HOST_R].map(|from| frame(from.mac, to));
            [site.as_by_the_kernel("acc0", &here), site.as_by_the_kernel_from_leaf2(&arriving)]
        })
    };
    let everywhere = [all_at_each(&["acc1", "up0"]), all_at_each(&["acc0", "acc1"])];
    assert_eq!(fates(&mut site), [(); 3].map(|()| everywhere.clone()));
    for port in ["acc0", "acc1", "vx100"] {
        site.bridge(&format!("link set dev {port} flood off mcast_flood off bcast_flood off\n"));
    }
    assert_eq!(fates(&mut site), [(); 3].map(|()| [Fate::new(), Fate::new()]));
    let (bridged, encapsulated) = (site.met(Reason::Bridged), site.met(Reason::Encapsulated));
    assert_eq!(site.as_by_the_kernel("acc0", &frame(HOST_A.mac, HOST_B.mac)), all_at("acc1"));
    assert_eq!(site.as_by_the_kernel("acc0", &frame(HOST_A.mac, HOST_R.mac)), all_at("up0"));
    assert!(site.met(Reason::Bridged) > bridged && site.met(Reason::Encapsulated) > encapsulated);
}
