//! Boxes of one fabric, each by its facts: what is to be the same on all of them, and what one sends and the other gets.
//!
//! Each box is right by itself, as far as [`super::verify`] can see, and they do not fit all the same: VTEPs that hear on
//! different UDP ports never hear each other.

mod arrived;
mod floods;
mod links;
mod sent;
mod settings;
#[cfg(test)]
mod tests;
mod vlans;

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt,
    net::IpAddr,
};

pub(crate) use arrived::{Reasons, reasons};
use serde::Serialize;

use super::{difference::Kind, kernel::Kernel};
use crate::{
    facts::Facts,
    observe::{LinkKind, Mac},
};

/// A difference between boxes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Between {
    /// What it is about.
    pub kind: Kind,
    /// Which one, in words.
    pub what: String,
    /// What each says, by the name of the box.
    pub says: BTreeMap<String, String>,
    /// The likely cause: a sentence without its full stop.
    pub likely: String,
    /// The next command, or what else to do.
    pub next: String,
}

impl Between {
    /// The boxes that say the same, by what they say.
    fn by_words(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut boxes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, says) in &self.says {
            boxes.entry(says).or_default().push(name);
        }
        boxes
    }

    /// Those that say something else than most of the boxes; none where no two thirds say the same.
    fn odd(&self) -> Vec<&str> {
        let boxes = self.by_words();
        let is_most = |same: &[&str]| 3 * same.len() >= 2 * self.says.len();
        if !boxes.values().any(|same| is_most(same)) {
            return Vec::new();
        }
        boxes.into_values().filter(|same| !is_most(same)).flatten().collect()
    }
}

impl fmt::Display for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match &self.odd()[..] {
            [] => "boxes differ".into(),
            [one] => format!("{one} differs"),
            several => format!("{} differ", several.join(", ")),
        };
        writeln!(f, "{} {}: {verdict}", self.kind.name(), self.what)?;
        for (says, boxes) in self.by_words() {
            writeln!(f, "    {:<7} {says}", boxes.join(", "))?;
        }
        writeln!(f, "    likely  {}", self.likely)?;
        write!(f, "    next    {}", self.next)
    }
}

/// The names of the boxes that facts are of: the host's, and where hosts share it the network namespace's.
#[must_use]
pub fn names(all: &[Facts]) -> Vec<String> {
    let namespaces = |host: &str| {
        let same = all.iter().filter(|facts| facts.host == host);
        same.map(|facts| &facts.namespace).collect::<BTreeSet<_>>().len()
    };
    let name = |facts: &Facts| match &facts.namespace {
        Some(namespace) if namespaces(&facts.host) > 1 => namespace.clone(),
        _ => facts.host.clone(),
    };
    all.iter().map(name).collect()
}

/// Two facts whose box has the same name and not one cable's interface in common, so that they are of two boxes.
#[must_use]
pub fn namesakes(all: &[Facts]) -> Option<[usize; 2]> {
    let is_other = |one: &BTreeSet<Mac>, other: &BTreeSet<Mac>| {
        !one.is_empty() && !other.is_empty() && one.is_disjoint(other)
    };
    let mut known: BTreeMap<String, (usize, BTreeSet<Mac>)> = BTreeMap::new();
    for (number, (name, facts)) in names(all).into_iter().zip(all).enumerate() {
        let macs: BTreeSet<Mac> =
            facts.network.iter().filter_map(links::port).filter_map(|link| link.mac).collect();
        match known.entry(name) {
            Entry::Occupied(same) if is_other(&same.get().1, &macs) => {
                return Some([same.get().0, number]);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => drop(place.insert((number, macs))),
        }
    }
    None
}

/// What a comparison of boxes has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// What differs, sorted.
    pub between: Vec<Between>,
    /// What could not be compared though there are several readings of both boxes, and what it takes: sentences without
    /// their full stops.
    pub not_compared: Vec<String>,
}

/// Compares boxes. Facts of the same box are readings of it: settings are those of the newest, and counters are compared
/// between them.
#[must_use]
pub fn between(all: &[Facts]) -> Compared {
    let mut readings: BTreeMap<String, Vec<&Facts>> = BTreeMap::new();
    for (name, facts) in names(all).into_iter().zip(all) {
        readings.entry(name).or_default().push(facts);
    }
    for readings in readings.values_mut() {
        readings.sort_by_key(|facts| facts.taken_ms);
    }
    let newest = readings.iter().filter_map(|(name, readings)| {
        let facts = *readings.last()?;
        Some(Seen { name: name.clone(), facts, kernel: Kernel::of(&facts.network) })
    });
    let boxes: Vec<Seen<'_>> = newest.collect();
    let mut found = Compared::default();
    settings::compare(&boxes, &mut found);
    vlans::compare(&boxes, &mut found);
    floods::compare(&boxes, &mut found);
    links::compare(&boxes, &mut found);
    sent::compare(&boxes, &readings, &mut found);
    arrived::compare(&readings, &mut found);
    let Compared { mut between, not_compared } = found;
    between.sort_unstable();
    between.dedup();
    Compared { between, not_compared }
}

/// A box by its newest facts.
struct Seen<'a> {
    name: String,
    facts: &'a Facts,
    kernel: Kernel<'a>,
}

impl Seen<'_> {
    /// The addresses of its VTEPs.
    fn vteps(&self) -> BTreeSet<IpAddr> {
        let tunnels = self.kernel.tunnels.values();
        let local = |device: &LinkKind| match device {
            LinkKind::Vxlan(vxlan) => vxlan.local,
            _ => None,
        };
        tunnels.filter_map(|tunnel| local(&tunnel.vxlan.kind)).collect()
    }
}

impl Compared {
    fn add<S: Into<String>>(
        &mut self,
        kind: Kind,
        what: impl Into<String>,
        says: impl IntoIterator<Item = (S, String)>,
        likely: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.between.push(Between {
            kind,
            what: what.into(),
            says: says.into_iter().map(|(name, says)| (name.into(), says)).collect(),
            likely: likely.into(),
            next: next.into(),
        });
    }
}
