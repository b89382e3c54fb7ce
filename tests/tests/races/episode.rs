//! One leaf, one seed.

use std::time::Duration;

use fabric_tests::random::Random;

use crate::{fate::compare, leaf::Leaf, operation::operate, probes::probes, traffic::Traffic};

/// Rounds of an episode.
const ROUNDS: u64 = 6;
/// Operations of a round, at most.
const OPERATIONS: usize = 8;

/// What has happened.
pub(crate) struct Played {
    pub(crate) rounds: u64,
    /// Packets that XDP forwarded.
    pub(crate) forwarded: u64,
    /// Comparisons that had to be made again, because fates differed a second after the last change.
    pub(crate) late: u64,
}

/// Plays an episode.
///
/// # Panics
/// If a packet has another fate than the kernel would give it, or fabricd ends by itself.
pub(crate) fn episode(seed: u64) -> Played {
    let mut random = Random::new(seed);
    let mut leaf = Leaf::new();
    let probes = probes();
    let (mut forwarded, mut late) = (0, 0);
    let mut history = Vec::new();
    for round in 0..ROUNDS {
        history.push(format!("round {round}:"));
        if round > 0 {
            let traffic = Traffic::start(&leaf.peers, &probes);
            if random.below(3) == 0 {
                leaf.restore();
                history.push("  restored".into());
            }
            for _ in 0..=random.below(OPERATIONS) {
                history.push(format!("  {}", operate(&mut leaf, &mut random)));
                leaf.assert_runs();
            }
            drop(traffic);
            // The quiet second.
            std::thread::sleep(Duration::from_secs(1));
        }
        leaf.assert_runs();
        let counted = leaf.forwarded();
        match compare(&leaf, &probes) {
            Ok(tries) => late += tries,
            Err(differences) => panic!(
                "seed {seed}, round {round} (FABRIC_RACES_SEED={seed} replays it): the kernel and Fabric \
                 do not agree about\n{differences}\nafter\n{}\n{}",
                history.join("\n"),
                leaf.log()
            ),
        }
        leaf.assert_runs();
        forwarded += leaf.forwarded().saturating_sub(counted);
    }
    Played { rounds: ROUNDS, forwarded, late }
}
