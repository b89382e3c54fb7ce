//! The daemon's sign of life.

use std::time::{Duration, Instant};

use fabric_tests::leaf::leaf;

#[test]
fn a_heartbeat_sets_the_deadline_to_now_plus_the_timeout() {
    leaf(|leaf| {
        let mut deadline_after = |timeout: u32| {
            leaf.world.change_settings(|settings| settings.timeout_jiffies = timeout);
            leaf.world.beat().expect("the heartbeat runs");
            leaf.world.maps.settings.get(0).deadline
        };
        let (short, long) = (deadline_after(1_000), deadline_after(1_000_000));
        let difference = long - short;
        // Between the two heartbeats a few jiffies may have passed.
        assert!((999_000..999_000 + 1_000).contains(&difference), "{difference} jiffies");
    });
}

#[test]
fn a_heartbeat_changes_nothing_but_the_deadline() {
    leaf(|leaf| {
        let before = leaf.world.maps.settings.get(0);
        leaf.world.beat().expect("the heartbeat runs");
        let mut after = leaf.world.maps.settings.get(0);
        assert!(after.deadline >= before.deadline, "time runs backwards");
        after.deadline = before.deadline;
        assert_eq!(after, before);
    });
}

#[test]
fn the_deadline_follows_the_kernels_clock_at_its_measured_frequency() {
    leaf(|leaf| {
        leaf.world.beat().expect("the heartbeat runs");
        // Between these two is the first reading, and before the last look at the clock the last one.
        let earliest = Instant::now();
        leaf.world.beat().expect("the heartbeat runs");
        let before = leaf.world.maps.settings.get(0);
        let start = Instant::now();
        loop {
            leaf.world.beat().expect("the heartbeat runs");
            if start.elapsed() > Duration::from_millis(200) {
                break;
            }
        }
        let jiffies = leaf.world.maps.settings.get(0).deadline - before.deadline;
        let seconds = jiffies as f64 / f64::from(before.hz);
        let most = earliest.elapsed().as_secs_f64() * 1.1 + 0.02;
        assert!((0.18..most).contains(&seconds), "{jiffies} jiffies at {} Hz", before.hz);
    });
}
