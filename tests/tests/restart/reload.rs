//! Settings that change while fabric-xdpd runs.
//!
//! - SIGHUP takes over what a running daemon can, and says what it cannot.
//! - Settings that are not valid change nothing, and the log says why in one sentence.

use fabric_tests::fabric::{Router, SOON, until};
use rustix::process::Signal;

fn is_port(router: &Router, name: &str) -> bool {
    let ifindex = router.ifindex(name);
    router.maps().ports.iter().any(|(_, port)| port.ifindex == ifindex)
}

#[test]
fn settings_are_read_anew_and_those_that_are_not_valid_change_nothing() {
    let mut router = Router::new();
    let pid = router.state().pid;
    until(SOON, "swp4 is a port", || is_port(&router, "swp4"));

    router.daemon().write_settings("exclude = ['swp4']\nseed = 77\nfdb_entries = 1000\n");
    router.daemon().signal(Signal::HUP);
    until(SOON, "swp4 is left to the kernel", || !is_port(&router, "swp4"));
    assert!(is_port(&router, "swp3"));
    until(SOON, "the state says so", || router.state().chosen.contains("swp4"));
    assert_eq!(router.maps().settings.get(0).seed, 77);
    let log = router.daemon().log();
    assert!(log.contains("changed: exclude, seed"), "{log}");
    assert!(log.contains("only a restart of fabric-xdpd changes: fdb_entries"), "{log}");

    for wrong in ["exclude = 4", "audit_interval_s = 0", "nonsense = 1", "[["] {
        let lines = router.daemon().log().lines().count();
        router.daemon().write_settings(wrong);
        router.daemon().signal(Signal::HUP);
        until(SOON, "the log says why", || {
            router
                .daemon()
                .log()
                .lines()
                .skip(lines)
                .any(|line| line.contains("settings stay as they were"))
        });
        assert_eq!(router.daemon().log().lines().count(), lines + 1, "{}", router.daemon().log());
        assert!(!is_port(&router, "swp4"), "{wrong}");
    }

    router.daemon().write_settings("");
    router.daemon().signal(Signal::HUP);
    until(SOON, "swp4 is a port again", || is_port(&router, "swp4"));
    router.assert_runs();
    assert_eq!(router.state().pid, pid);
}

#[test]
fn a_request_to_detach_is_about_an_interface_and_not_about_its_name() {
    let router = Router::new();
    until(SOON, "swp3 and swp4 are ports", || is_port(&router, "swp3") && is_port(&router, "swp4"));
    assert_eq!(router.daemon().fabricctl(&["detach", "swp4"]).0, 0);
    assert!(!is_port(&router, "swp4"));
    router.ip("link set swp4 down\nlink set swp4 name uplink4\nlink set uplink4 up\n");
    router.ip("link set swp3 down\nlink set swp3 name swp4\nlink set swp4 up\n");
    until(SOON, "the other one of that name is reported as a port", || {
        let state = router.state();
        state.chosen.contains("uplink4") && !state.declined.contains_key("swp4")
    });
    assert!(!is_port(&router, "uplink4"));
    assert!(is_port(&router, "swp4"));
    // It is found by its new name, too.
    assert_eq!(router.daemon().fabricctl(&["attach", "uplink4"]).0, 0);
    assert!(is_port(&router, "uplink4"));
}
