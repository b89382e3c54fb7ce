//! Many flows over two spines.
//!
//! - 16,384 UDP flows: the spine with more of them has at most 1.05 times the mean.
//! - Every outer source port is within 49152 to 65535.
//! - The choice of the source port is independent of the choice of the spine: on each spine there
//!   are as many different ports as chance gives.
//!
//! ```text
//!  vm11 ─ leaf01 ─┬─ spine01 ─┬─ leaf02 ─ vm21
//!                 └─ spine02 ─┘
//! ```

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use fabric_tests::fabric::{Fabric, PATIENCE, Seen, Sniffer};
use fabric_tests::traffic;

const FLOWS: u16 = 16_384;
const PORTS: u32 = 16_384;
/// The last ones come close together.
const REST: Duration = Duration::from_millis(300);
/// Frames that went to the kernel instead, such as the sampled ones.
const KERNEL: u64 = 5;

#[test]
fn sixteen_thousand_flows_spread_evenly_over_both_spines() {
    let fabric = Fabric::pair();
    fabric.acquaint("vm11", "vm21");
    // A socket sees only what the kernel gets.
    for spine in ["spine01", "spine02"] {
        fabric.bypass(spine, true);
    }
    let sniffers = ["spine01", "spine02"].map(|s| Sniffer::open(&fabric.netns(s), "swp1"));
    let before = Seen::at(&fabric, "leaf01");
    let (from, to) = (fabric.netns("vm11"), fabric.address("vm21"));
    traffic::send_flows(&from, to, FLOWS, 1).expect("flows can be sent");

    let seen = Seen::at(&fabric, "leaf01").since(&before);
    let sent = ["swp1", "swp2"].map(|underlay| seen.sent(underlay));
    let total = sent[0] + sent[1];
    assert!(total + KERNEL >= FLOWS.into() && total <= u64::from(FLOWS) + 100, "{sent:?}");
    let largest = sent.into_iter().max().unwrap_or_default();
    let ratio = largest as f64 * 2.0 / total as f64;
    println!("{sent:?} frames, max over mean {ratio:.4}");
    assert!(ratio <= 1.05, "{sent:?}: max over mean is {ratio:.4}");

    for (sniffer, sent) in sniffers.iter().zip(sent) {
        let (mut frames, mut ports) = (0_u64, BTreeSet::new());
        // Until all are there; one too many would have come with them.
        while let Some(frame) = sniffer.next(match frames + KERNEL < sent {
            true => Instant::now() + PATIENCE,
            false => Instant::now() + REST,
        }) {
            // Ethernet 14, IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14 and IPv4 20 bytes.
            let number =
                |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
            if number(12) == Some(0x0800) && number(36) == Some(4789) && number(86) == Some(9) {
                frames += 1;
                ports.extend(number(34));
            }
        }
        assert!(frames + KERNEL >= sent && frames <= sent + KERNEL, "{frames} of {sent} captured");
        assert!(ports.first().is_some_and(|port| *port >= 49_152), "{:?}", ports.first());
        // Draws with replacement from all ports; half of the ports would give a fifth less.
        let chance = f64::from(PORTS) * (1.0 - (-(frames as f64) / f64::from(PORTS)).exp());
        let different = ports.len() as f64;
        println!("{frames} frames with {different} source ports, chance gives {chance:.0}");
        assert!((different / chance - 1.0).abs() < 0.05, "{different} instead of {chance:.0}");
    }
}
