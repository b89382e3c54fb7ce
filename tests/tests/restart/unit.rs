//! fabric-xdpd with the rights that its systemd unit gives it, and no others.
//!
//! - It comes into sync, and knows what chains of netfilter there are.
//! - It serves metrics.
//! - Its thread for link events goes before all others. Without the right to that, the log says what is
//!   missing.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use fabric_tests::{
    device::{nft, run},
    fabric::{Router, SOON, until},
    scrape::metrics_once,
};
use rustix::process::{Pid, getpriority_process};

/// What the unit says.
fn setting(name: &str) -> String {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../fabric-user/systemd/fabric-xdp.service");
    let unit = fs::read_to_string(path).expect("the unit is there");
    let value = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("the unit does not set {name}")).to_owned()
}

/// A command that gives what follows only the unit's capabilities, and those `beside`.
fn bounded(beside: &str) -> Vec<String> {
    let capabilities = setting("CapabilityBoundingSet").to_lowercase().replace("cap_", "+");
    let set = capabilities.split_whitespace().collect::<Vec<_>>().join(",");
    let set = format!("-all,{set}{beside}");
    ["setpriv", "--no-new-privs", "--bounding-set", &set].map(str::to_owned).to_vec()
}

/// A command that gives what follows the unit's rights. Where root may not raise limits, as in many a
/// container, a capability stands in for that of the priority.
fn unit() -> Vec<String> {
    let nice: i32 = setting("LimitNICE").parse().expect("a number");
    // `RLIMIT_NICE` counts from 1 for the lowest priority (getrlimit(2)).
    let limit = format!("--nice={}", 20 - nice);
    let may = Command::new("prlimit").args([&limit, "true"]).stderr(Stdio::null()).status();
    if !may.is_ok_and(|status| status.success()) {
        return bounded(",+sys_nice");
    }
    let limited = ["prlimit", &limit].map(str::to_owned);
    limited.into_iter().chain(bounded("")).collect()
}

/// Priority of the thread for link events.
fn priority(fabric_xdpd: Pid) -> Option<i32> {
    let tasks = fs::read_dir(format!("/proc/{}/task", fabric_xdpd.as_raw_nonzero())).ok()?;
    tasks.filter_map(Result::ok).find_map(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).ok()?;
        let (name, rest) = stat.split_once(')')?;
        // The nineteenth field, and the third follows the name (proc(5)).
        name.ends_with("(liveness").then(|| rest.split_whitespace().nth(16)?.parse().ok())?
    })
}

#[test]
fn the_units_rights_are_enough_for_everything() {
    let mut router = Router::without_daemon("");
    router.start_by(&unit());
    until(SOON, "the thread for link events is urgent", || {
        priority(router.daemon().pid()) == Some(-20)
    });
    let log = router.daemon().log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    router.assert_runs();
}

#[test]
fn the_units_rights_are_enough_to_know_what_filters() {
    let mut router = Router::without_daemon("");
    let add = || {
        run("iptables-legacy", "-w -P FORWARD DROP")?;
        run("ip6tables-legacy", "-w -A FORWARD -j DROP")?;
        nft("add table ip6 t\nadd chain ip6 t c { type nat hook postrouting priority 100; }\n")
    };
    router.netns().enter(add).expect("the namespace exists").expect("the kernel has all of it");
    router.start_by(&unit());
    let problems = router.state().problems;
    for words in ["the iptables-legacy chain `ip filter FORWARD` sees", "`ip6 t c` and 1 more see"]
    {
        assert!(problems.iter().any(|text| text.contains(words)), "{words}: {problems:?}");
    }
    let log = router.daemon().log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

#[test]
fn the_units_rights_are_enough_for_metrics() {
    let mut router = Router::without_daemon("metrics = \"9843\"\n");
    router.know_neighbours();
    router.start_by(&unit());
    // Of veths whose other end it may not look into, it only knows that frames arrive.
    let page = metrics_once(router.netns(), 9843, "the port is there", |page| {
        page.sum("fabric_port_info", &[("device", "swp1"), ("mode", "native")]) == 1.0
    });
    for name in ["fabric_heartbeat_remaining_seconds", "fabric_start_time_seconds"] {
        assert!(page.value(name, &[]).is_some_and(|value| value > 0.0), "{name}");
    }
    assert!(page.value("fabric_map_entries", &[("map", "ports")]).is_some_and(|it| it >= 4.0));
}

#[test]
fn without_the_right_to_priority_the_log_says_what_is_missing() {
    let mut router = Router::without_daemon("");
    router.start_by(&bounded(""));
    until(SOON, "the log says so", || router.daemon().log().contains("LimitNICE=-20"));
    let own = getpriority_process(None).expect("a process has a priority");
    assert_eq!(priority(router.daemon().pid()), Some(own), "not what it was started with");
}
