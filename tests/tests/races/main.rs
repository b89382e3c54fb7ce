//! Ports, bridging, addresses and routing change at random, under traffic, while the daemon is stopped,
//! killed and restarted. After each quiet second every packet has the fate that the kernel alone gives it.
//!
//! ```text
//!   pa1 ── a1 ─┐              ┌─ u1 ── pu1
//!   pa2 ── a2 ─┤ br100 vx100  ├─ u2 ── pu2
//!   pa3 ── a3 ─┘ br200 vx200  └─ r1 ── pr1
//!            (the leaf, fabricd in it)
//! ```
//!
//! The judge is the kernel of the same leaf: the bypass is switched on, the probes are sent, and again
//! with the bypass off. An episode is one leaf with one seed, from which all of it follows.
//!
//! A plain run takes a minute, with the same seeds each time. `FABRIC_RACES_SECONDS` and
//! `FABRIC_RACES_SEED` (the first of the seeds) make it longer and replay it, see `cargo xtask test
//! --long races`.

mod episode;
mod fate;
mod leaf;
mod operation;
mod probes;
mod traffic;

use std::time::{Duration, Instant};

use episode::episode;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")))
}

#[test]
fn after_each_quiet_second_every_packet_has_the_fate_that_the_kernel_gives_it() {
    let limit = Duration::from_secs(number("FABRIC_RACES_SECONDS").unwrap_or(60));
    let first = number("FABRIC_RACES_SEED").unwrap_or(1);
    let start = Instant::now();
    let (mut episodes, mut rounds, mut forwarded) = (0, 0, 0);
    for seed in first.. {
        let played = episode(seed);
        episodes += 1;
        rounds += played.rounds;
        forwarded += played.forwarded;
        println!(
            "seed {seed}: {} rounds, {} packets by XDP, {} comparisons made again",
            played.rounds, played.forwarded, played.late
        );
        if start.elapsed() >= limit {
            break;
        }
    }
    println!("{episodes} episodes, {rounds} rounds, {forwarded} packets by XDP");
    assert!(forwarded > 100 * episodes, "of {episodes} leafs hardly any packet went by XDP");
}
