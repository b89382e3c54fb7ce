//! The observer against this machine's kernel, in a network namespace of the test's own thread.
//! Needs root; without it there is nothing to observe and the tests say SKIP.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::kernel::netns::{Own, enter_new};
use crate::observe::{Asker, Batch, Event, Listing, Observer, Route, RouteKind, Scope};

/// How long the kernel may take to tell: it is only reached when something is wrong, however busy the
/// machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// Runs a test in a new network namespace, which goes with its thread and the sockets.
pub(crate) fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    std::thread::spawn(move || {
        if let Err(error) = enter_new(Own::Network) {
            eprintln!("SKIP: cannot make a network namespace: {error}");
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
    })
    .join()
    .unwrap();
}

/// Runs commands in the thread's namespace.
pub(crate) fn sh(script: &str) {
    let status = Command::new("sh").args(["-ec", script]).status().unwrap();
    assert!(status.success(), "{script}: {status}");
}

/// What the kernel has at this moment.
fn dump(scope: Scope) -> Listing {
    Asker::open().unwrap().dump(scope).unwrap()
}

/// Waits for an event.
async fn wait_for(observer: &mut Observer, mut wanted: impl FnMut(&Event) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let batch = tokio::time::timeout(left, observer.next()).await.expect("the event arrives");
        match batch.unwrap() {
            Batch::Events(events) if events.iter().any(&mut wanted) => return,
            Batch::Events(_) => {}
            Batch::Lost => panic!("nothing is lost in this test"),
        }
    }
}

#[test]
fn a_dump_has_what_was_there_and_events_bring_what_follows() {
    in_namespace(|| async {
        sh(
            "ip link set lo up; ip link add br10 up type bridge; ip link add p1 type veth peer p2; \
            ip link set p1 up; ip link set p2 up; ip link set p1 master br10; \
            ip addr add 192.0.2.1/24 dev p2; ip nexthop add id 11 via 192.0.2.9 dev p2; \
            ip route add 10.0.0.2/32 nhid 11; \
            ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev p2; \
            bridge fdb add 02:aa:00:00:00:01 dev p1 master dynamic",
        );
        let mut observer = Observer::open().unwrap();
        let snapshot = dump(Scope::All);
        assert_eq!(snapshot.scope, Scope::All);
        let has = |wanted: &dyn Fn(&Event) -> bool| snapshot.events.iter().any(wanted);
        assert!(has(&|e| matches!(e, Event::Link(link) if link.name == "br10")));
        assert!(has(&|e| matches!(e, Event::BridgePort(_))));
        assert!(has(&|e| matches!(e, Event::Nexthop(nexthop) if nexthop.id == 11)));
        assert!(has(&|e| matches!(e, Event::RouteAppended(r) if r.nexthop == Some(11))));
        assert!(has(&|e| matches!(e, Event::Neighbour(n) if n.address.is_ipv4())));
        assert!(has(&|e| matches!(e, Event::BridgeMac(m) if m.mac.0[1] == 0xaa)));

        sh("bridge fdb del 02:aa:00:00:00:01 dev p1 master");
        wait_for(
            &mut observer,
            |e| matches!(e, Event::BridgeMacGone { mac, .. } if mac.0[1] == 0xaa),
        )
        .await;

        // The kernel says nothing about the nexthop and the route, which is why one asks again.
        sh("ip link set p1 down");
        wait_for(
            &mut observer,
            |e| matches!(e, Event::Link(link) if link.name == "p2" && !link.carrier),
        )
        .await;
        let routing = dump(Scope::Routing);
        assert_eq!(routing.scope, Scope::Routing);
        assert!(!routing.events.iter().any(|e| matches!(e, Event::Nexthop(_))));
        assert!(!routing.events.iter().any(|e| matches!(e, Event::Link(_))));
    });
}

