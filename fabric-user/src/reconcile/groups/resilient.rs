//! The kernel's resilient groups, whose buckets wait for being idle before they move.

use std::time::{Duration, Instant};

use fabric_common::{
    bucket::{self, Member},
    schema::{buckets::CHUNK, groups::Choice},
};

use super::{Groups, read_buckets, write_buckets};
use crate::{
    kernel::{heartbeat, maps::Maps},
    observe::Resilient,
};

/// A resilient group of the kernel.
#[derive(Clone, Debug)]
pub(super) struct ResilientGroup {
    pub(super) members: Vec<Member>,
    pub(super) settings: Resilient,
    /// Since when some member has less than its share.
    pub(super) unbalanced: Option<Instant>,
}

impl Groups {
    /// True if a group waits for buckets to become idle.
    pub(in super::super) fn is_unbalanced(&self) -> bool {
        self.resilient.values().any(|group| group.unbalanced.is_some())
    }

    /// Moves the buckets that may move at the jiffies of the last heartbeat. Number of chunks that changed.
    pub(in super::super) fn rebalance(&mut self, maps: &Maps, hz: u32) -> usize {
        let mut changes = 0;
        for (index, group) in &mut self.resilient {
            let choice = maps.groups.get(*index).choice();
            let (Choice::Spread { chunk, count, .. }, Some(since)) = (choice, group.unbalanced)
            else {
                continue;
            };
            let may_move = movable(maps, hz, chunk, count, &group.settings, Some(since));
            let mut buckets = read_buckets(maps, choice);
            let balanced = bucket::fill(&mut buckets, &group.members, |at| may_move[at]);
            changes += write_buckets(maps, chunk, &buckets);
            if balanced {
                group.unbalanced = None;
            }
        }
        changes
    }
}

/// Which buckets of a group may leave a living member now: those that are idle, and all when the group has
/// been unbalanced for too long (the kernel's `nh_res_bucket_should_migrate`).
pub(super) fn movable(
    maps: &Maps,
    hz: u32,
    chunk: u32,
    count: u32,
    settings: &Resilient,
    unbalanced: Option<Instant>,
) -> Vec<bool> {
    let overdue = settings.unbalanced_ms > 0
        && unbalanced
            .is_some_and(|since| since.elapsed() >= Duration::from_millis(settings.unbalanced_ms));
    if overdue || settings.idle_ms == 0 {
        return vec![true; count as usize];
    }
    let idle = heartbeat::jiffies(Duration::from_millis(settings.idle_ms), hz);
    let value = maps.settings.get(0);
    let now = value.deadline.wrapping_sub(value.timeout_jiffies.into()) as u32;
    let used = |at: u32| maps.bucket_use.get(chunk + at / CHUNK).jiffies[(at % CHUNK) as usize];
    // A packet may have come after `now` was read.
    let is_idle = |used: u32| used == 0 || now.wrapping_sub(used) as i32 >= idle as i32;
    (0..count).map(|at| is_idle(used(at))).collect()
}
