//! The bypass switch under traffic.
//!
//! - On: every packet is passed with `port_input_bypassed`, XDP sends nothing more, programs stay.
//! - Off: XDP forwards again.
//! - Switched ten times, at both leafs: no datagram lost, damaged or doubled.
//!
//! ```text
//!  vm11 ⇄ leaf01 ── spines ── leaf02 ⇄ vm21
//!           ╰ bypass on, off, on, off … ╯
//! ```

use std::time::Duration;

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, until, xdp_programs};

const LEAFS: [&str; 2] = ["leaf01", "leaf02"];

#[test]
fn switching_the_bypass_on_and_off_under_traffic_loses_nothing() {
    let fabric = Fabric::pair_alone();
    let streams = [
        fabric.running_stream("vm11", "vm21", Duration::from_millis(1), 8_400),
        fabric.running_stream("vm21", "vm11", Duration::from_millis(1), 8_401),
    ];
    let programs = LEAFS.map(|leaf| xdp_programs(&fabric, leaf));
    for on in [true, false].into_iter().cycle().take(20) {
        let before = LEAFS.map(|leaf| Seen::at(&fabric, leaf));
        for leaf in LEAFS {
            fabric.bypass(leaf, on);
        }
        let switched = LEAFS.map(|leaf| Seen::at(&fabric, leaf));
        let reason = if on { Reason::PortInputBypassed } else { Reason::Encapsulated };
        until(PATIENCE, &format!("{reason:?} is what happens"), || {
            LEAFS.iter().zip(&before).all(|(leaf, before)| {
                Seen::at(&fabric, leaf).since(before).on("swp11", reason) > 50
            })
        });
        if on {
            for (leaf, switched) in LEAFS.iter().zip(&switched) {
                let seen = Seen::at(&fabric, leaf).since(switched);
                let sent = seen.all(Reason::Encapsulated) + seen.all(Reason::Decapsulated);
                assert_eq!(sent, 0, "{leaf} forwards in spite of the bypass: {seen:?}");
            }
        }
    }
    assert_eq!(LEAFS.map(|leaf| xdp_programs(&fabric, leaf)), programs);
    for stream in streams {
        let report = stream.stop().expect("the stream could send");
        println!("{report:?}");
        assert_eq!((report.lost(), report.duplicates, report.damaged), (0, 0, 0), "{report:?}");
    }
    fabric.assert_agreement();
}
