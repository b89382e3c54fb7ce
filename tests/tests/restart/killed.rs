//! fabric-xdpd killed under traffic, and another one that takes over.
//!
//! - While the heartbeat lasts, XDP goes on forwarding.
//! - Then every packet is passed with `port_input_heartbeat_expired`, XDP sends nothing more, and the
//!   kernel carries the traffic.
//! - A new fabric-xdpd takes over: XDP forwards again, with the same maps, the same indexes and counters
//!   that go on.
//! - No datagram is lost, damaged or doubled from first to last.
//!
//! ```text
//!  time         ───────────╳───────────────┬──────────────────┬──────────▶
//!  fabric-xdpd  runs       SIGKILL         heartbeat expires  a new one
//!  forwards     XDP        XDP             kernel             XDP
//! ```

use std::{collections::BTreeMap, time::Duration};

use aya::maps::MapInfo;
use fabric_common::{reason::Reason, schema::MAPS};
use fabric_tests::fabric::{Fabric, PATIENCE, Seen, until, xdp_programs};
use rustix::process::Signal;

const HEARTBEAT: &str = "1000";

#[test]
fn a_killed_fabric_xdpd_costs_no_datagram_and_its_successor_takes_over_everything() {
    let fabric = Fabric::pair_alone();
    fabric.end_daemon("leaf01", Signal::TERM);
    fabric.start_daemon("leaf01", &["--heartbeat-timeout-ms", HEARTBEAT]);
    let stream = fabric.running_stream("vm11", "vm21", Duration::from_millis(1), 8_000);
    let back = fabric.running_stream("vm21", "vm11", Duration::from_millis(1), 8_001);
    let maps = fabric.maps("leaf01");
    let look = || Seen::of(&maps, &fabric, "leaf01");
    let (ids, indexes, programs) =
        (map_ids(&fabric), indexes(&fabric), xdp_programs(&fabric, "leaf01"));

    let killed = look();
    fabric.end_daemon("leaf01", Signal::KILL);
    let expired = |seen: &Seen| {
        ["swp11", "swp1", "swp2"]
            .iter()
            .map(|p| seen.on(p, Reason::PortInputHeartbeatExpired))
            .sum::<u64>()
    };
    until(PATIENCE, "the heartbeat expires", || expired(&look().since(&killed)) > 0);
    let over = look().since(&killed);
    assert!(over.on("swp11", Reason::Encapsulated) > 200, "XDP did not go on: {over:?}");

    let handed_over = look();
    until(PATIENCE, "the kernel carries both streams", || {
        expired(&look().since(&handed_over)) > 600
    });
    let kernel = look().since(&handed_over);
    for reason in [Reason::Encapsulated, Reason::Decapsulated, Reason::Bridged] {
        assert_eq!(kernel.all(reason), 0, "XDP forwards on stale maps: {kernel:?}");
    }
    for underlay in ["swp1", "swp2"] {
        assert_eq!(kernel.sent(underlay), 0, "XDP sends on stale maps: {kernel:?}");
    }

    let before = look();
    fabric.start_daemon("leaf01", &["--heartbeat-timeout-ms", HEARTBEAT]);
    until(PATIENCE, "XDP forwards again", || {
        let seen = look().since(&before);
        seen.on("swp11", Reason::Encapsulated) > 300 && seen.all(Reason::Decapsulated) > 300
    });
    assert_eq!(map_ids(&fabric), ids, "the successor made maps of its own");
    assert_eq!(indexes, self::indexes(&fabric), "indexes changed");
    let now = xdp_programs(&fabric, "leaf01");
    assert_eq!(now.keys().collect::<Vec<_>>(), programs.keys().collect::<Vec<_>>());
    assert!(now != programs, "the successor runs programs of its own");
    // Through the old file descriptors: the same maps, whose counters went on.
    let total = look().since(&killed).on("swp11", Reason::Encapsulated);
    assert!(total > over.on("swp11", Reason::Encapsulated) + 300, "{total} since the kill");

    for (name, stream) in [("to leaf02", stream), ("to leaf01", back)] {
        let report = stream.stop().expect("the stream could send");
        println!("{name}: {report:?}");
        assert_eq!((report.lost(), report.duplicates, report.damaged), (0, 0, 0), "{name}");
    }
    fabric.assert_agreement();
}

/// The kernel's ids of all pinned maps.
fn map_ids(fabric: &Fabric) -> BTreeMap<&'static str, u32> {
    let instance = fabric.instance("leaf01");
    let id = |name| MapInfo::from_pin(instance.map(name)).expect("all maps are pinned").id();
    MAPS.iter().map(|map| (map.name, id(map.name))).collect()
}

/// Which index every port, circuit, domain, VTEP, group and next hop has.
fn indexes(fabric: &Fabric) -> Vec<String> {
    let maps = fabric.maps("leaf01");
    let mut all = Vec::new();
    all.extend(maps.ports.iter().filter(|(_, p)| p.ifindex != 0).map(|e| format!("{e:?}")));
    all.extend(maps.circuits.iter().filter(|(_, c)| c.port != 0).map(|e| format!("{e:?}")));
    all.extend(maps.domains.iter().filter(|(_, d)| d.flags != 0).map(|e| format!("{e:?}")));
    all.extend(maps.vteps.iter().filter(|(_, v)| v.in_use()).map(|e| format!("{e:?}")));
    all.extend(maps.nexthops.iter().filter(|(_, n)| n.port != 0).map(|e| format!("{e:?}")));
    for (_, target, _) in maps.peers.table().iter() {
        let vtep = target;
        let group = maps.vteps.get(vtep).group;
        all.push(format!("VTEP {vtep}: group {group} {:?}", maps.shares(maps.groups.get(group))));
    }
    all
}
