//! What becomes of the probes.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use fabric_tests::{packet::fix_ipv4_checksum, wire::Wire};

use crate::{
    leaf::{Leaf, PORTS, mac, stranger},
    probes::{Probe, number},
};

/// Nothing has come for so long: all has come.
const QUIET: Duration = Duration::from_millis(250);
/// How long fates may differ after a quiet second: a busy machine is late.
const LATE: Duration = Duration::from_secs(20);

/// Where each probe came out, and as what. Of several equal ways that a flow may take the name is `u`.
type Fates = BTreeMap<u8, Vec<(String, Vec<u8>)>>;

/// Sends all probes and sees what comes out.
fn fates(leaf: &Leaf, probes: &[Probe]) -> Fates {
    let open = || -> Vec<(&str, Wire)> {
        let wire = |port: &&'static str| Some((*port, Wire::open(&format!("p{port}")).ok()?));
        PORTS.iter().filter_map(wire).collect()
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
    let mut name = port.to_owned();
    let is_for_router = [mac(port, true), stranger(port)].iter().any(|mac| frame[..6] == *mac);
    if spread && port.starts_with('u') && is_for_router {
        frame[..12].fill(0);
        name = "u".into();
    }
    Some((name, frame))
}

/// Compares until the kernel and Fabric agree, and says how often they did not at first.
///
/// # Errors
/// With every probe about which they do not, and how.
pub(crate) fn compare(leaf: &Leaf, probes: &[Probe]) -> Result<u64, String> {
    let start = Instant::now();
    let mut tries = 0;
    loop {
        leaf.bypass(true);
        let kernel = fates(leaf, probes);
        leaf.bypass(false);
        let fabric = fates(leaf, probes);
        let differences = differences(probes, &kernel, &fabric);
        if differences.is_empty() {
            return Ok(tries);
        }
        if start.elapsed() > LATE {
            return Err(differences);
        }
        tries += 1;
    }
}

fn differences(probes: &[Probe], kernel: &Fates, fabric: &Fates) -> String {
    let mut text = String::new();
    for (id, probe) in (0..).zip(probes) {
        let [kernel, fabric] = [kernel.get(&id), fabric.get(&id)];
        if kernel != fabric {
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

fn shown(seen: Option<&Vec<(String, Vec<u8>)>>) -> String {
    let Some(seen) = seen else { return "nothing".into() };
    let one = |(port, frame): &(String, Vec<u8>)| {
        let bytes: String = frame.iter().take(64).map(|byte| format!("{byte:02x}")).collect();
        format!("{port}: {bytes} ({} bytes)", frame.len())
    };
    seen.iter().map(one).collect::<Vec<_>>().join("\n         ")
}
