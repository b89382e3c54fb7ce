//! Signals.
//!
//! - None but SIGTERM and SIGINT (and those of a crash) ends fabric-xdpd.
//! - SIGUSR1 makes it compare kernel and maps at once.
//! - A stream of changes that never pauses does not keep it from ending.

use std::{process::Command, thread};

use fabric_tests::fabric::{Router, SOON, until};
use rustix::process::Signal;

#[test]
fn signals_that_mean_nothing_to_fabric_xdpd_do_not_end_it() {
    let mut router = Router::new();
    let pid = router.daemon().pid().as_raw_nonzero().to_string();
    for name in
        ["HUP", "USR1", "USR2", "PIPE", "ALRM", "VTALRM", "PROF", "IO", "PWR", "RTMIN", "64"]
    {
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIG{name} cannot be sent");
    }
    router.ip("route add 10.9.0.0/16 via 10.1.1.2\n");
    until(SOON, "it goes on following", || router.way("10.9.1.1") != "none");
    router.assert_runs();
}

#[test]
fn sigusr1_asks_for_an_audit() {
    let router = Router::with_settings("audit_interval_s = 3600");
    assert_eq!(router.state().audits, 0);
    router.daemon().signal(Signal::USR1);
    until(SOON, "an audit is made", || router.state().audits == 1);
}

#[test]
fn sigterm_ends_fabric_xdpd_in_the_middle_of_changes_and_snapshots() {
    let mut router = Router::with_settings("audit_interval_s = 1");
    let add = |i: u32| format!("route add 10.{}.{}.0/24 via 10.1.1.2\n", 100 + i / 256, i % 256);
    let batch: String = (0..4000).map(add).collect();
    let all = batch.clone() + &batch.replace("route add", "route del");
    let ended = thread::scope(|scope| {
        let changes = scope.spawn(|| router.force_ip(&all.repeat(4)));
        until(SOON, "changes arrive", || router.way("10.100.0.1") != "none");
        router.daemon().signal(Signal::USR1);
        router.daemon().signal(Signal::TERM);
        let ended = until(SOON, "fabric-xdpd ends", || !router.daemon().is_alive());
        changes.join().expect("ip can be run");
        ended
    });
    println!("it took {ended:?}");
    router.kill();
}
