//! `[[conserve]]`: what one leaf sends, the other one receives.

use std::time::Duration;

use fabric_common::reason::{Reason, Verdict};

use super::{
    Kind,
    fast::{growth, received},
    gateway::ping,
};
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, not_asked},
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
        span::Span,
    },
    facts::{Facts, counted::Both},
};

shape! {
    /// What Fabric of one host's leaf has sent to the VTEP of the other's while packets were counted, that one has
    /// received from it, and the same back: but for what it handed to its kernel, and what is in flight because two boxes
    /// are not asked at the same moment. Pings between the hosts go meanwhile.
    pub(crate) struct Conserve: "conserve", "[[conserve]]\nfrom = \"app01\"\nto = \"app06\"\nslack = 50" {
        /// The host that pings.
        from: String = Required,
        /// The host that answers, at another node.
        to: String = Required,
        /// So many pings, 2 ms apart.
        count: u32 = Or("1000"),
        /// How long packets are counted, at least.
        window: Span = Or("\"5s\""),
        /// The most packets that may be in flight.
        slack: u64 = Or("50"),
    }
}

/// One direction, from leaf to leaf.
#[derive(Clone, Debug)]
struct Way {
    from: String,
    to: String,
    /// VTEPs, as counters name them.
    sender: String,
    receiver: String,
    count: u32,
    slack: u64,
}

impl Kind for Conserve {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let topology = &inventory.topology;
        let host =
            |name: &String| topology.host(name).ok_or_else(|| format!("\"{name}\" is no host"));
        let (from, to) = (host(&self.from)?, host(&self.to)?);
        if from.network().is_none() || from.network() != to.network() {
            return Err(format!("{} and {} are not in one network", from.name, to.name));
        }
        let ends: Names = Names::exactly([&from.switch.node, &to.switch.node]);
        let [one, other] = inventory.boxes(&ends)?[..] else {
            return Err(format!(
                "{} and {} are not at two nodes with fabric-xdpd",
                from.name, to.name
            ));
        };
        let traffic =
            ping(&from.name, to.address.into(), self.count.max(1), Span(Duration::from_millis(2)));
        let draft = |from: &crate::lab::topology::Switch, to: &crate::lab::topology::Switch| {
            let way = Way {
                from: from.name.clone(),
                to: to.name.clone(),
                sender: from.loopback.to_string(),
                receiver: to.loopback.to_string(),
                count: self.count,
                slack: self.slack,
            };
            let subject = format!("{}→{}", from.name, to.name);
            let mut draft =
                Draft::of(&from.name, subject, move |look| way.judge(look)).needing([&to.name]);
            draft.probes.push(traffic.clone());
            draft.over(self.window.0)
        };
        Ok(vec![draft(one, other), draft(other, one)])
    }
}

/// What a box has counted of a VTEP.
fn counted(facts: &Facts, vtep: &str) -> Both {
    let counted = facts.fabric.as_ref().and_then(|it| it.counted.vteps.get(vtep));
    counted.copied().unwrap_or_default()
}

/// Packets that a box has handed to its kernel since.
fn handed_over(before: &Facts, now: &Facts) -> u64 {
    let grown = growth(&received(before, |_| true), &received(now, |_| true));
    let is_slow = |name: &str| {
        let reason = Reason::ALL.iter().find(|it| it.name() == name);
        reason.is_none_or(|it| !matches!(it.verdict(), Verdict::Redirect | Verdict::Reply))
    };
    grown.iter().filter(|(name, _)| is_slow(name)).map(|(_, count)| count).sum()
}

impl Way {
    fn judge(&self, look: &Look<'_>) -> Judged {
        let Self { from, to, slack, .. } = self;
        let [sender, receiver] = [look.sight(from)?, look.sight(to)?];
        (sender.fabric()?, receiver.fabric()?);
        let [sender_before, receiver_before] = [look.before(from)?, look.before(to)?];
        let sent = counted(sender.facts, &self.receiver).sent.packets;
        let sent = sent.saturating_sub(counted(sender_before, &self.receiver).sent.packets);
        let came = counted(receiver.facts, &self.sender).received.packets;
        let came = came.saturating_sub(counted(receiver_before, &self.sender).received.packets);
        if sent.max(came) < u64::from(self.count / 2) {
            return Err(not_asked(format!(
                "{sent} packets from {from} to {to} prove nothing; pings of these hosts do not go this way"
            )));
        }
        let to_kernel = handed_over(receiver_before, receiver.facts);
        let from_kernel = handed_over(sender_before, sender.facts);
        let said = format!("{sent} sent by {from}, {came} received by {to}");
        if sent > came + to_kernel + slack {
            return Err(Finding::new(
                format!("what {from} sends to {to} arrives, but for {slack} in flight and {to_kernel} for its kernel"),
                said,
                "packets vanish in the underlay, or at a driver on the way",
                format!("on {to}: ip -s link show; ethtool -S, by underlay port"),
            )
            .into());
        }
        if came > sent + from_kernel + slack {
            return Err(Finding::new(
                format!("no more arrives at {to} than {from} sends, but for {slack} in flight and {from_kernel} by its kernel"),
                said,
                "packets are doubled on the way, or somebody else sends by this VTEP's address",
                format!("on {to}: fabricctl counters"),
            )
            .into());
        }
        Ok(said)
    }
}
