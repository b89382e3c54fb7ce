//! What `fabricctl lab up` waits for and `fabricctl lab status` says, with fabric-xdpd on the switches.

use std::process::{Command, Output};

use fabric_tests::fabric::{fabric_xdpd, fabricctl};
use fabric_user::lab::{Lab, LabError, Options, Topology, daemons};
use rustix::process::Signal;

use crate::fixture::{self, Leftover, PATIENCE, options, pings, wait_until};

/// `fabricctl lab` with these arguments, to its end.
fn lab_command(arguments: &[&str]) -> Output {
    let mut command = Command::new(fabricctl());
    command.arg("lab").args(arguments).output().expect("fabricctl starts")
}

/// A lab of one site with fabric-xdpd; its inventory ends with `more`.
fn up(test: &str, more: &str) -> Lab {
    let file = |extension: &str| {
        let path = fixture::path("one-site").with_extension(extension);
        std::fs::read_to_string(path).expect("it is in the repository")
    };
    let inventory = format!("{}\n{more}", file("toml"));
    let topology = Topology::parse("one-site", &file("dot"), &inventory).expect("valid");
    let options = Options { fabric_xdpd: Some(fabric_xdpd()), ..options(test) };
    Lab::up(&topology, &options, &mut |_| {}).expect("the lab comes up")
}

fn redirected(lab: &Lab, leaf: &str) -> u64 {
    let json = Command::new(fabricctl())
        .args(["counters", "reasons", "--json", "--instance", &lab.instance(leaf)])
        .output()
        .expect("fabricctl starts");
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).expect("it is JSON");
    let rows = document["reasons"].as_array().expect("reasons are counted");
    let sum = |row: &serde_json::Value| {
        (row["verdict"] == "redirect").then(|| row["received"]["packets"].as_u64().unwrap_or(0))
    };
    rows.iter().filter_map(sum).sum()
}

#[test]
fn when_a_lab_is_ready_fabric_forwards_at_once() {
    let lab = up("ready", "");
    let left = lab.wait_ready(PATIENCE, &mut |_| {}).expect("it is ready");
    assert!(left.is_empty(), "{left:?}");
    pings(&lab, "vm02", "10.200.0.14").expect("the first shows the hosts to the bridges");
    let before = redirected(&lab, "leaf01");
    pings(&lab, "vm02", "10.200.0.14").expect("it answers");
    assert!(redirected(&lab, "leaf01") > before, "the second is forwarded by XDP");
    let status = lab.status(true).expect("it can be looked at");
    assert!(status.healthy, "{:?}", status.faults);
    assert!(status.pings.expect("they were asked for").iter().all(|ping| ping.answered));
}

#[test]
fn ports_whose_mtu_no_program_takes_are_named_with_what_to_do() {
    let lab = up("jumbo", "[fabric]\nunderlay_mtu = 9216\n");
    let left = lab.wait_ready(PATIENCE, &mut |_| {}).expect("BGP converges");
    let mut ports: Vec<String> = left
        .iter()
        .map(|it| format!("{} {}", it.node, it.port.as_deref().unwrap_or("-")))
        .collect();
    ports.sort();
    let expected = ["leaf01", "leaf02", "spine01", "spine02"];
    let expected = expected.map(|node| [format!("{node} swp1"), format!("{node} swp2")]);
    assert_eq!(ports, expected.concat());
    for thing in &left {
        assert!(thing.why.contains("9216") && thing.why.contains("lower underlay_mtu"), "{thing}");
    }
    let status = lab_command(&["status", "--name", lab.name()]);
    assert_eq!(status.status.code(), Some(1), "{status:?}");
}

#[test]
fn an_up_that_gives_up_leaves_the_lab_and_says_what_is_missing() {
    let (name, topology) = (options("late").name.expect("named"), fixture::path("one-site"));
    let _leftover = Leftover(name.clone());
    let up = ["up", topology.to_str().expect("valid text"), "--name", &name, "--timeout", "0"];
    let output = lab_command(&up);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let there = Lab::names().contains(&name);
    let again = lab_command(&up);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("BGP sessions") && said.contains("stays up"), "{said}");
    assert!(there);
    assert_eq!(again.status.code(), Some(2), "it is up already, and none was made");
}

