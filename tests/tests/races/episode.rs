//! One leaf, one seed.

use std::{
    fmt::{self, Display, Formatter},
    ops::AddAssign,
    time::{Duration, Instant},
};

use fabric_tests::random::Random;

use crate::{
    fate::{Late, compare},
    leaf::Leaf,
    operation::operate,
    probes::probes,
    shape::Shape,
    traffic::Traffic,
};

/// Rounds of an episode.
const ROUNDS: u64 = 6;
/// Operations of a round, at most.
const OPERATIONS: usize = 8;

/// What an episode has to keep to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// No round begins after this, but for the first two.
    pub(crate) until: Instant,
    /// Fates may differ for so long after a quiet second.
    pub(crate) allowance: Duration,
}

/// What has happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Played {
    pub(crate) rounds: u64,
    /// Packets that XDP forwarded.
    pub(crate) forwarded: u64,
    /// Comparisons that had to be made again, because fates differed a second after the last change.
    pub(crate) late: Late,
}

impl AddAssign for Played {
    fn add_assign(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.forwarded += other.forwarded;
        self.late.add(other.late);
    }
}

impl Display for Played {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { rounds, forwarded, late: Late { tries, longest } } = self;
        write!(
            f,
            "{rounds} rounds, {forwarded} packets by XDP, {tries} comparisons made again for {} ms at most",
            longest.as_millis()
        )
    }
}

/// The release of this kernel.
pub(crate) fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// Plays an episode.
///
/// # Panics
/// If a packet has another fate than the kernel would give it, or fabric-xdpd ends by itself.
pub(crate) fn episode(seed: u64, shape: Shape, limits: Limits) -> Played {
    let mut random = Random::new(seed);
    let mut leaf = Leaf::new(shape);
    let probes = probes(shape);
    let mut played = Played::default();
    let mut history = Vec::new();
    for round in 0..ROUNDS {
        history.push(format!("round {round}:"));
        if round > 0 {
            let traffic = Traffic::start(&leaf.peers, shape.ports(), &probes);
            if random.below(3) == 0 {
                leaf.restore();
                history.push("  restored".into());
            }
            for _ in 0..=random.below(OPERATIONS) {
                history.push(format!("  {}", operate(&mut leaf, &mut random)));
                leaf.daemon.assert_runs();
            }
            drop(traffic);
            // The quiet second.
            std::thread::sleep(Duration::from_secs(1));
        }
        leaf.daemon.assert_runs();
        let counted = leaf.forwarded();
        match compare(&leaf, &probes, limits.allowance) {
            Ok(added) => played.late.add(added),
            Err(differences) => panic!(
                "seed {seed}, round {round}, with {} on Linux {} (`cargo xtask test --long races --seed \
                 {seed}` replays it): the kernel and Fabric do not agree about\n{differences}\nafter\n\
                 {}\nfabric-xdpd says {:#?}\n{}",
                shape.name(),
                kernel(),
                history.join("\n"),
                leaf.daemon.state().problems,
                leaf.log()
            ),
        }
        leaf.daemon.assert_runs();
        played.rounds += 1;
        played.forwarded += leaf.forwarded().saturating_sub(counted);
        if round > 0 && Instant::now() >= limits.until {
            break;
        }
    }
    played
}
