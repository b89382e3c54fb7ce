//! Metrics of a router: what happens to it, and what happens to those who ask.

use std::net::{TcpListener, TcpStream};

use fabric_tests::{
    fabric::{Router, SOON, until},
    scrape::{metrics, metrics_once},
};

const PORT: u16 = 9843;
const SETTINGS: &str = "metrics = \"9843\"\n";

#[test]
fn a_port_that_is_taken_is_one_sentence_and_fabric_forwards() {
    let mut router = Router::without_daemon(SETTINGS);
    let taken = router.netns().inside(|| TcpListener::bind(("127.0.0.1", PORT)));
    let taken = taken.expect("nobody has it");
    router.know_neighbours();
    router.start();
    let log = router.daemon().log();
    let said: Vec<&str> =
        log.lines().filter(|line| line.contains("there are no metrics")).collect();
    assert_eq!(said.len(), 1, "{log}");
    for words in ["127.0.0.1:9843", "in use", "set `metrics`"] {
        assert!(said[0].contains(words), "{said:?}");
    }
    let (status, text) = router.daemon().fabricctl(&["status"]);
    assert_eq!(status, 0, "{text}");
    drop(taken);
}

#[test]
fn without_the_setting_nobody_listens() {
    let router = Router::new();
    let refused = router.netns().inside(|| TcpStream::connect(("127.0.0.1", PORT)));
    assert!(refused.is_err());
    let listeners = router.netns().run("ss", "-Hltn");
    assert_eq!(listeners.trim(), "");
}

#[test]
fn a_lost_link_a_bypass_and_a_detachment_are_seen_when_they_happen() {
    let router = Router::with_settings(SETTINGS);
    router.know_neighbours();
    router.ip("route add 10.9.0.0/16 nexthop via 10.1.1.2 nexthop via 10.1.2.2\n");
    let netns = router.netns();
    let losses = |page: &fabric_user::metrics::exposition::Exposition| {
        page.sum("fabric_events_total", &[("kind", "carrier_loss")])
    };
    let page = metrics_once(netns, PORT, "the route is there", |page| {
        page.sum("fabric_nexthop_groups", &[("state", "live")]) >= 1.0
    });
    let before = losses(&page);
    router.peers_ip("link set p1 down\n");
    let page = metrics_once(netns, PORT, "the link is lost", |page| {
        losses(page) > before && page.value("fabric_port_up", &[("device", "swp1")]) == Some(0.0)
    });
    assert!(page.sum("fabric_failover_duration_seconds_count", &[]) >= 1.0);
    assert_eq!(page.value("fabric_port_fault", &[("device", "swp1")]), Some(0.0), "it is down");

    router.daemon().bypass(true);
    let is = |page: &fabric_user::metrics::exposition::Exposition, value| {
        page.value("fabric_bypassed", &[]) == Some(value)
    };
    metrics_once(netns, PORT, "the bypass is on", |page| is(page, 1.0));
    router.daemon().bypass(false);
    let began = metrics_once(netns, PORT, "the bypass is off", |page| is(page, 0.0));
    let began = began.value("fabric_start_time_seconds", &[]).expect("there are maps");

    assert_eq!(router.daemon().fabricctl(&["detach", "--all"]).0, 0);
    let page = metrics_once(netns, PORT, "everything is off", |page| is(page, 1.0));
    assert_eq!(page.series("fabric_port_info").count(), 0);
    assert_eq!(router.daemon().fabricctl(&["attach"]).0, 0);
    let page = metrics_once(netns, PORT, "everything is back", |page| is(page, 0.0));
    let anew = page.value("fabric_start_time_seconds", &[]).expect("there are maps");
    assert!(anew > began, "the counters began anew: {anew}, {began}");
}

#[test]
fn those_who_ask_nothing_cost_the_daemon_nothing() {
    let router = Router::with_settings(SETTINGS);
    let netns = router.netns();
    router.know_neighbours();
    // More than are let in at a time; none of them ever says anything.
    let silent: Vec<TcpStream> = netns.inside(|| {
        let connect = || TcpStream::connect(("127.0.0.1", PORT)).expect("somebody listens");
        (0..40).map(|_| connect()).collect()
    });
    let synced = router.state();
    router.ip("route add 10.9.0.0/16 via 10.1.1.2\n");
    until(SOON, "the daemon goes on", || {
        let state = router.state();
        state.writes > synced.writes && state.synced && state.trouble.is_none()
    });
    let left = router.daemon().fabricctl(&["status", "--json"]);
    assert_eq!(left.0, 0, "{}", left.1);
    // Nobody is let in for good: whoever asks later is answered.
    until(SOON, "somebody is answered again", || metrics(netns, PORT).is_ok());
    drop(silent);
}