#[test]
fn a_vxlan_devices_filter_of_vnis_is_listed_by_ranges_and_followed() {
    in_namespace(|| async {
        sh("ip link add vx0 type vxlan external vnifilter local 10.0.0.1 dstport 4789; \
            bridge vni add vni 10010-10012 dev vx0; bridge vni add vni 10020 dev vx0");
        let mut observer = Observer::open().unwrap();
        let listed = || {
            let ranges = dump(Scope::Bridges).events.into_iter().filter_map(|event| match event {
                Event::VniFilter(filter) => Some(filter.ranges),
                _ => None,
            });
            ranges.flatten().collect::<Vec<_>>()
        };
        assert_eq!(listed(), [(10_010, 10_012), (10_020, 10_020)]);
        sh("bridge vni delete vni 10011 dev vx0");
        wait_for(
            &mut observer,
            |event| matches!(event, Event::VniFilterGone(gone) if gone.ranges == [(10_011, 10_011)]),
        )
        .await;
        assert_eq!(listed(), [(10_010, 10_010), (10_012, 10_012), (10_020, 10_020)]);
    });
}

#[test]
fn rules_forwarding_and_routes_of_every_table_are_dumped_and_followed() {
    in_namespace(|| async {
        sh("ip link set lo up; ip link add p1 type veth peer p2; ip link set p1 up; \
            ip link set p2 up; ip addr add 192.0.2.1/24 dev p1; \
            ip addr add 198.51.100.1/24 dev p2; \
            ip -6 addr add 2001:db8:1::1/64 dev p1 nodad; \
            echo 1 > /proc/sys/net/ipv4/conf/p1/forwarding; \
            echo 2 > /proc/sys/net/ipv4/conf/all/rp_filter; \
            ip rule add iif p1 lookup 1000 pref 77; \
            ip route add unreachable default table 1000; \
            ip route add 10.0.0.0/8 via 192.0.2.9; ip route append 10.0.0.0/8 via 198.51.100.9; \
            ip -6 route add 2001:db8:9::/48 via 2001:db8:1::2; \
            ip -6 route append 2001:db8:9::/48 via 2001:db8:1::3");
        let mut observer = Observer::open().unwrap();
        let snapshot = dump(Scope::All);
        let p1 = snapshot.events.iter().find_map(|event| match event {
            Event::Link(link) if link.name == "p1" => Some(link.ifindex),
            _ => None,
        });
        let settings = |ifindex, v6| {
            let found = snapshot.events.iter().find_map(|event| match event {
                Event::Netconf(each) if (each.ifindex, each.v6) == (ifindex, v6) => Some(*each),
                _ => None,
            });
            found.expect("settings")
        };
        assert_eq!(settings(p1, false).forwarding, Some(true));
        assert_eq!(settings(p1, true).forwarding, Some(false));
        assert_eq!(settings(None, false).rp_filter, Some(2));
        assert_eq!(settings(None, true).forwarding, Some(false));

        let rules: Vec<(bool, u32)> = snapshot
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Rule(rule) => Some((rule.v6, rule.priority)),
                _ => None,
            })
            .collect();
        assert_eq!(
            rules,
            [(false, 0), (false, 77), (false, 32766), (false, 32767), (true, 0), (true, 32766)]
        );

        let routes = |prefix: &str| -> Vec<Route> {
            let appended = snapshot.events.iter().filter_map(|event| match event {
                Event::RouteAppended(route) => Some(route),
                _ => None,
            });
            appended.filter(|route| route.key.prefix.to_string() == prefix).cloned().collect()
        };
        let gateways = |prefix: &str| -> Vec<Vec<String>> {
            let all = |route: &Route| {
                route.hops.iter().map(|hop| hop.gateway.unwrap().to_string()).collect()
            };
            routes(prefix).iter().map(all).collect()
        };
        assert_eq!(gateways("10.0.0.0/8"), [["192.0.2.9"], ["198.51.100.9"]]);
        assert_eq!(gateways("2001:db8:9::/48"), [["2001:db8:1::2", "2001:db8:1::3"]]);
        let default = &routes("0.0.0.0/0")[0];
        assert_eq!((default.key.table, default.kind), (1000, RouteKind::Unreachable));

        sh("ip rule del pref 77; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; \
            ip route del unreachable default table 1000");
        let (mut rule, mut forwarding) = (false, false);
        wait_for(&mut observer, |event| {
            rule |= matches!(event, Event::RuleGone(rule) if rule.priority == 77);
            forwarding |= matches!(event, Event::Netconf(each) if each.v6
                && each.ifindex.is_none() && each.forwarding == Some(true));
            matches!(event, Event::RouteGone(route) if route.key.table == 1000)
        })
        .await;
        assert!(rule && forwarding);
    });
}

