//! `[[verify]]`: FRR, the kernel and the maps say the same.

use std::time::Duration;

use super::Kind;
use crate::{
    check::{
        case::Draft,
        finding::{Finding, Judged, not_asked},
        inventory::Inventory,
        look::Look,
        names::Names,
        shape::{Shape, shape},
    },
    verify::verify,
};

shape! {
    /// `fabricctl verify` finds no difference. What is under way settles within `within`, which is 2 s here unless the
    /// table says another time.
    pub(crate) struct Verify: "verify", "[[verify]]\non = \"*\"" {
        /// The nodes that are looked at.
        on: Names = Or("\"*\""),
    }
}

impl Kind for Verify {
    const SHAPE: &'static Shape = Self::SHAPE;
    const WITHIN: Option<Duration> = Some(Duration::from_secs(2));

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let draft = |node: &crate::lab::topology::Switch| {
            let name = node.name.clone();
            Draft::of(&node.name, name.clone(), move |look| judge(&name, look))
        };
        Ok(inventory.nodes(&self.on)?.into_iter().map(draft).collect())
    }
}

fn judge(node: &str, look: &Look<'_>) -> Judged {
    let sight = look.sight(node)?;
    let report = verify(sight.facts).map_err(|error| not_asked(format!("{node}: {error:#}")))?;
    let Some(first) = report.differences.first() else {
        return match report.not_asked.is_empty() {
            true => Ok("no difference".into()),
            false => Err(not_asked(format!("{node}: {}", report.not_asked.join("; ")))),
        };
    };
    let said = [("FRR", &first.frr), ("kernel", &first.kernel), ("maps", &first.maps)];
    let said = said.into_iter().filter_map(|(who, said)| Some(format!("{who} {}", said.as_ref()?)));
    let more = match report.differences.len() - 1 {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    let said = said.collect::<Vec<_>>().join(", ");
    Err(Finding::new(
        "no difference",
        format!("{} {}: {said}{more}", first.kind.name(), first.what),
        first.likely.clone(),
        format!("on {node}: {}", first.next),
    )
    .into())
}
