//! A spanning tree whose topology changes: the kernel forgets after the forward delay then.

use std::time::{Duration, Instant};

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_R, STRANGER},
    device::mac_text,
    fabric::until,
    judged::{Judged, all_at, frame},
};

/// The shortest that the kernel takes, and the shortest time for which a change of topology lasts with it
/// (802.1D §8.5.3.13: the sum of maximum age and forward delay).
const FORWARD_DELAY: Duration = Duration::from_secs(2);
const CHANGE: Duration = Duration::from_secs(8);

#[test]
fn a_busy_host_is_known_throughout_a_change_of_topology() {
    let mut site = Judged::new();
    let host = STRANGER.mac;
    site.ip("link set br0 type bridge stp_state 1 forward_delay 200 max_age 600 hello_time 100\n");
    let forwards = |site: &Judged, port: &str| {
        let shown = site.netns().run("bridge", &format!("-d link show dev {port}"));
        shown.contains("state forwarding")
    };
    let limit = Duration::from_secs(120);
    let ports = ["acc0", "acc1", "vx100"];
    until(limit, "the ports forward", || ports.iter().all(|port| forwards(&site, port)));
    let second = u64::from(site.maps().settings.get(0).hz);
    until(limit, "MACs are shown as often as such a change wants", || {
        let maps = site.maps();
        maps.domains
            .iter()
            .any(|(_, domain)| domain.vni != 0 && u64::from(domain.refresh_jiffies) <= second * 2)
    });
    let busy = frame(host, HOST_R.mac);
    until(limit, "the host is learnt and forwarded by XDP", || {
        let before = site.met(Reason::Encapsulated);
        site.as_by_the_kernel("acc0", &busy) == all_at("up0")
            && site.met(Reason::Encapsulated) > before
    });
    // A port that begins to forward changes the topology.
    site.ip("link set acc1 down\nlink set acc1 up\n");
    until(limit, "the port forwards again", || forwards(&site, "acc1"));
    let start = Instant::now();
    while start.elapsed() < CHANGE.max(FORWARD_DELAY * 3) {
        site.send("acc0", &busy);
        let shown = site.netns().run("bridge", "fdb show br br0 brport acc0");
        let is_known = shown.contains(&mac_text(host));
        assert!(is_known, "after {:?} the bridge has forgotten the host", start.elapsed());
    }
}