#[test]
fn who_waits_is_told_at_once_that_a_daemon_has_ended_and_in_time_that_one_hangs() {
    let lab = fixture::converged("wait");
    let netns = lab.node("leaf01").expect("drawn").netns().name().to_owned();
    let frr = daemons::frr_processes(&netns);
    let bgpd = frr.iter().find(|it| runs(it.pid, "bgpd")).expect("bgpd runs");
    // It takes calls and never answers, without being stopped.
    let socket = daemons::vty_socket(&netns, "bgpd");
    std::fs::remove_file(&socket).expect("it has a socket");
    let _deaf = std::os::unix::net::UnixListener::bind(&socket).expect("it can be made anew");
    let start = std::time::Instant::now();
    let limit = std::time::Duration::from_secs(1);
    let error = lab.wait_ready(limit, &mut |_| {}).expect_err("bgpd does not answer");
    assert!(error.to_string().contains("bgpd on leaf01 does not answer"), "{error}");
    assert!(start.elapsed() < std::time::Duration::from_secs(30), "{:?}", start.elapsed());

    bgpd.stop(Signal::KILL);
    for ended in [lab.wait_ready(PATIENCE, &mut |_| {}).err(), lab.wait_converged(PATIENCE).err()] {
        let error = ended.expect("it will never be ready");
        assert!(matches!(error, LabError::Daemon { daemon: "bgpd", .. }), "{error}");
    }
}

