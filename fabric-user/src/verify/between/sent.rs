//! What one box has sent into tunnels to another one, and what that one has got.
//!
//! Counters of two boxes are never read at one moment. So what the first has sent between two readings is held against
//! what the second has got between a reading before and one after these: all of it was under way in that time. Programs count
//! what they send and what they forward out of tunnels; the kernel sends as well, and takes some of what arrives. What the
//! second has left to the kernel is counted as got, and what the kernel of the first has sent makes it look as if more had
//! arrived: so what is found to be lost is lost, and it may have been more.

use std::collections::{BTreeMap, BTreeSet};

use fabric_common::reason::{Reason, Verdict};

use super::{Compared, Seen};
use crate::{
    facts::{Fabric, Facts},
    verify::difference::Kind,
};

/// Milliseconds by which clocks of two boxes may differ, with the time that packets are under way.
const SLACK_MS: u64 = 100;

pub(super) fn compare(
    boxes: &[Seen<'_>],
    readings: &BTreeMap<String, Vec<&Facts>>,
    found: &mut Compared,
) {
    let vteps: BTreeMap<&str, BTreeSet<String>> =
        boxes.iter().map(|seen| (seen.name.as_str(), addresses(seen))).collect();
    let of = |seen: &Seen<'_>| -> Vec<&Fabric> {
        let all = readings.get(&seen.name).into_iter().flatten();
        all.filter_map(|facts| facts.fabric.as_ref()).collect()
    };
    for one in boxes {
        for other in boxes.iter().filter(|other| other.name != one.name) {
            let (here, there) = (&vteps[one.name.as_str()], &vteps[other.name.as_str()]);
            let (inner, outer) = (of(one), of(other));
            if here.is_empty() || there.is_empty() || inner.len().min(outer.len()) < 2 {
                continue;
            }
            let Some(window) = Window::of(&inner, &outer) else {
                found.not_compared.push(format!(
                    "what {} has sent to {}: of the one there have to be two readings that are {SLACK_MS} ms and more after a \
                     reading of the other and before another",
                    one.name, other.name
                ));
                continue;
            };
            let sent = window.inner.grown(|fabric| sent(fabric, there));
            let got = window.outer.grown(|fabric| got(fabric, here));
            let left = window.outer.grown(left);
            let (Some(sent), Some(got), Some(left)) = (sent, got, left) else { continue };
            let lost = sent.saturating_sub(got.saturating_add(left));
            if lost == 0 {
                continue;
            }
            found.add(
                Kind::Vtep,
                format!("from {} to {}: {lost} packets or more are lost", one.name, other.name),
                [
                    (&one.name, format!("sent {sent} in {:.1} s", window.seconds())),
                    (&other.name, format!("got {got} of them, and left {left} of whomever to the kernel")),
                ],
                "they are lost on the way, by full queues, errors of a link, an MTU in the middle that is too small or redirects \
                 that fail; or they arrive at a port without a program",
                "ip -s link, at every port between the two; fabricctl status, where they should arrive",
            );
        }
    }
}

/// The addresses of a box's VTEPs, as counters are called by.
fn addresses(seen: &Seen<'_>) -> BTreeSet<String> {
    seen.vteps().iter().map(ToString::to_string).collect()
}

/// Two readings of a box.
struct Pair<'a> {
    first: &'a Fabric,
    last: &'a Fabric,
}

impl<'a> Pair<'a> {
    /// By how much counters have grown, all in all; none if one of them has begun anew meanwhile, as that of a VTEP that was
    /// gone for a moment does.
    fn grown(&self, count: impl Fn(&'a Fabric) -> BTreeMap<[&'a str; 2], u64>) -> Option<u64> {
        let (before, after) = (count(self.first), count(self.last));
        if before.keys().any(|key| !after.contains_key(key)) {
            return None;
        }
        let grown = |(key, count): (&[&'a str; 2], &u64)| {
            count.checked_sub(before.get(key).copied().unwrap_or_default())
        };
        after.iter().map(grown).sum()
    }
}

/// Two readings of one box, and two of another around them.
struct Window<'a> {
    inner: Pair<'a>,
    outer: Pair<'a>,
}

impl<'a> Window<'a> {
    /// The longest one. Readings are in the order of time.
    fn of(inner: &[&'a Fabric], outer: &[&'a Fabric]) -> Option<Self> {
        let start = *outer.first()?;
        let end = *outer.last()?;
        let is_within = |fabric: &&&Fabric| {
            start.counted.read_ms[1] + SLACK_MS <= fabric.counted.read_ms[0]
                && fabric.counted.read_ms[1] + SLACK_MS <= end.counted.read_ms[0]
        };
        let within: Vec<&&Fabric> = inner.iter().filter(is_within).collect();
        let (first, last) = (**within.first()?, **within.last()?);
        let is_one = within.len() < 2;
        (!is_one).then_some(Self {
            inner: Pair { first, last },
            outer: Pair { first: start, last: end },
        })
    }

    fn seconds(&self) -> f64 {
        let [start, end] = [self.inner.first, self.inner.last].map(|it| it.counted.read_ms[0]);
        end.saturating_sub(start) as f64 / 1_000.0
    }
}

/// Packets that the programs have sent to these VTEPs.
fn sent<'a>(fabric: &'a Fabric, to: &BTreeSet<String>) -> BTreeMap<[&'a str; 2], u64> {
    let vteps = fabric.counted.vteps.iter().filter(|(address, _)| to.contains(*address));
    vteps.map(|(address, both)| ([address.as_str(), ""], both.sent.packets)).collect()
}

/// Packets that the programs have forwarded out of tunnels from these VTEPs.
fn got<'a>(fabric: &'a Fabric, from: &BTreeSet<String>) -> BTreeMap<[&'a str; 2], u64> {
    let vteps = fabric.counted.vteps.iter().filter(|(address, _)| from.contains(*address));
    vteps.map(|(address, both)| ([address.as_str(), ""], both.received.packets)).collect()
}

/// Packets that have arrived where tunnels do and were not forwarded, but for those that were no tunnel's; by port and
/// reason.
fn left(fabric: &Fabric) -> BTreeMap<[&str; 2], u64> {
    let ends = |reason: &&Reason| {
        matches!(reason.verdict(), Verdict::Pass | Verdict::Drop)
            && **reason != Reason::UnderlayInputNotVxlan
    };
    let reasons: BTreeSet<&str> =
        Reason::ALL.iter().filter(ends).map(|reason| reason.name()).collect();
    let is_access = |port: &str| {
        let role = fabric.held.ports.get(port).map(|port| port.role.as_str());
        matches!(role, Some("access" | "gateway"))
    };
    let ports = fabric.counted.ports.iter().filter(|(port, _)| !is_access(port));
    let all = ports.flat_map(|(port, count)| {
        count.received.iter().map(|(reason, count)| ([port.as_str(), reason.as_str()], *count))
    });
    all.filter(|([_, reason], _)| reasons.contains(*reason))
        .map(|(key, count)| (key, count.packets))
        .collect()
}
