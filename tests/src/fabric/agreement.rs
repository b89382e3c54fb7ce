//! Do the maps say what the kernel says?

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Fabric, PATIENCE, content, kernel};

const POLL: Duration = Duration::from_millis(50);

/// Every difference between kernel and maps of a leaf, one sentence each.
#[must_use]
pub fn differences(fabric: &Fabric, leaf: &str) -> Vec<String> {
    let maps = content::facts(fabric, leaf);
    let kernel = kernel::facts(fabric, leaf);
    let missing = kernel.difference(&maps).map(|fact| format!("{leaf}: the maps lack: {fact}"));
    // Ports stay while their link is down, programs do not come and go with routes; and ports may
    // be routed without a way to a VTEP.
    let kept = |fact: &str| {
        (fact.contains("is underlay,") || fact.contains("is routed,"))
            && !fact.contains("gone interface")
    };
    let extra = maps.difference(&kernel).filter(|fact| !kept(fact));
    missing.chain(extra.map(|fact| format!("{leaf}: only the maps say: {fact}"))).collect()
}

/// Asserts that the maps of a leaf become equal to its kernel's state: events need a moment to reach
/// the maps, and routes are read 50 ms after a link changes.
///
/// # Panics
/// With all differences if they do not.
pub fn assert_agreement(fabric: &Fabric, leaf: &str) {
    let start = Instant::now();
    loop {
        let mut found = differences(fabric, leaf);
        if found.is_empty() {
            // By itself, and FRR's routes and MACs are in the kernel as well. What a test has set up wrong, or moves so
            // often that FRR takes it for a duplicate, is no disagreement; nor is what FRR alone has kept, as FRR 10.3
            // now and then does with a host's MAC when its port moves to another bridge: Fabric goes by the kernel.
            let said = fabric.verify(leaf, &[]);
            let all = said.document["differences"].as_array().into_iter().flatten();
            let is_one = |one: &&Value| {
                one["kind"] != "setup" && one["frr"] != "duplicate" && one["differs"] != "frr"
            };
            let differences: Vec<&Value> = all.filter(is_one).collect();
            if differences.is_empty() && said.document["not_asked"] == json!([]) {
                return;
            }
            found.push(format!("fabricctl verify: {}", said.document));
        }
        assert!(start.elapsed() < PATIENCE, "maps and kernel differ:\n{}", found.join("\n"));
        thread::sleep(POLL);
    }
}
