//! A pinned map that an incompatible version left.
//!
//! - fabric-xdpd refuses with one sentence that names the pin and every difference, and what to do.
//! - Nothing is changed: the pin stays, and so do the programs on the ports.
//!
//! ```text
//!  pinned:    vteps   array, 8-byte values, 10 entries
//!  expected:  vteps   array, one value of 16384 entries of 48 bytes
//! ```

use std::{fs, process::Stdio};

use aya::maps::MapInfo;
use fabric_tests::fabric::{Fabric, refused, xdp_programs};
use rustix::process::Signal;

#[test]
fn a_pinned_map_of_another_layout_is_refused_with_its_differences() {
    let fabric = Fabric::pair();
    fabric.end_daemon("leaf01", Signal::TERM);
    let programs = xdp_programs(&fabric, "leaf01");
    let pin = fabric.instance("leaf01").map("vteps");
    fs::remove_file(&pin).expect("it is pinned");
    let path = pin.display().to_string();
    fabric.run(
        "leaf01",
        "bpftool",
        &format!("map create {path} type array key 4 value 8 entries 10 name vteps"),
    );
    let id = MapInfo::from_pin(&pin).expect("it is pinned").id();

    let said = refused(fabric.spawn_daemon("leaf01", &[], Stdio::piped()));
    for part in [
        &*path,
        "value size is 8, expected 786432",
        "number of elements is 10, expected 1",
        "flags is 0, expected 1024",
        "detach --all",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
    assert!(!said.contains("key size"), "the key size is the same: {said:?}");
    assert_eq!(said.trim().lines().count(), 1, "{said:?}");
    assert_eq!(MapInfo::from_pin(&pin).expect("it is still pinned").id(), id);
    assert_eq!(xdp_programs(&fabric, "leaf01"), programs);

    // What the sentence says helps.
    fabric.instance("leaf01").remove().expect("pins can be removed");
    fabric.start_daemon("leaf01", &[]);
    fabric.assert_agreement();
}
