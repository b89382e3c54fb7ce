//! The applier and the maps of an instance of its own.

use std::time::Duration;

use fabric_common::schema::ports::TUNNELS;

use super::*;
use crate::{
    daemon::{follower::Follower, paths::Paths},
    hashed::HashMap,
    model::{Answers, Domain, DomainKey, Macs, Port, Role, Routes, View},
    observe::{
        Observer,
        tests::live::{PATIENCE, in_namespace, sh},
    },
    reconcile::Outcome,
};

/// Runs a test in a new network namespace with an applier whose programs and maps go with it.
fn with_applier<F: Future<Output = ()>>(
    name: &str,
    test: impl FnOnce(Applier, Agenda) -> F + Send + 'static,
) {
    let name = format!("{name}-{}", std::process::id());
    let instance = Instance::new(&name).unwrap();
    let run_folder = std::env::temp_dir().join(&name);
    let settings =
        Settings { instance: name, run_folder: run_folder.clone(), ..Settings::default() };
    let own = instance.clone();
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        in_namespace(|| async move {
            let agenda = Agenda::default();
            test(Applier::new(own, settings, agenda.clone()).unwrap(), agenda).await;
        });
    }));
    instance.remove().unwrap();
    // It is there if the state was written.
    let _absent = std::fs::remove_dir_all(&run_folder);
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn a_full_pass_follows_when_something_is_given_back_while_something_found_no_room() {
    with_applier("room", |mut applier, _| async move {
        let view = View { v4: Vec::new(), v6: vec![254] };
        for views in [vec![view], Vec::new()] {
            let structure = Structure { views, ..Structure::default() };
            let routes = Routes::All(HashMap::default());
            let reconciler = applier.reconciler.as_mut().unwrap();
            let answers = Answers::All(HashMap::default());
            reconciler.apply(&structure, &routes, Macs::All(Vec::new()), &answers);
        }
        applier.full.insert("the map views is full".into());
        applier.state.synced = true;
        applier.wake();
        assert!(!applier.full.is_empty(), "the view rests");
        let deadline = Instant::now() + PATIENCE;
        while !applier.full.is_empty() {
            assert!(Instant::now() < deadline, "nobody looks whether there is room");
            std::thread::sleep(Duration::from_millis(10));
            applier.wake();
        }
    });
}

#[test]
fn bridges_are_read_once_for_what_the_kernel_tells_of_them_and_not_for_what_was_read() {
    with_applier("bridges", |mut applier, agenda| async move {
        sh("ip link add br10 type bridge; ip link add br20 type bridge");
        let mut follower = Follower::begin(Observer::open().unwrap(), agenda.clone());
        let news = tokio::time::timeout(PATIENCE, follower.news()).await.expect("there is news");
        applier.take(news, Instant::now());
        assert!(applier.is_synced());
        follower.started();
        sh("ip link set br10 mtu 1400");
        let (mut told, mut read) = (0, 0);
        loop {
            // When bridges were read nothing else is to come.
            let patience = if read == 0 { PATIENCE } else { Duration::from_millis(500) };
            match tokio::time::timeout(patience, follower.news()).await {
                Ok(news) => {
                    match &news {
                        // The mark behind a snapshot brings a batch without an event.
                        News::Batch(Batch::Events(events)) => {
                            told += usize::from(!events.is_empty())
                        }
                        News::Snapshot(it) if it.purpose == Purpose::BridgesByVlan => read += 1,
                        _ => panic!("nothing else is read, and nothing is lost"),
                    }
                    applier.take(news, Instant::now());
                    assert!(read <= told, "what was read is read again");
                }
                Err(_) => break,
            }
        }
        assert!(told > 0 && read > 0);
        assert_eq!(applier.network.links().filter(|link| link.mtu == 1400).count(), 1);
    });
}

#[test]
fn a_port_that_waits_for_a_slot_has_one_that_the_same_pass_has_freed() {
    with_applier("freed", |mut applier, _| async move {
        let mut outcome = Outcome { freed: true, ..Outcome::default() };
        outcome.unusable.insert(7, "port 7 has no slot".into());
        outcome.waiting.insert(7);
        let now = Instant::now();
        // The second failure in a row waits for two seconds.
        applier.retries.failed(7, true, now);
        applier.leave_out(&outcome, now);
        assert_eq!(applier.retries.due(now + Duration::from_millis(1_900)), [7]);
    });
}

#[test]
fn what_was_learned_about_a_way_is_forgotten_when_no_tunnel_leads_there_any_more() {
    with_applier("ways", |mut applier, _| async move {
        let way: Asked = (None, "192.0.2.2".parse().unwrap());
        let path = Path { mtu: Some(1_400), learned: false, ifindex: 1, gateway: None };
        applier.policy.learned.insert(way, path);
        Paths::new().tick(&mut applier, &mut None);
        assert!(applier.policy.learned.is_empty());
    });
}

/// Of the interfaces of routes out of a vxlan device and into a VRF as of ports.
#[test]
fn a_beat_reads_what_holds_for_ipv6_packets_wherever_they_leave() {
    with_applier("ipv6", |mut applier, agenda| async move {
        sh("ip link add br10 up type bridge\n\
            ip link add svd master br10 up type vxlan external dstport 4789\n\
            ip link add port up type veth peer name other\n\
            echo 1400 > /proc/sys/net/ipv6/conf/svd/mtu");
        let mut follower = Follower::begin(Observer::open().unwrap(), agenda);
        let news = tokio::time::timeout(PATIENCE, follower.news()).await.expect("there is news");
        applier.take(news, Instant::now());
        let index = |name: &str| {
            let link = applier.network.links().find(|link| link.name == name);
            link.expect("it is there").ifindex
        };
        let (svd, port, number) = (index("svd"), index("port"), TUNNELS | 1);
        assert_eq!(applier.policy.mtu6.get(&svd), Some(&1_400), "read with the interface");
        let domain = DomainKey { bridge: number, vlan: 0 };
        let routed = Port { role: Role::Routed, domain: Some(domain), ..Port::default() };
        let tunnel = Domain { only_sends: true, vxlan: svd, ..Domain::default() };
        let structure = Structure {
            ports: [(number, routed)].into(),
            domains: [(domain, tunnel)].into(),
            leaks: [(port, [None; 2])].into(),
            ..Structure::default()
        };
        applier.compiled = Compiled::of(structure);
        assert!(!applier.read_sysctls(), "nothing has changed");
        for (interface, ifindex) in [("svd", svd), ("port", port)] {
            sh(&format!("echo 1300 > /proc/sys/net/ipv6/conf/{interface}/mtu"));
            assert!(applier.read_sysctls(), "{interface}");
            assert_eq!(applier.policy.mtu6.get(&ifindex), Some(&1_300), "{interface}");
        }
        sh("echo 1 > /proc/sys/net/ipv6/conf/svd/disable_ipv6");
        assert!(applier.read_sysctls());
        assert!(applier.policy.without_ipv6.contains(&svd));
    });
}
