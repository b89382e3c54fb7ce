//! What fabric-xdpd needs is taken from it for a while: descriptors, pins, its state file.
//!
//! - It lives, says what it lacks, and goes on when it has it again.

use std::{fs, os::unix::net::UnixStream};

use fabric_tests::fabric::{Router, SOON, until};
use rustix::process::{Resource, Rlimit, Signal, prlimit};

/// Limits the descriptors of fabric-xdpd; the limit before.
fn limit(router: &Router, most: u64) -> Rlimit {
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: Some(most), maximum };
    prlimit(Some(router.daemon().pid()), Resource::Nofile, limit).expect("fabric-xdpd runs")
}

#[test]
fn a_time_without_free_descriptors_ends_neither_fabric_xdpd_nor_its_control_socket() {
    let mut router = Router::with_settings("audit_interval_s = 1");
    let before = limit(&router, 3);
    // Nobody is let in now. That somebody wanted to is known at once.
    let refused =
        UnixStream::connect(router.daemon().run_file("sock")).expect("the socket is there");
    until(SOON, "the log says so", || router.daemon().log().contains("fabricctl cannot be let in"));
    // An audit that cannot ask takes nothing off.
    router.daemon().signal(Signal::USR1);
    until(SOON, "an audit cannot ask, or not even begin", || {
        let log = router.daemon().log();
        log.contains("cannot see which programs") || log.contains("no audit now")
    });
    let is_port = |name: &str| {
        let ifindex = router.ifindex(name);
        router.maps().ports.iter().any(|(_, port)| port.ifindex == ifindex)
    };
    assert!((1..=4).all(|i| is_port(&format!("swp{i}"))), "{}", router.daemon().log());
    assert!(!router.daemon().log().contains("left to the kernel"), "{}", router.daemon().log());
    router.ip("route add 10.9.0.0/16 via 10.1.1.2\n");
    until(SOON, "fabric-xdpd follows all the same", || router.way("10.9.1.1") != "none");
    prlimit(Some(router.daemon().pid()), Resource::Nofile, before).expect("fabric-xdpd runs");
    drop(refused);
    let (code, said) = router.daemon().fabricctl(&["detach", "swp4"]);
    assert_eq!(code, 0, "{said}");
    let audits = router.state().audits;
    until(SOON, "audits go on", || router.state().audits > audits + 1);
    router.assert_runs();
}

#[test]
fn pins_that_somebody_removed_are_made_anew() {
    let mut router = Router::new();
    router.know_neighbours();
    router.ip("route add 10.9.0.0/16 via 10.1.1.2\n");
    router.wait_way("10.9.1.1", "10.1.1.2");
    router.daemon().instance().remove().expect("pins can be removed");
    until(SOON, "the maps are pinned again", || router.daemon().instance().is_whole());
    until(SOON, "fabric-xdpd is in sync", || router.state().synced);
    assert!(
        router.daemon().log().contains("somebody removed pins below"),
        "{}",
        router.daemon().log()
    );
    until(SOON, "ports are in the new maps", || {
        router.maps().ports.iter().filter(|(_, port)| port.ifindex != 0).count() >= 2
    });
    router.wait_way("10.9.1.1", "10.1.1.2");
    until(SOON, "programs are attached", || {
        let links = router.query("link show type veth");
        links.iter().filter(|link| link["xdp"].is_object()).count() >= 2
    });
    router.assert_runs();
}

#[test]
fn a_state_file_that_cannot_be_written_is_named_once() {
    let mut router = Router::with_settings("audit_interval_s = 1");
    // A folder in the way.
    let next = router.daemon().run_file("json.new");
    until(SOON, "the way is blocked", || fs::create_dir(&next).is_ok());
    until(SOON, "the log says so", || router.daemon().log().contains("cannot write"));
    let written = router.state().written;
    for address in ["10.9.0.0/16", "10.10.0.0/16"] {
        router.ip(&format!("route add {address} via 10.1.1.2\n"));
    }
    until(SOON, "fabric-xdpd follows all the same", || router.way("10.10.1.1") != "none");
    router.daemon().signal(Signal::USR1);
    assert_eq!(
        router.daemon().log().matches("cannot write").count(),
        1,
        "{}",
        router.daemon().log()
    );
    fs::remove_dir(&next).expect("it is ours");
    until(SOON, "the state is written again", || router.state().written > written);
    router.assert_runs();
}
