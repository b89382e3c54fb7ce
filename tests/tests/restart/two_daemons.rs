//! A second fabric-xdpd for the same instance.
//!
//! - It refuses with one sentence that names the instance and the process that runs, and what to do.
//! - The first one is not disturbed: the same process, the same programs, no datagram lost.
//!
//! ```text
//!  vm11 ─ leaf01 ── spines ── leaf02 ─ vm21
//!           ╰ fabric-xdpd, and once more fabric-xdpd
//! ```

use std::{process::Stdio, time::Duration};

use fabric_tests::fabric::{Fabric, refused, xdp_programs};

#[test]
fn a_second_fabric_xdpd_refuses_and_leaves_the_first_alone() {
    let fabric = Fabric::pair();
    let stream = fabric.running_stream("vm11", "vm21", Duration::from_millis(1), 8_300);
    let (first, programs) = (fabric.daemon("leaf01"), xdp_programs(&fabric, "leaf01"));

    let said = refused(fabric.spawn_daemon("leaf01", &[], Stdio::piped()));
    for part in
        ["runs already", &fabric.lab().instance("leaf01"), &first.pid.to_string(), "stop it"]
    {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
    assert_eq!(said.trim().lines().count(), 1, "{said:?}");

    assert!(first.is_alive());
    assert_eq!(fabric.daemon("leaf01"), first);
    assert_eq!(xdp_programs(&fabric, "leaf01"), programs);
    let report = stream.stop().expect("the stream could send");
    assert_eq!((report.lost(), report.damaged), (0, 0), "{report:?}");
    fabric.assert_agreement();
}
