//! Ports, bridging, addresses and routing change at random, under traffic, while the daemon is stopped,
//! killed and restarted. After each quiet second every packet has the fate that the kernel alone gives it.
//!
//! ```text
//!   pa1 ── a1 ─┐              ┌─ u1 ── pu1
//!   pa2 ── a2 ─┤ br100 vx100  ├─ u2 ── pu2
//!   pa3 ── a3 ─┘ br200 vx200  └─ r1 ── pr1
//!            (the leaf, fabric-xdpd in it)
//! ```
//!
//! The judge is the kernel of the same leaf: the bypass is switched on, the probes are sent, and again
//! with the bypass off. An episode is one leaf with one seed, from which all of it follows.
//!
//! Where the kernel has VLAN filtering and bonds, most leafs have another shape:
//!
//! ```text
//!   pa1 ── a1 ──── 100, 200 tagged ─┐
//!   pa2 ── a2 ──── both tagged ─────┤ br100 (VLAN-aware)   vx100 in VLAN 100
//!   pa3 ── a3 ─┬── a3.8, 100 ───────┤                      vx200 in VLAN 200     what is routed as above
//!              └── a3.7 ────────────│─┐
//!   pb1 ── b1 ─┬── bond0, 200, 100 ─┘ ├ br400 vx400
//!   pb2 ── b2 ─┘   └─ bond0.9 ────────┘
//! ```
//!
//! A plain run takes a minute, with the same seeds each time; `cargo xtask test --long races` takes an hour.
//! The environment says how long a run takes (`FABRIC_RACES_SECONDS`), which seed is the first
//! (`FABRIC_RACES_SEED`), and for how many seconds fates may differ after a quiet second
//! (`FABRIC_RACES_ALLOWANCE`).

mod episode;
mod fate;
mod leaf;
mod operation;
mod probes;
mod shape;
mod traffic;

use std::time::{Duration, Instant};

use episode::{Limits, Played, episode, kernel};
use shape::{Shape, kernel_has_vlans};

/// Seconds that fates may differ after a quiet second, where nothing else is said: what takes milliseconds
/// takes seconds on a busy machine. How long they did is printed.
const ALLOWANCE: u64 = 20;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")))
}

fn seconds(name: &str, otherwise: u64) -> Duration {
    Duration::from_secs(number(name).unwrap_or(otherwise))
}

#[test]
fn after_each_quiet_second_every_packet_has_the_fate_that_the_kernel_gives_it() {
    let limits = Limits {
        until: Instant::now() + seconds("FABRIC_RACES_SECONDS", 60),
        allowance: seconds("FABRIC_RACES_ALLOWANCE", ALLOWANCE),
    };
    let has_vlans = kernel_has_vlans();
    let mut all = Played::default();
    let mut seeds = number("FABRIC_RACES_SEED").unwrap_or(1)..;
    while let Some(seed) = seeds.next()
        && Instant::now() < limits.until
    {
        let shape = Shape::of_seed(seed, has_vlans);
        let start = Instant::now();
        let played = episode(seed, shape, limits);
        let time = start.elapsed().as_secs();
        println!("Linux {}, seed {seed}, {}: {played}, {time} s", kernel(), shape.name());
        all += played;
    }
    println!("Linux {}, all: {all}", kernel());
    assert!(all.forwarded > 10 * all.rounds, "hardly any packet went by XDP");
}
