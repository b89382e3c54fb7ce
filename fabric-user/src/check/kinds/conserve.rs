//! `[[conserve]]`: what one leaf sends, the other one receives, and what a port receives has a reason.

use std::{collections::BTreeSet, time::Duration};

use fabric_common::reason::{Reason, Verdict};

use super::{
    Kind,
    fast::{growth, received},
    gateway::{can_fail, ping},
};
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, not_asked},
        inventory::Inventory,
        look::Look,
        names::Names,
        probe::Probe,
        shape::{Shape, shape},
        span::Span,
    },
    facts::{Facts, counted::Both},
    verify::{Reasons, reasons},
};

shape! {
    /// What Fabric of one host's leaf has sent to the VTEP of the other's while packets were counted, that one has
    /// received from it, and the same back: but for what came through a tunnel and was handed to its kernel, and what is in
    /// flight because two boxes are not asked at the same moment. And within each of the two, the programs have a reason
    /// for every packet that the driver of a port has received. Pings between the hosts go meanwhile, and are answered.
    pub(crate) struct Conserve: "conserve", "[[conserve]]\nfrom = \"app01\"\nto = \"app06\"\nslack = 5" {
        /// The host that pings.
        from: String = Required,
        /// The host that answers, at another node.
        to: String = Required,
        /// So many pings, 2 ms apart.
        count: u32 = Or("1000"),
        /// How long packets are counted, at least.
        window: Span = Or("\"5s\""),
        /// The most packets that may be in flight: others than these pings, which have ended when counters are read.
        slack: u64 = Or("5"),
        /// The most of these pings that may be lost.
        loss: u32 = Or("0"),
    }
}

/// Within a box.
#[derive(Clone, Debug)]
struct Within {
    node: String,
    count: u32,
    slack: u64,
}

/// One direction, from leaf to leaf.
#[derive(Clone, Debug)]
struct Way {
    from: String,
    to: String,
    /// VTEPs, as counters name them.
    sender: String,
    receiver: String,
    /// Ports of the receiver where tunnels arrive.
    underlay: BTreeSet<String>,
    traffic: Probe,
    count: u32,
    slack: u64,
    loss: u32,
}

impl Kind for Conserve {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let topology = &inventory.topology;
        let host =
            |name: &String| topology.host(name).ok_or_else(|| format!("\"{name}\" is no host"));
        can_fail(self.count, self.loss)?;
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
            ping(&from.name, to.address.into(), self.count, Span(Duration::from_millis(2)));
        let draft = |from: &crate::lab::topology::Switch, to: &crate::lab::topology::Switch| {
            let way = Way {
                from: from.name.clone(),
                to: to.name.clone(),
                sender: from.loopback.to_string(),
                receiver: to.loopback.to_string(),
                underlay: topology.links_of(&to.name).map(|(own, _)| own.port.clone()).collect(),
                traffic: traffic.clone(),
                count: self.count,
                slack: self.slack,
                loss: self.loss,
            };
            let subject = format!("{}→{}", from.name, to.name);
            let mut draft =
                Draft::of(&from.name, subject, move |look| way.judge(look)).needing([&to.name]);
            draft.probes.push(traffic.clone());
            draft.over(self.window.0)
        };
        let within = |node: &crate::lab::topology::Switch| {
            let within = Within { node: node.name.clone(), count: self.count, slack: self.slack };
            let mut draft = Draft::of(&node.name, format!("within {}", node.name), move |look| {
                within.judge(look)
            });
            draft.probes.push(traffic.clone());
            draft.over(self.window.0)
        };
        Ok(vec![draft(one, other), draft(other, one), within(one), within(other)])
    }
}

/// What a box has counted of a VTEP.
fn counted(facts: &Facts, vtep: &str) -> Both {
    let counted = facts.fabric.as_ref().and_then(|it| it.counted.vteps.get(vtep));
    counted.copied().unwrap_or_default()
}

/// What is for the box itself, as BGP and BFD, and not of a tunnel.
const NO_TUNNEL: [Reason; 2] = [Reason::UnderlayInputNotVxlan, Reason::TransitRouteLocal];

/// Packets of these ports, other than those for the box itself, that a box has handed to its kernel since.
fn handed_over(before: &Facts, now: &Facts, is_meant: impl Fn(&str) -> bool) -> u64 {
    let grown = growth(&received(before, &is_meant), &received(now, &is_meant));
    let is_slow = |name: &str| {
        let reason = Reason::ALL.iter().find(|it| it.name() == name);
        reason.is_none_or(|it| {
            !matches!(it.verdict(), Verdict::Redirect | Verdict::Reply) && !NO_TUNNEL.contains(it)
        })
    };
    grown.iter().filter(|(name, _)| is_slow(name)).map(|(_, count)| count).sum()
}

impl Within {
    fn judge(&self, look: &Look<'_>) -> Judged {
        let Self { node, count, slack } = self;
        let now = look.sight(node)?.fabric()?;
        let before = look.before(node)?.fabric.as_ref();
        let before = before.ok_or_else(|| not_asked(format!("{node}: it had no maps before")))?;
        let mut all = 0;
        for (port, Reasons { received, counted, .. }) in reasons(before, now) {
            all += received;
            if received > counted + slack {
                return Err(Finding::new(
                    format!("a reason for each packet of {port}, but for {slack} under way"),
                    format!("the driver received {received}, and the programs counted {counted}"),
                    "the program there is not fabric-xdpd's, or does not count all that it takes",
                    format!("on {node}: fabricctl status; bpftool net show dev {port}"),
                )
                .into());
            }
        }
        // Not every driver counts what a program takes.
        match all >= u64::from(count / 2) {
            true => Ok(format!("{all} packets received, and a reason for each")),
            false => Err(not_asked(format!(
                "{node}: drivers have counted {all} packets, which prove nothing"
            ))),
        }
    }
}

impl Way {
    fn judge(&self, look: &Look<'_>) -> Judged {
        let Self { from, to, slack, .. } = self;
        let [sender, receiver] = [look.sight(from)?, look.sight(to)?];
        sender.fabric()?;
        receiver.fabric()?;
        let [sender_before, receiver_before] = [look.before(from)?, look.before(to)?];
        let pinged = look.pinged(&self.traffic)?;
        if pinged.lost() > self.loss {
            return Err(Finding::new(
                format!("answers to all pings, {} lost at most", self.loss),
                format!("{} of {} lost", pinged.lost(), pinged.sent),
                "packets vanish on the way, whatever counters say of it",
                format!("on {}: {}", self.traffic.device(), self.traffic.command().join(" ")),
            )
            .into());
        }
        let sent = counted(sender.facts, &self.receiver).sent.packets;
        let sent = sent.saturating_sub(counted(sender_before, &self.receiver).sent.packets);
        let came = counted(receiver.facts, &self.sender).received.packets;
        let came = came.saturating_sub(counted(receiver_before, &self.sender).received.packets);
        if sent.max(came) < u64::from(self.count / 2) {
            return Err(not_asked(format!(
                "{sent} packets from {from} to {to} prove nothing; pings of these hosts do not go this way"
            )));
        }
        let is_underlay = |port: &str| self.underlay.contains(port);
        let to_kernel = handed_over(receiver_before, receiver.facts, is_underlay);
        let from_kernel = handed_over(sender_before, sender.facts, |_| true);
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
