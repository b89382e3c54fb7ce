//! What becomes of the probes.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use fabric_tests::{packet::fix_ipv4_checksum, wire::Wire};

use crate::{
    leaf::{Leaf, mac, stranger},
    probes::{Probe, number},
};

/// Nothing has come for so long: all has come.
const QUIET: Duration = Duration::from_millis(250);

/// The VTEP to which there may be several ways.
const FIRST_VTEP: [u8; 4] = [10, 0, 0, 2];

/// Where each probe came out, and as what. Of several equal ways that a flow may take the name is `u`, and
/// of both members of the bond it is `b`.
type Fates = BTreeMap<u8, Vec<(String, Vec<u8>)>>;

/// Sends all probes and sees what comes out.
fn fates(leaf: &Leaf, probes: &[Probe]) -> Fates {
    let open = || -> Vec<(&str, Wire)> {
        let wire = |port: &&'static str| Some((*port, Wire::open(&format!("p{port}")).ok()?));
        leaf.shape.ports().iter().filter_map(wire).collect()
    };
    let wires = leaf.peers.enter(open).expect("the namespace exists");
    for probe in probes {
        if let Some((_, wire)) = wires.iter().find(|(port, _)| *port == probe.port) {
            // The other end may be down: so it is for both judges.
            let _down = wire.send(&probe.frame);
        }
    }
    let mut fates = Fates::new();
    let mut last = Instant::now();
    while last.elapsed() < QUIET {
        for (port, wire) in &wires {
            let deadline = Instant::now() + Duration::from_millis(5);
            while let Ok(Some(frame)) = wire.receive(deadline) {
                let Some(id) = number(&frame) else { continue };
                last = Instant::now();
                let Some(probe) = probes.get(usize::from(id)) else { continue };
                if let Some(seen) = seen(port, frame, probe.spread) {
                    fates.entry(id).or_default().push(seen);
                }
            }
        }
    }
    fates.values_mut().for_each(|seen| seen.sort_unstable());
    fates
}

/// What is compared of a frame; none for ICMP, which the kernel sends in any case, but not always.
fn seen(port: &str, mut frame: Vec<u8>, spread: bool) -> Option<(String, Vec<u8>)> {
    let icmp = match frame.get(12..14)? {
        [0x08, 0x00] => frame.get(23) == Some(&1),
        [0x86, 0xdd] => frame.get(20) == Some(&58),
        _ => false,
    };
    if icmp {
        return None;
    }
    let is_vxlan = frame.get(12..14) == Some(&[0x08, 0x00])
        && frame.get(23) == Some(&17)
        && frame.get(36..38) == Some(&4789_u16.to_be_bytes());
    if is_vxlan {
        // Chosen by each by itself: identification, UDP source port and checksum.
        for at in [18, 19, 34, 35, 40, 41] {
            frame[at] = 0;
        }
        fix_ipv4_checksum(&mut frame[14..34]);
    }
    // Its modes take one by turns.
    let mut name = if port.starts_with('b') { "b".into() } else { port.to_owned() };
    // The route to the first VTEP alone has several next hops.
    let spread = if is_vxlan { frame[30..34] == FIRST_VTEP } else { spread };
    let is_for_router = [mac(port, true), stranger(port)].iter().any(|mac| frame[..6] == *mac);
    if spread && port.starts_with('u') && is_for_router {
        frame[..12].fill(0);
        name = "u".into();
    }
    Some((name, frame))
}

/// How often the kernel and Fabric did not agree, and for how long.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Late {
    pub(crate) tries: u64,
    pub(crate) longest: Duration,
}

impl Late {
    pub(crate) fn add(&mut self, other: Self) {
        self.tries += other.tries;
        self.longest = self.longest.max(other.longest);
    }
}

/// Compares until the kernel and Fabric agree, for `allowance` at most.
///
/// # Errors
/// With every probe about which they do not, and how.
pub(crate) fn compare(leaf: &Leaf, probes: &[Probe], allowance: Duration) -> Result<Late, String> {
    let start = Instant::now();
    let mut tries = 0;
    loop {
        let began = Instant::now();
        leaf.daemon.bypass(true);
        let kernel = fates(leaf, probes);
        leaf.daemon.bypass(false);
        let fabric = fates(leaf, probes);
        let differences = differences(probes, &kernel, &fabric);
        if differences.is_empty() {
            let longest = if tries == 0 { Duration::ZERO } else { began.duration_since(start) };
            return Ok(Late { tries, longest });
        }
        if start.elapsed() > allowance {
            return Err(differences);
        }
        if tries == 0 {
            println!("not yet the same:\n{differences}");
        }
        tries += 1;
    }
}

fn differences(probes: &[Probe], kernel: &Fates, fabric: &Fates) -> String {
    let mut text = String::new();
    for (id, probe) in (0..).zip(probes) {
        let [kernel, fabric] = [kernel.get(&id), fabric.get(&id)];
        // Whether a long one fits depends on the way, if there are several.
        let many = |seen: Option<&Vec<_>>| seen.is_some_and(|seen| seen.iter().any(by_many_ways));
        let is_open = probe.is_long() && (many(kernel) || many(fabric));
        if kernel != fabric && !is_open {
            let _ = writeln!(
                text,
                "{}:\n  kernel {}\n  Fabric {}",
                probe.name,
                shown(kernel),
                shown(fabric)
            );
        }
    }
    text
}

/// Whether a frame is in a tunnel to which there may be several ways.
fn by_many_ways((_, frame): &(String, Vec<u8>)) -> bool {
    frame.get(23) == Some(&17) && frame.get(30..34) == Some(&FIRST_VTEP)
}

fn shown(seen: Option<&Vec<(String, Vec<u8>)>>) -> String {
    let Some(seen) = seen else { return "nothing".into() };
    let one = |(port, frame): &(String, Vec<u8>)| {
        let bytes: String = frame.iter().take(64).map(|byte| format!("{byte:02x}")).collect();
        format!("{port}: {bytes} ({} bytes)", frame.len())
    };
    seen.iter().map(one).collect::<Vec<_>>().join("\n         ")
}
