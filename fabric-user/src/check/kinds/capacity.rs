//! `[[capacity]]`: there is room left.

use glob::Pattern;

use super::Kind;
use crate::check::{
    case::Draft,
    finding::{Finding, Judged, list, not_asked},
    inventory::Inventory,
    look::Look,
    names::Names,
    shape::{Shape, shape},
    share::Percent,
};

shape! {
    /// No map is fuller than that.
    pub(crate) struct Capacity: "capacity", "[[capacity]]\non = \"*\"\nfill = \"85%\"" {
        /// The nodes with fabric-xdpd.
        on: Names = Or("\"*\""),
        /// The maps, as a glob.
        maps: String = Or("\"*\""),
        /// The largest part that may be in use.
        fill: Percent = Or("\"85%\""),
    }
}

impl Kind for Capacity {
    const SHAPE: &'static Shape = Self::SHAPE;

    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String> {
        let pattern = Pattern::new(&self.maps)
            .map_err(|error| format!("\"{}\" is no glob: {}", self.maps, error.msg))?;
        let draft = |node: &crate::lab::topology::Switch| {
            let (name, fill, pattern) = (node.name.clone(), self.fill, pattern.clone());
            Draft::of(&node.name, name.clone(), move |look| judge(&name, fill, &pattern, look))
        };
        Ok(inventory.boxes(&self.on)?.into_iter().map(draft).collect())
    }
}

fn judge(node: &str, most: Percent, pattern: &Pattern, look: &Look<'_>) -> Judged {
    let room = &look.sight(node)?.fabric()?.room;
    let fills = room.iter().filter(|(map, _)| pattern.matches(map));
    let fills = fills.filter(|(_, room)| room.entries > 0);
    let mut fills: Vec<(&str, Percent)> = fills
        .map(|(map, room)| (map.as_str(), Percent(room.used as f64 / room.entries as f64)))
        .collect();
    fills.sort_by(|(_, one), (_, other)| other.0.total_cmp(&one.0));
    let Some((fullest, fill)) = fills.first() else {
        return Err(not_asked(format!("{node}: its facts do not say how full maps are")));
    };
    let full = fills.iter().take_while(|(_, fill)| *fill > most);
    let full: Vec<String> = full.map(|(map, fill)| format!("{map} {fill}")).collect();
    match full.is_empty() {
        true => Ok(format!("{fullest} {fill} at most")),
        false => Err(Finding::new(
            format!("{most} at most"),
            list(full),
            "the box has outgrown its settings, and what finds no room is left to the kernel",
            format!("on {node}: fabricctl maps; larger sizes in its settings"),
        )
        .into()),
    }
}
