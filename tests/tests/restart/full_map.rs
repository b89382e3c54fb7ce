//! More MAC addresses than the map has room for.
//!
//! - fabric-xdpd reports that the map is full and which setting has room for more.
//! - Hosts whose MACs found no room talk through the kernel: nothing is lost.
//! - What is in the map is right.
//!
//! ```text
//!  leaf01: fdb_entries = 16 (64 slots), 400 MACs on swp12
//! ```

use std::{fmt::Write as _, fs};

use fabric_tests::fabric::{Fabric, PATIENCE, differences, until};
use rustix::process::Signal;

const MACS: u32 = 400;
const SLOTS: usize = 96;

#[test]
fn macs_that_find_no_room_are_left_to_the_kernel_and_reported() {
    let fabric = Fabric::pair();
    fabric.end_daemon("leaf01", Signal::TERM);
    fabric.instance("leaf01").remove().expect("pins can be removed");
    let batch = fabric.file("macs");
    let mut text = String::new();
    for number in 0..MACS {
        let [_, _, high, low] = number.to_be_bytes();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "fdb add 02:bb:00:00:{high:02x}:{low:02x} dev swp12 master static");
    }
    fs::write(&batch, text).expect("the lab's folder can be written");
    fabric.run("leaf01", "bridge", &format!("-batch {}", batch.display()));

    let settings = fabric.file("small.toml");
    fs::write(&settings, "fdb_entries = 16\n").expect("the lab's folder can be written");
    fabric.start_daemon("leaf01", &["--settings", &settings.display().to_string()]);
    until(PATIENCE, "the full map is reported", || {
        let problems = fabric.state("leaf01").problems;
        problems.iter().any(|p| p.contains("the map fdb is full") && p.contains("fdb_entries"))
    });
    let used = fabric.maps("leaf01").fdb_table().iter().count();
    assert!((SLOTS / 2..=SLOTS).contains(&used), "{used} of {SLOTS} slots are used");
    for difference in differences(&fabric, "leaf01") {
        assert!(difference.contains("the maps lack:"), "{difference}");
        assert!(difference.contains(" is at "), "{difference}");
    }

    for (from, to) in [("vm11", "vm21"), ("vm12", "vm22"), ("vm21", "vm11"), ("vm11", "vm12")] {
        fabric.greet(from, to);
        let report = fabric.send(from, to, 200);
        assert_eq!((report.lost(), report.damaged), (0, 0), "{from} to {to}: {report:?}");
    }
}