#[test]
fn more_changes_than_the_queue_holds_are_reported_as_lost_and_a_dump_repairs_it() {
    in_namespace(|| async {
        sh(
            "ip link add br10 up type bridge; ip link add p1 type veth peer p2; ip link set p1 up; \
            ip link set p2 up; ip link set p1 master br10",
        );
        let mut observer = Observer::open().unwrap();
        observer.shrink_queues_for_test();
        sh("for i in $(seq 0 255); do for j in 0 1 2 3 4 5 6 7; do \
            printf 'fdb add 02:aa:00:%02x:%02x:01 dev p1 master dynamic\\n' $i $j; done; done \
            | bridge -batch -");
        let deadline = Instant::now() + PATIENCE;
        while observer.next().await.unwrap() != Batch::Lost {
            assert!(Instant::now() < deadline, "2,048 changes do not fit into the queue");
        }
        let snapshot = dump(Scope::All);
        let macs = snapshot
            .events
            .iter()
            .filter(|event| matches!(event, Event::BridgeMac(entry) if entry.mac.0[1] == 0xaa));
        assert_eq!(macs.count(), 2_048);
        sh("bridge fdb del 02:aa:00:ff:07:01 dev p1 master");
        wait_for(&mut observer, |event| matches!(event, Event::BridgeMacGone { .. })).await;
    });
}

#[test]
fn a_long_stream_of_changes_comes_in_pieces_in_order_and_other_tasks_get_their_turn() {
    const CHANGES: usize = 10_240;
    in_namespace(|| async {
        sh(
            "ip link add br10 up type bridge; ip link add p1 type veth peer p2; ip link set p1 up; \
            ip link set p2 up; ip link set p1 master br10",
        );
        let mut observer = Observer::open().unwrap();
        sh("for i in $(seq 0 159); do for j in $(seq 0 63); do \
            printf 'fdb add 02:aa:00:%02x:%02x:01 dev p1 master dynamic\\n' $i $j; done; done \
            | bridge -batch -");
        let other = tokio::spawn(async {});
        let (mut seen, mut sizes, mut other_ran_at) = (Vec::new(), Vec::new(), None);
        while seen.len() < CHANGES {
            let batch = tokio::time::timeout(PATIENCE, observer.next()).await.unwrap().unwrap();
            let Batch::Events(events) = batch else { panic!("nothing is lost in this test") };
            if other.is_finished() && other_ran_at.is_none() {
                other_ran_at = Some(seen.len());
            }
            sizes.push(events.len());
            seen.extend(events.iter().filter_map(|event| match event {
                Event::BridgeMac(entry) if entry.mac.0[1] == 0xaa => Some(entry.mac),
                _ => None,
            }));
        }
        assert_eq!(seen.len(), CHANGES);
        assert!(seen.is_sorted(), "in the order in which they were made");
        // The first ones do not wait for all others to be read.
        assert_eq!(sizes[..7], [64, 128, 256, 512, 1_024, 2_048, 4_096]);
        assert!(sizes[7..].iter().all(|size| *size <= 4_096), "{sizes:?} events at once");
        let ran_at = other_ran_at.expect("it ran between two pieces");
        assert!(ran_at <= 64, "the other task waited for {ran_at} changes");

        sh(
            "for i in $(seq 0 127); do printf 'fdb del 02:aa:00:%02x:01:01 dev p1 master\\n' $i; done \
            | bridge -batch -",
        );
        let batch = tokio::time::timeout(PATIENCE, observer.next()).await.unwrap().unwrap();
        let Batch::Events(events) = batch else { panic!("nothing is lost in this test") };
        assert_eq!(events.len(), 64, "the next burst begins as the first one did");
    });
}

#[test]
fn a_triggered_resolution_makes_the_kernel_ask() {
    in_namespace(|| async {
        sh("ip link add p1 type veth peer p2; ip link set p1 up; ip link set p2 up; \
            ip addr add 192.0.2.1/24 dev p1");
        let mut observer = Observer::open().unwrap();
        let snapshot = dump(Scope::All);
        let ifindex = snapshot
            .events
            .iter()
            .find_map(|event| match event {
                Event::Link(link) if link.name == "p1" => Some(link.ifindex),
                _ => None,
            })
            .unwrap();
        let address = "192.0.2.9".parse().unwrap();
        let mut asker = Asker::open().unwrap();
        asker.trigger_resolution(ifindex, address).unwrap();
        // Nobody answers: the entry appears and then fails, without a MAC.
        wait_for(
            &mut observer,
            |event| matches!(event, Event::Neighbour(n) if n.address == address && n.mac.is_none()),
        )
        .await;
        let error = asker.trigger_resolution(9_999, address).unwrap_err().to_string();
        assert!(error.contains("refused to resolve 192.0.2.9 on interface 9999"), "{error}");
    });
}

