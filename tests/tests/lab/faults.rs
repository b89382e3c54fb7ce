//! Links that are cut or silenced, and servers that leave their service.

use std::process::Command;

use fabric_tests::fabric::fabricctl;
use fabric_user::lab::daemons::Frr;
use fabric_user::lab::{Fault, Lab, LabError};

use crate::fixture::{PATIENCE, pings, up_from, wait_until};

fn link_state(lab: &Lab, node: &str, port: &str) -> String {
    lab.exec(node, Command::new("ip").args(["-o", "link", "show", port])).expect("ip")
}

/// The nexthop object of a route.
fn nexthop_id(lab: &Lab, node: &str, prefix: &str) -> String {
    let route = lab.exec(node, Command::new("ip").args(["route", "show", prefix])).expect("ip");
    let mut words = route.split_whitespace().skip_while(|word| *word != "nhid");
    words.nth(1).expect("zebra's routes have a nexthop object").to_owned()
}

#[test]
fn a_cut_link_has_no_carrier_a_silent_one_has_and_both_can_be_mended() {
    let lab = up_from("underlay", "faults");
    lab.wait_converged(PATIENCE).expect("the lab converges");
    pings(&lab, "rack11", "10.1.12.10").expect("the far host answers");
    let sessions = |node: &str| {
        let status = lab.status(false).expect("the lab answers");
        let node = status.switches.into_iter().find(|it| it.node == node).expect("drawn");
        (node.bgp_established, node.bfd_up, node.bgp_sessions, node.bfd_sessions)
    };
    // Not asserted at once: BFD may end sessions of a machine that stood still, and brings them back.
    wait_until("all sessions are up", || sessions("leaf01") == (Some(4), Some(4), 4, 4));

    let whole = nexthop_id(&lab, "leaf01", "10.0.1.12");
    let cut = Fault::cut(&lab, "leaf01", "swp1").expect("the link can be cut");
    wait_until("the port has no carrier", || {
        link_state(&lab, "leaf01", "swp1").contains("NO-CARRIER")
    });
    wait_until("BFD and BGP notice", || {
        sessions("leaf01").1 == Some(3) && sessions("leaf01").0 == Some(3)
    });
    // zebra keeps an unused group for a second; one that is used again before that is taken for
    // installed, although the kernel has taken the link's next hop out of it (FRR 8.4). FRR 10 goes on
    // with the same group and puts the next hop back into it.
    let frr = Frr::find().expect("FRR is installed");
    if frr.major_version().expect("zebra tells its version") < 10 {
        wait_until("zebra has removed the group of all four", || {
            let mut show = Command::new("ip");
            lab.exec("leaf01", show.args(["nexthop", "show", "id", &whole])).is_err()
        });
    }
    cut.mend().expect("the link can be mended");
    lab.wait_converged(PATIENCE).expect("everything comes back");

    let silent = Fault::silence(&lab, "leaf01", "swp1").expect("the link can be silenced");
    wait_until("BFD and BGP notice", || {
        sessions("spine01").1 == Some(1) && sessions("leaf01").0 == Some(3)
    });
    for (node, port) in [("leaf01", "swp1"), ("spine01", "swp1")] {
        let state = link_state(&lab, node, port);
        assert!(state.contains("LOWER_UP") && state.contains("xdp"), "{state}");
    }
    drop(silent);
    lab.wait_converged(PATIENCE).expect("everything comes back");
    assert!(!link_state(&lab, "leaf01", "swp1").contains("xdp"));

    let error = lab.cut("leaf01", "swp9").expect_err("there is no such port");
    assert!(matches!(error, LabError::UnknownPort { .. }), "{error}");
}

#[test]
fn a_lab_with_a_silent_link_leaves_nothing_behind() {
    let lab = up_from("underlay", "mute");
    lab.silence("leaf01", "swp2").expect("the link can be silenced");
    lab.silence("leaf01", "swp2").expect("a second time changes nothing");
    let pins = std::path::PathBuf::from(format!("/sys/fs/bpf/fabric-lab/{}", lab.name()));
    assert_eq!(std::fs::read_dir(&pins).expect("the pins are there").count(), 2);
    let mut graph = Command::new(fabricctl());
    graph.args(["lab", "graph", "--output", "-", "--name", lab.name()]);
    // Cables that have just been laid have no carrier yet.
    wait_until("only the silent link and the legend are dashed", || {
        let drawn = graph.output().expect("fabricctl starts");
        assert!(drawn.status.success(), "{drawn:?}");
        String::from_utf8_lossy(&drawn.stdout).matches("stroke-dasharray").count() == 2
    });
    drop(lab);
    assert!(!pins.exists());
}

/// Without a control plane nobody but `mend` gives back what the kernel forgets with a port: its IPv6
/// addresses and the routes over it. Hosts have no control plane anywhere.
#[test]
fn links_and_cables_of_hosts_that_were_cut_are_whole_again_when_they_are_mended() {
    let lab = up_from("static", "whole");
    lab.wait_converged(PATIENCE).expect("all is written");
    let state = |node: &str| {
        let show = |what: &[&str]| lab.exec(node, Command::new("ip").args(what)).expect("ip");
        let mut lines = Vec::new();
        for what in [["-4", "route"], ["-6", "route"], ["-4", "address"], ["-6", "address"]] {
            let text = show(&[&["-o"], &what[..]].concat());
            // Counters of preferred lifetimes and link-local routes, which come and go with the carrier.
            lines
                .extend(text.lines().filter(|line| !line.contains("fe80::/64")).map(str::to_owned));
        }
        lines.sort();
        lines
    };
    let nodes = ["spine01", "leaf01", "rack11", "vm01"];
    let before = nodes.map(state);
    let ways = [
        ("leaf01", "swp1"),
        ("spine01", "swp1"),
        ("spine01", "swp2"),
        ("rack11", "eth0"),
        ("leaf01", "swp13"),
        ("vm01", "eth0"),
        ("leaf01", "swp11"),
    ];
    // All at once: while one is mended, others are still cut.
    for (node, port) in ways {
        lab.cut(node, port).expect("it can be cut");
    }
    for (node, port) in ways {
        lab.mend(node, port).expect("it can be mended");
    }
    wait_until("all is as it was", || nodes.map(state) == before);
    for address in ["10.1.31.10", "fd00:1:31::10"] {
        wait_until("the other rack answers", || pings(&lab, "rack11", address).is_ok());
    }
    wait_until("the other host answers", || pings(&lab, "vm01", "10.100.0.13").is_ok());
    let status = lab.status(true).expect("it can be looked at");
    assert!(status.healthy, "{:#?}", status.faults);
}
