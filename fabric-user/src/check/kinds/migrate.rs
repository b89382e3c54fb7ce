//! `[[migrate]]`: a host moves.

use std::time::Duration;

use super::{
    Kind,
    failover::{Traffic, trouble},
};
use crate::check::{
    case::Draft,
    finding::{Finding, Judged},
    inventory::Inventory,
    look::Look,
    probe::Probe,
    shape::{Shape, shape},
    span::{Span, measured},
};

shape! {
    /// A host moves to another node under pings and back again, and so many of these are lost at most, both times
    /// together. It runs in a lab alone, after all other cases, one at a time.
    pub(crate) struct Migrate: "migrate", "[[migrate]]\nhost = \"app02\"\nto = \"leaf04\"\nwhile = { from = \"app01\", to = \"app02\", rate = 100 }\nloss = 2" {
        /// The host that moves.
        host: String = Required,
        /// The node to which it moves.
        to: String = Required,
        /// The hosts between which pings go meanwhile; one of them moves.
        r#while: Traffic = Required,
        /// The most packets that may be lost.
        loss: u32 = Or("0"),
        /// How long it stays there, in which more packets are sent than may be lost.
        hold: Span = Or("\"2s\""),
    }
}

impl Kind for Migrate {
    const SHAPE: &'static Shape = Self::SHAPE;
    const DISRUPTS: bool = true;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let to = self.r#while.target(inventory)?;
        let sent = self.hold.0.as_millis() * u128::from(self.r#while.rate) / 1_000;
        if u128::from(self.loss) >= sent {
            return Err(format!(
                "a loss of {} would never be too much, because only {sent} packets are sent in {}; say a longer hold or a smaller loss",
                self.loss, self.hold
            ));
        }
        let host = inventory
            .topology
            .host(&self.host)
            .ok_or_else(|| format!("\"{}\" is no host", self.host))?;
        let network = inventory
            .network_of(host)
            .ok_or_else(|| format!("{} is in no network, and stays where it is", self.host))?;
        let homes = inventory.vteps_of(network);
        if host.switch.node == self.to || !homes.iter().any(|it| it.name == self.to) {
            let others: Vec<&str> = homes
                .iter()
                .map(|it| it.name.as_str())
                .filter(|it| *it != host.switch.node)
                .collect();
            return Err(format!(
                "{} cannot move to \"{}\"; its network is also at {}",
                self.host,
                self.to,
                others.join(", ")
            ));
        }
        let probe = Probe::Migrate {
            host: self.host.clone(),
            target: self.to.clone(),
            from: self.r#while.from.clone(),
            to,
            interval_ms: self.r#while.interval_ms(),
            hold_ms: self.hold.0.as_millis() as u64,
        };
        let subject =
            format!("{} to {} ({}→{})", self.host, self.to, self.r#while.from, self.r#while.to);
        let (table, asked) = (self.clone(), probe.clone());
        Ok(vec![Draft::asking(&self.r#while.from, subject, vec![probe], move |look| {
            table.judge(&asked, look)
        })])
    }
}

impl Migrate {
    fn judge(&self, probe: &Probe, look: &Look<'_>) -> Judged {
        let trouble = trouble(probe, look)?;
        let longest = Duration::from_micros(trouble.broken_us.max(trouble.back_us));
        let said = format!(
            "{} of {} lost, {} without an answer at most",
            trouble.lost,
            trouble.sent,
            measured(longest)
        );
        match trouble.lost <= self.loss {
            true => Ok(said),
            false => Err(Finding::new(
                format!("{} lost at most", self.loss),
                said,
                "the old leaf has kept the host, or others have heard late where it is",
                format!("fabricctl lab migrate {} {}", self.host, self.to),
            )
            .into()),
        }
    }
}
