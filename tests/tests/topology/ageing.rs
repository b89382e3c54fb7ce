//! Ageing.
//!
//! - A host that is silent for the ageing time leaves the maps of its own leaf and of the others.
//! - A host that only talks through the fast path stays, because one of its frames per quarter of
//!   the ageing time is shown to the kernel: never is it missing, on either leaf, and zebra keeps
//!   advertising it.
//!
//! ```text
//!  vm11 ─ busy ──┐
//!  vm12 ─ silent ┴ leaf01 (ageing 6 s) ── spines ── leaf02 ─ vm21
//! ```

use std::time::{Duration, Instant};

use fabric_common::reason::Reason;
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, Wire, broadcast, map_facts, until};
use fabric_user::lab::Mac;

const SILENT: Mac = Mac([0x02, 0xaa, 0, 0, 0, 3]);
/// So long that a stream of a busy machine does not pause for it.
const AGEING: Duration = Duration::from_secs(6);
const REFRESH: Duration = Duration::from_millis(1_500);

#[test]
fn a_silent_host_is_forgotten_and_a_busy_one_is_kept() {
    let fabric = Fabric::pair();
    fabric.acquaint("vm11", "vm21");
    // In hundredths of a second.
    fabric.ip("leaf01", "link set br200 type bridge ageing_time 600");
    let maps = fabric.maps("leaf01");
    until(PATIENCE, "the maps have the new ageing time", || {
        let second = maps.settings.get(0).hz;
        maps.domains.iter().any(|(_, d)| d.vni == 10200 && d.refresh_jiffies < 2 * second)
    });
    // Without ARP the busy host has nothing to say but its stream.
    for (host, peer) in [("vm11", "vm21"), ("vm21", "vm11")] {
        let (address, mac) = (fabric.address(peer), fabric.mac(peer));
        fabric.ip(host, &format!("neigh replace {address} lladdr {mac} dev eth0 nud permanent"));
    }
    let stream = fabric.running_stream("vm11", "vm21", Duration::from_millis(5), 7_200);
    Wire::open(&fabric.netns("vm12"), "eth0").send(&broadcast(SILENT));

    let (start, before) = (Instant::now(), Seen::at(&fabric, "leaf01"));
    let busy = fabric.mac("vm11");
    let silent_at = |place: &str| format!("{SILENT} in br200 is at {place}");
    let vtep = format!("VTEP {}", fabric.vtep("leaf01"));
    until(PATIENCE, "the silent host is known on both leafs", || {
        map_facts(&fabric, "leaf01").contains(&silent_at("port swp12"))
            && map_facts(&fabric, "leaf02").contains(&silent_at(&vtep))
    });
    let (mut forgotten, mut looks) = (None, 0);
    // Three times the ageing time: an entry that is not refreshed would be gone.
    until(
        PATIENCE,
        "three ageing times pass, with many looks, and the silent host is forgotten",
        || {
            looks += 1;
            let (near, far) = (map_facts(&fabric, "leaf01"), map_facts(&fabric, "leaf02"));
            let elapsed = start.elapsed();
            for (facts, place) in [(&near, "port swp11"), (&far, &*vtep)] {
                let known = format!("{busy} in br200 is at {place}");
                assert!(facts.contains(&known), "after {elapsed:?} the maps lack: {known}");
            }
            if !near.iter().chain(&far).any(|fact| fact.contains(&SILENT.to_string())) {
                forgotten.get_or_insert(elapsed);
            }
            elapsed > AGEING * 3 && looks > 20 && forgotten.is_some()
        },
    );
    let elapsed = start.elapsed();
    let forgotten = forgotten.unwrap_or_default();
    assert!(forgotten >= AGEING - Duration::from_millis(100), "forgotten after {forgotten:?}");

    let seen = Seen::at(&fabric, "leaf01").since(&before);
    let report = stream.stop().expect("the stream could send");
    assert_eq!((report.lost(), report.damaged), (0, 0), "{report:?}");
    let refreshed = seen.on("swp11", Reason::SourceCheckRefresh);
    let expected = elapsed.as_millis() / REFRESH.as_millis();
    assert!(
        (expected / 2..=expected + 2).contains(&refreshed.into()),
        "{refreshed} frames were shown to the kernel in {elapsed:?}"
    );
    let forwarded = seen.on("swp11", Reason::Encapsulated);
    assert!(forwarded > 50 * refreshed, "{forwarded} frames by XDP, {refreshed} shown");
    fabric.assert_agreement();
}
