//! Recorded boxes whose maps are right, and then wrong in one thing.

use serde_json::Value;

use super::*;
use crate::{
    daemon::premises::Premises,
    facts::{Fabric, SCHEMA, held::Held},
    observe::{
        BridgeMac, Event, Mac,
        recording::{Line, read},
    },
};

const LEAF: &str = include_str!("../model/recorded/leaf.jsonl");
const VLAN_AWARE: &str = include_str!("../model/recorded/vlan_aware.jsonl");
const ROUTER: &str = include_str!("../model/recorded/router.jsonl");

/// A box as a recording leaves it, with maps that hold what they should.
fn facts(recording: &str) -> Facts {
    let network = read(recording.as_bytes()).unwrap().into_iter().flat_map(|line| match line {
        Line::Listing(listing) => listing.events,
        Line::Event(event) => vec![event],
        _ => Vec::new(),
    });
    let mut facts = Facts { schema: SCHEMA, network: network.collect(), ..Facts::default() };
    let premises = Premises::default();
    let (held, full) = wanted::wanted(&facts, &premises, 250).unwrap();
    assert!(full.is_empty(), "{full:?}");
    let premises = Some(premises);
    let fabric = Fabric { premises, held, hz: 250, daemon: Some(7), ..Fabric::default() };
    facts.fabric = Some(Fabric { state: Some(synced()), ..fabric });
    facts
}

fn synced() -> crate::daemon::state::State {
    crate::daemon::state::State { synced: true, ..Default::default() }
}

/// The same box with other maps.
fn with(facts: &Facts, held: &Value) -> Vec<Difference> {
    let held: Held = serde_json::from_value(held.clone()).unwrap();
    let mut facts = facts.clone();
    facts.fabric.as_mut().unwrap().held = held;
    compared(&facts)
}

/// What differs of the maps. The recorded underlay is too small for its tunnels, which is said as well.
fn compared(facts: &Facts) -> Vec<Difference> {
    let mut differences = verify(facts).unwrap().differences;
    differences.retain(|one| one.kind != Kind::Setup);
    differences
}

#[test]
fn an_entry_that_is_missing_in_any_table_is_one_difference_and_so_is_one_too_many() {
    let mut tables = std::collections::BTreeSet::new();
    for recording in [LEAF, VLAN_AWARE, ROUTER] {
        let facts = facts(recording);
        assert_eq!(compared(&facts), []);
        let held = serde_json::to_value(&facts.fabric.as_ref().unwrap().held).unwrap();
        for (table, entries) in held.as_object().unwrap() {
            let mut less = held.clone();
            match &mut less[table] {
                Value::Object(entries) if !entries.is_empty() => {
                    let first = entries.keys().next().unwrap().clone();
                    entries.remove(&first);
                }
                Value::Array(entries) if !entries.is_empty() => drop(entries.remove(0)),
                _ => continue,
            }
            tables.insert(table.clone());
            let found = with(&facts, &less);
            assert_eq!(found.len(), 1, "{table} without one of {entries}");
            assert_eq!(found[0].differs, Side::Maps);
            assert_eq!(found[0].maps.as_deref(), Some("nothing"), "{}", found[0]);
            // The other way round: maps that have it, of a box that has not.
            let more = maps::differences(
                &serde_json::from_value(less).unwrap(),
                facts.fabric.as_ref().unwrap(),
            );
            assert_eq!(more.len(), 1, "{table}");
            assert_eq!(more[0].kernel.as_deref(), Some("nothing"), "{}", more[0]);
        }
    }
    // Answers and segments: real devices (`topology`, `tenants`).
    let all = ["circuits", "domains", "macs", "nexthops", "ports", "routes", "tunnels", "vteps"];
    assert!(all.iter().all(|table| tables.contains(*table)), "only {tables:?} are filled");
}

#[test]
fn what_differs_in_an_entry_is_said_by_both_sides_with_the_cause_and_what_to_do() {
    let facts = facts(ROUTER);
    let mut held = serde_json::to_value(&facts.fabric.as_ref().unwrap().held).unwrap();
    let port = held["ports"].as_object_mut().unwrap().values_mut().next().unwrap();
    let mtu = port["mtu"].clone();
    port["mtu"] = 1_234.into();
    let [difference] = &with(&facts, &held)[..] else { panic!("one field is another") };
    assert_eq!(difference.kernel, Some(format!("mtu {mtu}")));
    assert_eq!(difference.maps.as_deref(), Some("mtu 1234"));
    assert_eq!(difference.next, "fabricctl verify --repair");
    let mut stopped = facts;
    let fabric = stopped.fabric.as_mut().unwrap();
    fabric.suspended = true;
    let [difference] = &with(&stopped, &held)[..] else { panic!("one field is another") };
    assert!(difference.likely.contains("SIGSTOP"), "{difference}");
}

#[test]
fn without_what_the_daemon_goes_by_it_is_said_that_nothing_was_compared() {
    let mut facts = facts(LEAF);
    facts.fabric.as_mut().unwrap().premises = None;
    assert_eq!(compared(&facts), []);
    let report = verify(&facts).unwrap();
    assert!(report.not_asked[0].contains("has not said what it goes by"), "{report:?}");
}

#[test]
fn an_underlay_that_is_too_small_for_its_tunnels_is_named_once_for_each_port() {
    let differences = verify(&facts(VLAN_AWARE)).unwrap().differences;
    let setup: Vec<&Difference> =
        differences.iter().filter(|one| one.kind == Kind::Setup).collect();
    let [port] = &setup[..] else { panic!("{setup:?}") };
    assert_eq!(port.what, "of port u1");
    assert_eq!(port.kernel.as_deref(), Some("MTU 1500, and tunnels need 1550"));
}

#[test]
fn maps_that_are_full_are_not_compared_and_that_is_said() {
    let mut facts = facts(VLAN_AWARE);
    let held = &facts.fabric.as_ref().unwrap().held;
    let is_held = |mac| held.macs.keys().any(|key| key.mac == mac);
    let entry = facts.network.iter().find_map(|event| match event {
        Event::BridgeMac(entry) if is_held(entry.mac) => Some(*entry),
        _ => None,
    });
    let entry = entry.expect("an address is recorded");
    let crowd = (0..100_000_u32).map(|number| {
        let [a, b, c, d] = number.to_be_bytes();
        Event::BridgeMac(BridgeMac { mac: Mac([2, 0xee, a, b, c, d]), ..entry })
    });
    facts.network.extend(crowd);
    let fabric = facts.fabric.as_mut().unwrap();
    fabric.premises.as_mut().unwrap().settings.fdb_entries = 1_024;
    let report = verify(&facts).unwrap();
    assert!(report.not_asked.iter().any(|why| why.contains("the map fdb is full")), "{report:?}");
    assert_eq!(compared(&facts), []);
}
