//! Neighbours that the kernel has to be asked for, because XDP sends past it and so neither resolves nor
//! confirms one: those that nothing has resolved yet, and those whose entry is stale.

use std::{
    collections::BTreeSet,
    mem,
    time::{Duration, Instant},
};

use crate::model::{Network, NexthopKey, Structure, stale_hosts};

/// How long the kernel has for an answer before it is asked again: RETRANS_TIMER of RFC 4861 §10, and
/// what the kernel waits between its own probes, over IPv4 as well.
const AGAIN: Duration = Duration::from_secs(1);
/// Neighbours that the kernel is asked for at once: some milliseconds.
const PORTION: usize = 256;

/// Whom to ask for, and when.
#[derive(Default)]
pub(super) struct Resolution {
    /// Next hops that have become unresolved: nothing is sent to them until the kernel is asked.
    fresh: BTreeSet<NexthopKey>,
    /// The neighbour that the kernel was asked for last.
    last: Option<NexthopKey>,
    /// When that was.
    asked: Option<Instant>,
}

impl Resolution {
    /// The structure is another one now.
    pub(super) fn follow(&mut self, before: &Structure, now: &Structure) {
        self.fresh.extend(now.unresolved.difference(&before.unresolved));
    }

    /// Neighbours to ask for at this moment. When there are too many for once, the next call goes on
    /// behind the last one.
    pub(super) fn next(&mut self, network: &Network, structure: &Structure) -> Vec<NexthopKey> {
        let fresh = mem::take(&mut self.fresh);
        let mut chosen: Vec<_> = fresh.intersection(&structure.unresolved).copied().collect();
        self.fresh.extend(chosen.drain(chosen.len().min(PORTION)..));
        if self.asked.is_none_or(|asked| asked.elapsed() >= AGAIN) {
            self.asked = Some(Instant::now());
            chosen.extend(self.portion(network, structure));
        }
        chosen
    }

    /// Some of all that are to be asked for.
    fn portion(&mut self, network: &Network, structure: &Structure) -> Vec<NexthopKey> {
        let stale = |hop: &&NexthopKey| network.neighbour(**hop).is_some_and(|n| n.is_stale());
        let watched = structure.watched.iter().filter(stale);
        let mut all: BTreeSet<NexthopKey> =
            structure.unresolved.iter().chain(watched).copied().collect();
        all.extend(stale_hosts(network, structure));
        let later = all.iter().filter(|hop| Some(**hop) > self.last);
        let earlier = all.iter().filter(|hop| Some(**hop) <= self.last);
        let chosen: Vec<_> = later.chain(earlier).take(PORTION).copied().collect();
        self.last = chosen.last().copied();
        chosen
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn hops(numbers: std::ops::Range<u32>) -> BTreeSet<NexthopKey> {
        let hop = |i| NexthopKey { ifindex: 7, gateway: IpAddr::V4(Ipv4Addr::from(i)) };
        numbers.map(hop).collect()
    }

    fn unresolved(hops: BTreeSet<NexthopKey>) -> Structure {
        Structure { unresolved: hops, ..Structure::default() }
    }

    #[test]
    fn what_becomes_unresolved_is_asked_for_at_once_and_only_once() {
        let network = Network::new();
        let mut resolution = Resolution::default();
        let few = unresolved(hops(0..2));
        resolution.follow(&Structure::default(), &few);
        let _first = resolution.next(&network, &few);
        assert_eq!(resolution.next(&network, &few), []);

        let more = unresolved(hops(0..3));
        resolution.follow(&few, &more);
        assert_eq!(resolution.next(&network, &more), Vec::from_iter(hops(2..3)));
        assert_eq!(resolution.next(&network, &more), []);
        // Resolved before anybody was asked.
        resolution.follow(&few, &more);
        assert_eq!(resolution.next(&network, &few), []);
    }

    #[test]
    fn more_than_a_portion_is_asked_for_in_turns_and_nobody_is_left_out() {
        let network = Network::new();
        let mut resolution = Resolution { asked: Some(Instant::now()), ..Resolution::default() };
        let all = hops(0..600);
        let structure = unresolved(all.clone());
        resolution.follow(&Structure::default(), &structure);
        let turns = [(); 4].map(|()| resolution.next(&network, &structure));
        assert_eq!(turns.each_ref().map(Vec::len), [256, 256, 88, 0]);
        assert_eq!(turns.into_iter().flatten().collect::<BTreeSet<_>>(), all);

        resolution = Resolution::default();
        let turns = [(); 3].map(|()| resolution.portion(&network, &structure));
        assert_eq!(turns.into_iter().flatten().collect::<BTreeSet<_>>(), all);
    }
}
