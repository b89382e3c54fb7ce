//! Neighbours that the kernel has to be asked for, because XDP sends past it and so neither resolves nor
//! confirms one: those that nothing has resolved yet, and those whose entry is stale. Of hosts, which are many, those
//! to which packets go: idle ones are the kernel's to forget, as it does without Fabric.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::{
    model::{Network, NexthopKey, Structure, is_host, stale_neighbours},
    observe::LinkKind,
};

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
    /// The last one of those that were asked for because a second was over.
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
    /// behind the last one. `is_used` says whether packets go to a host.
    pub(super) fn next(
        &mut self,
        now: Instant,
        network: &Network,
        structure: &Structure,
        is_used: impl Fn(&NexthopKey) -> bool,
    ) -> BTreeSet<NexthopKey> {
        self.fresh.retain(|hop| structure.unresolved.contains(hop));
        let mut chosen: BTreeSet<_> = self.fresh.iter().take(PORTION).copied().collect();
        self.fresh.retain(|hop| !chosen.contains(hop));
        let is_due = self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= AGAIN);
        let room = PORTION - chosen.len();
        if is_due && room > 0 {
            self.asked = Some(now);
            chosen.extend(self.portion(room, network, structure, is_used));
        }
        chosen
    }

    /// These could not be asked for.
    pub(super) fn give_back(&mut self, hops: impl IntoIterator<Item = NexthopKey>) {
        self.fresh.extend(hops);
    }

    /// Some of all that are to be asked for.
    fn portion(
        &mut self,
        most: usize,
        network: &Network,
        structure: &Structure,
        is_used: impl Fn(&NexthopKey) -> bool,
    ) -> Vec<NexthopKey> {
        // On a vxlan device the kernel's own question would name no VNI, and the neighbour would fail.
        let is_asked = |hop: &NexthopKey| {
            let link = network.link(hop.ifindex);
            !link.is_some_and(|link| matches!(link.kind, LinkKind::Vxlan(_)))
        };
        let stale = |hop: &&NexthopKey| {
            network.neighbour(**hop).is_some_and(|n| n.is_stale()) && is_asked(hop)
        };
        let watched = structure.watched.iter().filter(stale);
        let hops: BTreeSet<NexthopKey> =
            structure.unresolved.iter().chain(watched).copied().collect();
        // Whether packets go to a neighbour takes longer to say than whether it is stale.
        let is_routed_to = |hop: &&NexthopKey| {
            hops.contains(hop) || is_used(hop) && is_host(network, structure, **hop)
        };
        let stale = stale_neighbours(network, structure);
        let all: BTreeSet<NexthopKey> = hops.iter().copied().chain(stale).collect();
        let later = all.iter().filter(|hop| Some(**hop) > self.last);
        let earlier = all.iter().filter(|hop| Some(**hop) <= self.last);
        let chosen: Vec<_> =
            later.chain(earlier).filter(is_routed_to).take(most).copied().collect();
        self.last = chosen.last().copied();
        chosen
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::observe::{Event, Link, Mac, Neighbour, Vxlan};

    fn next(
        resolution: &mut Resolution,
        now: Instant,
        network: &Network,
        structure: &Structure,
    ) -> BTreeSet<NexthopKey> {
        resolution.next(now, network, structure, |_| false)
    }

    fn hops(numbers: std::ops::Range<u32>) -> BTreeSet<NexthopKey> {
        let hop = |i| NexthopKey { ifindex: 7, gateway: IpAddr::V4(Ipv4Addr::from(i)) };
        numbers.map(hop).collect()
    }

    fn unresolved(hops: BTreeSet<NexthopKey>) -> Structure {
        Structure { unresolved: hops, ..Structure::default() }
    }

    #[test]
    fn what_becomes_unresolved_is_asked_for_at_once_and_again_after_a_second() {
        let network = Network::new();
        let mut resolution = Resolution::default();
        let start = Instant::now();
        let [few, more] = [0..2, 0..3].map(|numbers| unresolved(hops(numbers)));
        let nobody = BTreeSet::new();
        resolution.follow(&Structure::default(), &few);
        assert_eq!(next(&mut resolution, start, &network, &few), hops(0..2));
        assert_eq!(next(&mut resolution, start, &network, &few), nobody);

        resolution.follow(&few, &more);
        assert_eq!(next(&mut resolution, start, &network, &more), hops(2..3));
        assert_eq!(next(&mut resolution, start, &network, &more), nobody);
        // Resolved before anybody was asked.
        resolution.follow(&few, &more);
        assert_eq!(next(&mut resolution, start, &network, &few), nobody);
        // It could not be asked for.
        resolution.give_back(hops(1..2));
        assert_eq!(next(&mut resolution, start, &network, &few), hops(1..2));

        assert_eq!(next(&mut resolution, start + AGAIN, &network, &more), hops(0..3));
        assert_eq!(next(&mut resolution, start + AGAIN, &network, &more), nobody);
    }

    #[test]
    fn stale_neighbours_of_next_hops_are_asked_for_but_not_on_a_vxlan_device() {
        let hop = |ifindex| NexthopKey { ifindex, gateway: Ipv4Addr::new(10, 0, 0, 2).into() };
        let mut network = Network::new();
        for (ifindex, kind) in [(7, LinkKind::Device), (8, LinkKind::Vxlan(Vxlan::default()))] {
            network.apply(Event::Link(Link { ifindex, kind, ..Link::default() }));
            network.apply(Event::Neighbour(Neighbour {
                ifindex,
                address: hop(ifindex).gateway,
                mac: Some(Mac([2, 0, 0, 0, 0, 9])),
                state: 4,
                extern_learn: false,
                router: false,
            }));
        }
        let structure = Structure { watched: [hop(7), hop(8)].into(), ..Structure::default() };
        let asked = next(&mut Resolution::default(), Instant::now(), &network, &structure);
        assert_eq!(asked, [hop(7)].into());
    }

    #[test]
    fn more_than_a_portion_is_asked_for_in_turns_and_nobody_is_left_out() {
        let network = Network::new();
        let start = Instant::now();
        let mut resolution = Resolution { asked: Some(start), ..Resolution::default() };
        let all = hops(0..600);
        let structure = unresolved(all.clone());
        resolution.follow(&Structure::default(), &structure);
        let turns = [(); 4].map(|()| next(&mut resolution, start, &network, &structure));
        assert_eq!(turns.each_ref().map(BTreeSet::len), [256, 256, 88, 0]);
        assert_eq!(turns.into_iter().flatten().collect::<BTreeSet<_>>(), all);

        resolution = Resolution::default();
        let turns =
            [0, 1, 2].map(|n| next(&mut resolution, start + n * AGAIN, &network, &structure));
        assert_eq!(turns.each_ref().map(BTreeSet::len), [256, 256, 256]);
        assert_eq!(turns.into_iter().flatten().collect::<BTreeSet<_>>(), all);
    }
}
