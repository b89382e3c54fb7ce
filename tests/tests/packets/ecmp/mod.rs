//! How flows are shared among the members of a group, on the compiled program.

use std::{collections::BTreeSet, sync::LazyLock};

use fabric_tests::{
    ecmp::{
        flows::{FLOWS, inputs},
        paths::{Paths, Taken},
        quality::{Spread, buckets, choices, members, moved, weight_error, weighted},
        statistics::{distinct, independence},
    },
    leaf::leaf,
    world::SEED,
};

/// What the program gave to all flows of an input with a seed.
struct Seen {
    input: &'static str,
    seed: u32,
    taken: Vec<Taken>,
}

const SEEDS: [u32; 2] = [SEED, SEED + 1];

static SEEN: LazyLock<Vec<Seen>> = LazyLock::new(|| {
    let mut seen = Vec::new();
    leaf(|leaf| {
        let mut paths = Paths::new(leaf);
        for input in inputs() {
            for seed in SEEDS {
                paths.seed(seed);
                let taken = paths.take_buckets(&input.frames);
                seen.push(Seen { input: input.name, seed, taken });
            }
        }
    });
    seen
});

/// What no measurement may fall below. There are hundreds of them, so a sound hash has some that happen
/// once in a thousand times; a weak one falls below this by far.
const CHANCE: f64 = 1e-5;

const SIZES: [u16; 14] = [2, 3, 4, 5, 7, 8, 12, 16, 31, 32, 64, 100, 127, 128];

#[test]
fn flows_are_shared_as_evenly_as_chance_shares_them() {
    for size in SIZES {
        let members = members(size);
        let group = buckets(&[], &members);
        let mut all = Spread::default();
        for seen in SEEN.iter() {
            let spread = Spread::of(&choices(&seen.taken, &group), &members);
            let p = spread.probability();
            assert!(p > CHANCE, "{}, seed {:x}, {size} members: p = {p}", seen.input, seen.seed);
            all = all.and(spread);
        }
        assert!(all.variation() <= 1.2, "{size} members: {} times chance", all.variation());
    }
}

/// The other tests derive the member from the bucket that the program chose in a large group; here
/// the program has the group itself.
#[test]
fn a_flows_member_is_that_of_its_bucket_in_groups_of_every_size() {
    leaf(|leaf| {
        let mut paths = Paths::new(leaf);
        let Some(input) = inputs().into_iter().next() else { panic!("no input") };
        let frames = &input.frames[..8_192];
        for size in SIZES {
            let group = buckets(&[], &members(size));
            paths.set(&group);
            let direct: Vec<u16> = paths.take(frames).iter().map(|taken| taken.nexthop).collect();
            assert_eq!(direct, choices(&SEEN[0].taken[..8_192], &group), "{size} members");
        }
    });
}

#[test]
fn a_member_that_goes_moves_only_its_own_flows() {
    for size in SIZES {
        let all = members(size);
        let group = buckets(&[], &all);
        for gone in [1, size / 2 + 1, size] {
            let rest: Vec<_> = all.iter().copied().filter(|m| m.nexthop != gone).collect();
            let after = buckets(&group, &rest);
            for seen in SEEN.iter().take(2) {
                let before = choices(&seen.taken, &group);
                let own = before.iter().filter(|choice| **choice == gone).count();
                let moved = moved(&before, &choices(&seen.taken, &after), gone);
                assert_eq!((moved.due, moved.others), (own, 0), "{gone} of {size}");
            }
        }
    }
}

#[test]
fn a_member_that_comes_moves_only_its_share() {
    for size in SIZES {
        let group = buckets(&[], &members(size));
        let after = buckets(&group, &members(size + 1));
        let (mut flows, mut due) = (0, 0);
        for seen in SEEN.iter() {
            let [before, after] = [&group, &after].map(|group| choices(&seen.taken, group));
            let moved = moved(&before, &after, size + 1);
            assert_eq!(moved.others, 0, "{}: {size} members", seen.input);
            flows += before.len();
            due += moved.due;
        }
        let share = due as f64 / flows as f64;
        assert!(share <= 1.1 / f64::from(size + 1), "{size} members: {share}");
    }
}

#[test]
fn weights_are_kept_to_within_one_percent() {
    for weights in [&[1, 2, 3][..], &[11, 45], &[2, 1], &[1, 64]] {
        let members = weighted(weights);
        let group = buckets(&[], &members);
        let error = weight_error(&group, &members);
        assert!(error <= 0.01, "{weights:?}: {error}");
        for seen in SEEN.iter() {
            let p = Spread::of(&choices(&seen.taken, &group), &members).probability();
            assert!(p > CHANCE, "{}, {weights:?}: p = {p}", seen.input);
        }
    }
}

#[test]
fn two_tiers_with_seeds_of_their_own_choose_independently() {
    for pair in SEEN.chunks(SEEDS.len()) {
        let [first, second] = pair else { panic!("two seeds for each input") };
        for size in [2, 4, 16] {
            let group = buckets(&[], &members(size));
            let tiers =
                choices(&first.taken, &group).into_iter().zip(choices(&second.taken, &group));
            let tiers = tiers.map(|(a, b)| (usize::from(a) - 1, usize::from(b) - 1));
            let p = independence(tiers, size.into(), size.into());
            assert!(p > CHANCE, "{}, {size} members: p = {p}", first.input);
        }
    }
}

#[test]
fn the_source_port_does_not_depend_on_the_member() {
    for seen in SEEN.iter() {
        let group = buckets(&[], &members(16));
        let ports = seen.taken.iter().map(|taken| usize::from(taken.source_port & 15));
        let pairs = choices(&seen.taken, &group).into_iter().map(|c| usize::from(c) - 1).zip(ports);
        let p = independence(pairs, 16, 16);
        assert!(p > CHANCE, "{}: p = {p}", seen.input);
    }
}

#[test]
fn source_ports_are_as_many_as_chance_gives() {
    for seen in SEEN.iter() {
        let ports: BTreeSet<u16> = seen.taken.iter().map(|taken| taken.source_port).collect();
        let share = ports.len() as f64 / distinct(FLOWS, 16_384);
        assert!(share >= 0.99, "{}: {share}", seen.input);
    }
}