#[test]
fn status_says_what_is_and_not_what_the_inventory_says() {
    let lab = up("broken", "");
    lab.wait_ready(PATIENCE, &mut |_| {}).expect("it is ready");
    let faults = || lab.status(false).expect("it can be looked at").faults;
    assert_eq!(faults(), Vec::<String>::new());

    let ip = |node: &str, line: &str| {
        lab.exec(node, Command::new("ip").args(line.split_whitespace())).expect("ip")
    };
    ip("leaf01", "link delete vxlan10100");
    ip("leaf01", "link set swp12 nomaster");
    ip("leaf02", "link delete swp12");
    ip("leaf02", "address delete 10.100.0.1/24 dev br100");
    ip("vm01", "address flush dev eth0");
    lab.cut("spine02", "swp1").expect("it can be cut");
    lab.silence("spine01", "swp2").expect("it can be silenced");
    let netns = lab.node("spine01").expect("drawn").netns().name().to_owned();
    let frr = daemons::frr_processes(&netns);
    let bgpd = frr.iter().find(|it| runs(it.pid, "bgpd"));
    bgpd.expect("bgpd runs").stop(Signal::KILL);
    let state = lab.state().expect("it has a record");
    state.fabric_xdpd["leaf02"].stop(Signal::KILL);

    let status = lab.status(false).expect("it can be looked at");
    assert!(!status.healthy);
    for expected in [
        "leaf01 vxlan10100 is gone",
        "leaf01 swp12 is no port of br200",
        "leaf02 swp12 is gone, vm04 eth0 is gone",
        "leaf02 br100 has lost its address 10.100.0.1",
        "vm01 eth0 has lost its address 10.100.0.11",
        "leaf01 swp2 is switched off",
        "it is silent; `fabricctl lab mend",
        "bgpd on spine01 does not run",
        "leaf02: fabric-xdpd has ended",
    ] {
        let is_said = status.faults.iter().any(|fault| fault.contains(expected));
        assert!(is_said, "{expected}: {:#?}", status.faults);
    }
    let leaf02 = status.switches.iter().find(|it| it.node == "leaf02").expect("drawn");
    assert_eq!(leaf02.accelerated, 0);

    let gone = lab.node("vm03").expect("drawn").netns().name().to_owned();
    assert!(Command::new("ip").args(["netns", "delete", &gone]).status().expect("ip").success());
    wait_until("the namespace is missed", || {
        faults().contains(&format!("the namespace {gone} of vm03 is gone"))
    });
    let json = lab_command(&["status", "--name", lab.name(), "--json"]);
    assert_eq!(json.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("it is JSON");
    assert_eq!(json["schema"], 1);
    assert_eq!(json["healthy"], false);
    assert_eq!(lab_command(&["status", "--name", "no-such-lab"]).status.code(), Some(2));
}

/// Somebody changes one thing after the other with `ip` and `bridge`, all of which `status` compares with what
/// the lab has written; `mend` gives a port its own back.
#[test]
fn status_misses_every_single_thing_that_was_written() {
    let lab = fixture::up_from("static", "single");
    lab.wait_converged(PATIENCE).expect("all is written");
    let faults = || lab.status(false).expect("it can be looked at").faults;
    assert_eq!(faults(), Vec::<String>::new());
    let run = |node: &str, line: &str| {
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next().expect("a program"));
        lab.exec(node, command.args(words)).unwrap_or_else(|error| panic!("{line}: {error}"))
    };
    let mac = lab.topology().host("vm03").expect("drawn").end.mac;
    for (node, line, expected) in [
        ("spine01", "ip route delete 10.0.1.13", "spine01 has 0 of 1 ways to 10.0.1.13"),
        ("spine01", "ip route delete 10.1.11.0/24", "spine01 has 0 of 1 ways to 10.1.11.0/24"),
        ("leaf01", "ip -6 route delete fd00:1:31::/64", "leaf01 has 0 of 2 ways to fd00:1:31::"),
        (
            "leaf01",
            "ip neigh delete 10.100.0.13 dev br100",
            "leaf01 does not have 10.100.0.13 of vm03",
        ),
        (
            "leaf01",
            "ip neigh delete 10.100.0.11 dev br100",
            "leaf01 does not have 10.100.0.11 of vm01",
        ),
        (
            "leaf03",
            "bridge fdb delete MAC dev vxlan10100 master",
            "leaf03 does not have vm03 at vxlan10100",
        ),
        (
            "leaf03",
            "bridge fdb delete MAC dev vxlan10100 self",
            "leaf03 does not have vm03 behind leaf02",
        ),
        ("vm01", "ip route delete default", "vm01 has lost its default route via 10.100.0.1"),
        (
            "rack11",
            "ip -6 route delete default",
            "rack11 has lost its default route via fd00:1:11::1",
        ),
        (
            "rack11",
            "ip address delete fd00:1:11::10/64 dev eth0",
            "rack11 eth0 has lost its address fd00:1:11::10",
        ),
        (
            "vm05",
            "ip link set eth0 address 02:00:00:00:99:99",
            "vm05 eth0 has MAC 02:00:00:00:99:99",
        ),
        (
            "leaf01",
            "ip address delete 10.1.11.1/24 dev swp13",
            "leaf01 swp13 has lost its address 10.1.11.1",
        ),
        (
            "leaf01",
            "ip address delete fd00:1:11::1/64 dev swp13",
            "leaf01 swp13 has lost its address fd00:1:11::1",
        ),
        (
            "leaf02",
            "ip link set vxlan10200 type vxlan id 10200 local 10.0.1.99",
            "has local address \"10.0.1.99\"",
        ),
        (
            "leaf02",
            "ip link set vxlan10100 type vxlan id 10100 learning",
            "leaf02 vxlan10100 learns MACs from packets",
        ),
        (
            "leaf01",
            "bridge link set dev vxlan10200 learning on",
            "leaf01 vxlan10200 learns MACs as port",
        ),
    ] {
        run(node, &line.replace("MAC", &mac.to_string()));
        let faults = faults();
        assert!(faults.iter().any(|it| it.contains(expected)), "{line}: {faults:#?}");
    }
    run("leaf02", "ip link delete vxlan10100");
    run("leaf02", "ip link add vxlan10100 type vxlan id 7 local 10.0.1.12 dstport 4789 nolearning");
    assert!(faults().iter().any(|it| it.contains("leaf02 vxlan10100 has VNI 7 and not 10100")));

    for (node, port) in [("vm01", "eth0"), ("rack11", "eth0")] {
        lab.mend(node, port).expect("it can be mended");
    }
    let mended = ["vm01 has lost", "rack11 has lost", "rack11 eth0", "leaf01 swp13"];
    let faults = faults();
    assert!(!faults.iter().any(|it| mended.iter().any(|what| it.contains(what))), "{faults:#?}");
}

/// Whether a process runs this program.
fn runs(pid: i32, program: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == program)
}
