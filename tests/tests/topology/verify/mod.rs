//! `fabricctl verify` finds what is wrong, names which of FRR, the kernel and the maps differs, and nothing else; where it
//! has one command as what to do next, that one mends it.
//!
//! ```text
//!  vm11 ─ swp11 leaf01 ── spines ── leaf02 ─ vm21
//!               ╰ one fault after another
//! ```

mod between;
mod leftovers;
mod refused;

use std::time::Instant;

use fabric_tests::fabric::{Fabric, PATIENCE, until};
use fabric_user::lab::daemons;
use rustix::process::Signal;

const LEAF: &str = "leaf01";
const VNI: &str = "10200";

/// Asserts that only this differs, and gives back what is said of it.
#[track_caller]
fn only(fabric: &Fabric, kinds: &[&str], what: &str) -> String {
    let verified = fabric.verify(LEAF, &[]);
    let all = verified.differences();
    let expected = |one: &String| kinds.iter().any(|kind| one.starts_with(&format!("{kind} ")));
    assert!(!all.is_empty() && all.iter().all(expected), "{kinds:?} expected: {all:?}");
    assert_eq!(verified.status, 1);
    let said = verified.said_of(what);
    assert!(!said.is_empty(), "nothing is said of {what}: {all:?}");
    said
}

/// Waits until nothing differs any more.
#[track_caller]
fn clean(fabric: &Fabric) {
    let start = Instant::now();
    loop {
        let verified = fabric.verify(LEAF, &[]);
        if verified.status == 0 {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{}", verified.document);
    }
}

/// Does what is said to be next, after which nothing differs any more.
#[track_caller]
fn mend(fabric: &Fabric, said: &str) {
    let said: serde_json::Value = serde_json::from_str(said).expect("it is JSON");
    let (program, arguments) =
        said["next"].as_str().and_then(|next| next.split_once(' ')).expect("a command");
    fabric.run(LEAF, program, arguments);
    clean(fabric);
}

/// A MAC that zebra has behind the other leaf, with its VTEP.
fn remote(fabric: &Fabric) -> (String, String) {
    let text = fabric.run(LEAF, "bridge", &format!("fdb show dev vxlan{VNI}"));
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines
        .find(|words| !words[0].starts_with("00:00") && words.contains(&"dst"))
        .expect("there is a host behind the other leaf");
    let at = line.iter().position(|word| *word == "dst").expect("it was looked for");
    (line[0].to_owned(), line[at + 1].to_owned())
}

#[test]
fn each_of_many_faults_is_found_named_and_gone_when_it_is_mended() {
    let fabric = Fabric::pair();
    fabric.acquaint("vm11", "vm21");
    clean(&fabric);
    fabric.passes("pair");

    // The kernel's entry is another one than zebra has written.
    let (mac, vtep) = remote(&fabric);
    let write = |vtep: &str| {
        let entry = format!("fdb replace {mac} dev vxlan{VNI} dst {vtep} self extern_learn");
        fabric.run(LEAF, "bridge", &entry);
    };
    write("10.0.9.9");
    let said = only(&fabric, &["mac"], &mac);
    assert!(said.contains("VTEP 10.0.9.9") && said.contains(&format!("VTEP {vtep}")), "{said}");
    assert!(said.contains(r#""differs":"kernel""#), "{said}");
    write(&vtep);
    clean(&fabric);

    // Settings that cannot work.
    fabric.run(LEAF, "bridge", &format!("link set dev vxlan{VNI} learning on"));
    let said = only(&fabric, &["setup"], VNI);
    assert!(said.contains("learns as port of its bridge"), "{said}");
    fabric.run(LEAF, "bridge", &format!("link set dev vxlan{VNI} learning off"));
    let link: serde_json::Value =
        serde_json::from_str(&fabric.ip(LEAF, "-j link show swp1")).expect("it is JSON");
    let mtu = link[0]["mtu"].as_u64().expect("it has an MTU");
    fabric.ip(LEAF, "link set swp1 mtu 1400");
    let said = only(&fabric, &["setup"], "swp1");
    assert!(said.contains("MTU 1400, and tunnels need "), "{said}");
    fabric.ip(LEAF, &format!("link set swp1 mtu {mtu}"));
    clean(&fabric);
    fabric.run(LEAF, "ethtool", "-K swp11 rxvlan on");
    let said = only(&fabric, &["setup"], "swp11");
    assert!(said.contains("rxvlan is on"), "{said}");
    mend(&fabric, &said);
    leftovers::named(&fabric);
    refused::named(&fabric);
    between::named(&fabric);

    // Who has stopped the daemon is told so, with what it has missed.
    let daemon = fabric.daemon(LEAF);
    daemon.signal(Signal::STOP);
    fabric.ip(LEAF, "link set swp11 mtu 1400");
    let said = only(&fabric, &["port", "circuit", "nexthop"], "swp11");
    assert!(said.contains("mtu 1400") && said.contains("SIGSTOP"), "{said}");
    daemon.signal(Signal::CONT);
    clean(&fabric);
    fabric.ip(LEAF, "link set swp11 mtu 1500");
    clean(&fabric);

    repaired(&fabric);
    stopped_frr(&fabric);
}

/// Somebody writes into the maps.
fn repaired(fabric: &Fabric) {
    let (maps, index) = (fabric.maps(LEAF), fabric.ifindex(LEAF, "swp11"));
    let ports = &maps.ports;
    let (slot, _) = ports.iter().find(|(_, port)| port.ifindex == index).expect("it has a slot");
    ports.update(slot, |port| port.mtu = 1_234);
    let said = only(fabric, &["port"], "swp11");
    assert!(said.contains("mtu 1234") && said.contains(r#""differs":"maps""#), "{said}");
    assert!(said.contains("--repair"), "{said}");
    let verified = fabric.verify(LEAF, &["--repair"]);
    assert_eq!(verified.status, 0, "{}", verified.document);
    assert_eq!(verified.document["repaired"], "1 entry corrected");
    assert_eq!(ports.get(slot).mtu, 1_500);
}

/// A stuck zebra cannot be asked, and one that has ended is no reason to say that nothing differs.
fn stopped_frr(fabric: &Fabric) {
    let netns = fabric.netns(LEAF);
    let daemons = daemons::frr_processes(netns.name());
    assert!(daemons.len() >= 2, "zebra and bgpd: {daemons:?}");
    daemons.iter().for_each(|daemon| daemon.stop(Signal::KILL));
    until(PATIENCE, "it is said that zebra cannot be asked", || {
        let verified = fabric.verify(LEAF, &[]);
        verified.status == 3 && verified.document["not_asked"].to_string().contains("zebra")
    });
}
