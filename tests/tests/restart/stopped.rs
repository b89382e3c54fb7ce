//! fabric-xdpd that does not run for a while and then goes on, as on an overloaded machine.
//!
//! - After thousands of changes that it slept through, its maps become equal to the kernel.
//!
//! ```text
//!  fabric-xdpd  SIGSTOP ─────────── asleep ─────────── SIGCONT
//!  kernel             5,000 MACs added, 2,500 of them removed, some moved
//! ```

use std::{fmt::Write as _, fs};

use fabric_tests::fabric::{Fabric, assert_agreement, differences, map_facts};
use rustix::process::Signal;

const MACS: u32 = 5_000;

#[test]
fn after_a_sleep_through_thousands_of_changes_the_maps_equal_the_kernel() {
    let fabric = Fabric::pair();
    let daemon = fabric.daemon("leaf01");
    let mut text = String::new();
    let mut line = |verb: &str, number: u32, rest: &str| {
        let [_, _, high, low] = number.to_be_bytes();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "fdb {verb} 02:cc:00:00:{high:02x}:{low:02x} dev {rest}");
    };
    for number in 0..MACS {
        line("add", number, "swp12 master static");
    }
    for number in (0..MACS).step_by(2) {
        line("del", number, "swp12 master");
    }
    for number in (1..MACS).step_by(10) {
        line("replace", number, "swp11 master static");
    }
    let batch = fabric.file("changes");
    fs::write(&batch, text).expect("the lab's folder can be written");

    daemon.signal(Signal::STOP);
    fabric.run("leaf01", "bridge", &format!("-batch {}", batch.display()));
    // Others may come and go as well: a host says something for the first time.
    let asleep = differences(&fabric, "leaf01");
    let missing = asleep.iter().filter(|difference| difference.contains("02:cc:")).count();
    assert_eq!(missing, MACS as usize / 2, "what it slept through is missing");
    daemon.signal(Signal::CONT);

    assert_agreement(&fabric, "leaf01");
    let ours: Vec<String> = map_facts(&fabric, "leaf01")
        .into_iter()
        .filter(|fact| fact.starts_with("02:cc:"))
        .collect();
    let moved = ours.iter().filter(|fact| fact.ends_with("port swp11")).count();
    assert_eq!((ours.len(), moved), (MACS as usize / 2, MACS as usize / 10));
    println!("{} messages lost", fabric.state("leaf01").resyncs);
}