/// Who asks may not know yet that somebody has written it.
#[test]
fn a_triggered_resolution_leaves_a_permanent_neighbour_as_it_is() {
    const NUD_PERMANENT: u16 = 0x80;
    in_namespace(|| async {
        sh("ip link add p1 type veth peer p2; ip link set p1 up; ip link set p2 up; \
            ip addr add 192.0.2.1/24 dev p1; \
            ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev p1 nud permanent");
        let neighbour = || {
            let mut events = dump(Scope::All).events.into_iter();
            let found = events.find_map(|event| match event {
                Event::Neighbour(found) if found.address.to_string() == "192.0.2.9" => Some(found),
                _ => None,
            });
            found.unwrap()
        };
        let before = neighbour();
        assert_eq!(before.state, NUD_PERMANENT);
        let mut asker = Asker::open().unwrap();
        asker.trigger_resolution(before.ifindex, before.address).unwrap();
        assert_eq!(neighbour(), before);
    });
}

/// The kernel takes a request without these words for one to forget them.
#[test]
fn a_triggered_resolution_leaves_a_neighbour_the_marks_of_who_wrote_it() {
    const STATES: [&str; 3] = ["stale", "reachable", "noarp"];
    in_namespace(|| async {
        sh("ip link add p1 type veth peer p2; ip link set p1 up; ip link set p2 up; \
            ip addr add 192.0.2.1/24 dev p1");
        for (index, state) in STATES.iter().enumerate() {
            sh(&format!(
                "ip neigh add 192.0.2.{} lladdr 02:00:00:00:00:09 dev p1 nud {state} extern_learn",
                index + 10
            ));
        }
        // Nobody answers, and it has no MAC address.
        sh("ip neigh add 192.0.2.20 dev p1 managed extern_learn");
        let shown = |address: &str| {
            let words = ["neigh", "show", "to", address, "nud", "all"];
            let shown = Command::new("ip").args(words).output().unwrap();
            String::from_utf8(shown.stdout).unwrap()
        };
        let ifindex = crate::kernel::interface::index("p1").unwrap();
        let mut asker = Asker::open().unwrap();
        let addresses = (10..10 + STATES.len()).chain([20]).map(|last| format!("192.0.2.{last}"));
        for address in addresses {
            asker.trigger_resolution(ifindex, address.parse().unwrap()).unwrap();
            let shown = shown(&address);
            assert!(shown.contains("extern_learn"), "{shown}");
            assert_eq!(shown.contains("managed"), address.ends_with(".20"), "{shown}");
            // What is stale is asked for.
            assert_eq!(shown.contains("DELAY"), address.ends_with(".10"), "{shown}");
        }
    });
}

#[test]
fn a_route_or_a_setting_tells_that_ipv6_was_switched_also_without_any_address() {
    in_namespace(|| async {
        sh("ip link add p1 type veth peer p2; ip link set p1 up; ip link set p2 up");
        let mut observer = Observer::open().unwrap();
        // Its route for multicast comes before its address.
        sh(
            "while ! ip -6 addr show dev p1 | grep -q fe80; do sleep 0.01; done; ip -6 addr flush dev p1",
        );
        wait_for(&mut observer, |event| matches!(event, Event::AddressChanged { .. })).await;
        let p1 = |event: &Event| match event {
            Event::Link(link) if link.name == "p1" => Some(link.ifindex),
            _ => None,
        };
        let index = dump(Scope::All).events.iter().find_map(p1).expect("it is there");
        for command in [
            "echo 1 > /proc/sys/net/ipv6/conf/p1/disable_ipv6",
            "echo 0 > /proc/sys/net/ipv6/conf/p1/disable_ipv6",
            "ip link set p1 mtu 1279",
            "ip link set p1 mtu 1280",
        ] {
            sh(command);
            let told = |event: &Event| event.may_switch_ipv6().any(|ifindex| ifindex == index);
            wait_for(&mut observer, told).await;
        }
    });
}
