//! `[[prefixes]]`: how many a session has brought.

use super::{
    Kind,
    bgp::{Family, expected},
};
use crate::check::{
    case::Draft,
    finding::{Finding, Judged},
    inventory::Inventory,
    look::Look,
    names::Names,
    shape::{Shape, shape},
};

shape! {
    /// Each session of the topology that carries a family has brought so many prefixes of it. FRR counts those that it
    /// has accepted.
    pub(crate) struct Prefixes: "prefixes", "[[prefixes]]\non = \"leaf*\"\nfamily = \"evpn\"\nmin = 4\nmax = 500" {
        /// The nodes that have received them.
        on: Names = Or("\"*\""),
        /// The nodes that have sent them.
        from: Names = Or("\"*\""),
        /// ipv4, ipv6 or evpn.
        family: Family = Or("\"ipv4\""),
        /// The fewest.
        min: u64 = Or("1"),
        /// The most; any number.
        max: Option<u64> = None,
    }
}

impl Kind for Prefixes {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        if self.max.is_some_and(|max| max < self.min) {
            return Err(format!("max is less than min, which is {}", self.min));
        }
        let family = self.family.of_frr();
        let from: Vec<&str> =
            inventory.nodes(&self.from)?.iter().map(|it| it.name.as_str()).collect();
        let mut drafts = Vec::new();
        for node in inventory.nodes(&self.on)? {
            for session in expected(&inventory.topology, node) {
                let is_meant = session.neighbour.as_deref().is_some_and(|it| from.contains(&it));
                if !is_meant || !session.families.contains(&family) {
                    continue;
                }
                let (name, peer, table) = (node.name.clone(), session.peer, self.clone());
                let subject =
                    format!("{name}←{} ({peer}, {family})", session.neighbour.unwrap_or_default());
                drafts.push(Draft::of(&node.name, subject, move |look| {
                    table.judge(&name, &peer, look)
                }));
            }
        }
        Ok(drafts)
    }
}

impl Prefixes {
    fn judge(&self, node: &str, peer: &str, look: &Look<'_>) -> Judged {
        let frr = look.sight(node)?.frr(&["bgpd"])?;
        let session = frr.session(None, peer).filter(|it| it.is_established());
        let family = session.and_then(|it| it.families.get(self.family.of_frr()));
        let should = match self.max {
            Some(max) => format!("{} to {max} prefixes", self.min),
            None => format!("{} prefixes or more", self.min),
        };
        let next = format!("on {node}: vtysh -c 'show bgp neighbors {peer} routes'");
        let Some(prefixes) = family else {
            return Err(Finding::new(
                should,
                "no session that carries the family",
                "the session is down",
                next,
            )
            .into());
        };
        let count = prefixes.accepted;
        if (self.min..=self.max.unwrap_or(u64::MAX)).contains(&count) {
            return Ok(format!("{count} prefixes"));
        }
        let likely = match count < self.min {
            true => "the neighbour announces less, or a filter takes it away",
            false => "somebody announces more than planned, as a leak of another table",
        };
        Err(Finding::new(should, format!("{count} prefixes"), likely, next).into())
    }
}
