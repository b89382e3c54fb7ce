//! A kernel whose next hops change faster than they can be listed, while links flap: the control plane
//! converges.
//!
//! - fabric-xdpd lives, by the same process, and is in sync again and again.
//! - When the kernel has become quiet, the maps lead where its tables lead.
//!
//! ```text
//!  kernel    2,000 next hops, and 200 that come and go without pause
//!  swp2      down, up, down, up
//! ```

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use fabric_tests::fabric::{Router, SOON, until};

const HOPS: u32 = 2_000;
const RESTLESS: u32 = 200;

fn lines(line: impl Fn(u32) -> String, numbers: std::ops::Range<u32>) -> String {
    numbers.fold(String::new(), |mut text, number| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", line(number));
        text
    })
}

fn address(number: u32) -> String {
    format!("10.1.{}.{}", 1 + number % 4, 3 + number / 4 % 250)
}

fn add(number: u32) -> String {
    format!("nexthop add id {} via {} dev swp{}", 1 + number, address(number), 1 + number % 4)
}

#[test]
fn fabric_xdpd_lives_while_next_hops_change_during_every_dump() {
    let mut router = Router::without_daemon("");
    router.know_neighbours();
    router.ip(&lines(add, 0..HOPS));
    router.ip(
        "nexthop add id 9001 via 10.1.1.2 dev swp1\nnexthop add id 9003 via 10.1.3.2 dev swp3\n\
         nexthop add id 9100 group 9001/9003\nroute add 10.9.0.0/16 nhid 9100\n",
    );
    router.start();
    let numbers = HOPS..HOPS + RESTLESS;
    let remove = |number| format!("nexthop del id {}", 1 + number);
    let once = lines(add, numbers.clone()) + &lines(remove, numbers);
    let batch = once.repeat(10);
    let quiet = AtomicBool::new(false);
    thread::scope(|scope| {
        // It ends also when an assertion fails.
        struct Quiet<'a>(&'a AtomicBool);
        impl Drop for Quiet<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _quiet = Quiet(&quiet);
        scope.spawn(|| {
            while !quiet.load(Ordering::Relaxed) {
                // Those on a link that is down are refused.
                router.force_ip(&batch);
            }
        });
        for turn in 0..2 {
            router.ip("link set swp2 down\n");
            router.wait_link("swp2", false);
            // Everything is read anew, again and again.
            for _ in 0..4 {
                router.daemon().signal(rustix::process::Signal::USR1);
                let audits = router.state().audits;
                until(SOON, "an audit ends while the kernel changes", || {
                    assert!(router.daemon().is_alive(), "turn {turn}: {}", router.daemon().log());
                    router.state().audits > audits
                });
            }
            router.ip("link set swp2 up\n");
            router.wait_link("swp2", true);
        }
    });
    router.assert_runs();
    until(SOON, "fabric-xdpd is in sync", || router.state().synced);
    router.ip("nexthop replace id 9100 group 9003\n");
    router.wait_way("10.9.1.1", "10.1.3.2");
    until(SOON, "there is no trouble", || router.state().trouble.is_none());
}
