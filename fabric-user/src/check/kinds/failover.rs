//! `[[failover]]`: a link or a node is lost under traffic.

use std::time::Duration;

use serde::Deserialize;

use super::Kind;
use crate::check::{
    case::Draft,
    disrupt::Trouble,
    finding::{Finding, Judged, not_asked},
    inventory::Inventory,
    look::Look,
    probe::{Break, Part, Probe},
    shape::{Shape, shape},
    span::{Span, measured},
};

shape! {
    /// A link, or a node with all its links, is broken under a stream of pings that goes by it, and mended again: answers
    /// are missing for so long at most, both times. It runs in a lab alone, after all other cases, one at a time.
    pub(crate) struct Failover: "failover", "[[failover]]\ncut = [\"leaf01:swp1\", \"leaf01:swp2\"]\nwhile = { from = \"app01\", to = \"app06\", rate = 1000 }\noutage = \"50ms\"" {
        /// The port whose link is broken, as "leaf01:swp1", or the node; of several, that by which the stream goes.
        cut: Vec<String> = Required,
        /// How it is broken: cut, without carrier, or silence, which only BFD and BGP notice.
        how: Break = Or("\"cut\""),
        /// The hosts between which pings go meanwhile, and how many a second, 1000 at most.
        r#while: Traffic = Required,
        /// The longest time without an answer.
        outage: Span = Required,
        /// How long it stays broken, which is longer than `outage`: else whatever never recovers would pass.
        hold: Span = Or("\"3s\""),
    }
}

/// A stream of pings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Traffic {
    pub(super) from: String,
    pub(super) to: String,
    #[serde(default = "rate")]
    pub(super) rate: u32,
}

fn rate() -> u32 {
    1_000
}

impl Traffic {
    /// Milliseconds between two packets.
    pub(super) fn interval_ms(&self) -> u64 {
        u64::from((1_000 / self.rate.clamp(1, 1_000)).max(1))
    }

    /// The address of the one that answers.
    ///
    /// # Errors
    /// If one of them is no host, or the rate cannot be: a sentence.
    pub(super) fn target(&self, inventory: &Inventory) -> Result<std::net::IpAddr, String> {
        let host = |name: &str| {
            inventory.topology.host(name).ok_or_else(|| format!("\"{name}\" is no host"))
        };
        if !(1..=1_000).contains(&self.rate) {
            return Err(format!("a rate is 1 to 1000 packets a second, and not {}", self.rate));
        }
        host(&self.from)?;
        Ok(host(&self.to)?.address.into())
    }
}

/// What a stream has gone through.
///
/// # Errors
/// If it could not be sent, or says something else.
pub(super) fn trouble(
    probe: &Probe,
    look: &Look<'_>,
) -> Result<Trouble, crate::check::finding::Stop> {
    let ran = look.answer(probe)?;
    serde_json::from_str(&ran.output)
        .map_err(|error| not_asked(format!("the stream's report cannot be read: {error}")))
}

/// What a text names.
///
/// # Errors
/// If there is no such port or node: a sentence.
fn part(inventory: &Inventory, text: &str) -> Result<Part, String> {
    let topology = &inventory.topology;
    let (node, port) = match text.split_once(':') {
        Some((node, port)) => (node, Some(port.to_owned())),
        None => (text, None),
    };
    let is_there = match &port {
        Some(port) => topology.ports_of(node).any(|it| it.port == *port),
        None => topology.switch(node).is_some(),
    };
    match (is_there, &port) {
        (true, _) => Ok(Part { node: node.to_owned(), port }),
        (false, Some(_)) => Err(format!("the topology has no link at {text}")),
        (false, None) => {
            Err(format!("\"{text}\" is no node; a port is written as \"leaf01:swp1\""))
        }
    }
}

impl Kind for Failover {
    const SHAPE: &'static Shape = Self::SHAPE;
    const DISRUPTS: bool = true;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let to = self.r#while.target(inventory)?;
        if self.outage.0 >= self.hold.0 {
            return Err(format!(
                "an outage of {} would never be too long, because the link is mended after {}; say a longer hold or a shorter outage",
                self.outage, self.hold
            ));
        }
        let cut: Vec<Part> =
            self.cut.iter().map(|text| part(inventory, text)).collect::<Result<_, _>>()?;
        let probe = Probe::Failover {
            cut,
            how: self.how,
            from: self.r#while.from.clone(),
            to,
            interval_ms: self.r#while.interval_ms(),
            hold_ms: self.hold.0.as_millis() as u64,
        };
        let subject =
            format!("{} ({}→{})", self.cut.join(" or "), self.r#while.from, self.r#while.to);
        let (table, asked) = (self.clone(), probe.clone());
        Ok(vec![Draft::asking(&self.r#while.from, subject, vec![probe], move |look| {
            table.judge(&asked, look)
        })])
    }
}

impl Failover {
    fn judge(&self, probe: &Probe, look: &Look<'_>) -> Judged {
        let trouble = trouble(probe, look)?;
        let Traffic { from, to, .. } = &self.r#while;
        let Some(what) = &trouble.what else {
            return Err(not_asked(format!(
                "packets from {from} to {to} do not go by {}; name other ports, nodes or hosts",
                self.cut.join(" or ")
            )));
        };
        let [broken, back] = [trouble.broken_us, trouble.back_us].map(Duration::from_micros);
        let said = format!(
            "{what}: {} when it was broken, {} when it was mended; {} of {} lost",
            measured(broken),
            measured(back),
            trouble.lost,
            trouble.sent
        );
        match broken.max(back) <= self.outage.0 {
            true => Ok(said),
            false => Err(Finding::new(
                format!("{} without an answer at most", self.outage),
                said,
                "the loss was noticed late, or the next best way was not there yet",
                "fabricctl status on both ends: `failover` has the time of the last loss",
            )
            .into()),
        }
    }
}
