//! Views: which prefixes hold for the packets of a port.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Instant,
};

use fabric_common::{
    schema::{ports::view, views},
    trie::{lookup4, lookup6},
};

use super::{
    indexes::Indexes,
    pass::Pass,
    ports::Ports,
    rest::{Freed, Resting},
    trie::{self, Full, Tries},
};
use crate::{
    hashed::HashMap,
    kernel::maps::Maps,
    model::{RoutePlace, View},
    observe::Prefix,
};

/// Identity of a view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum ViewKey {
    /// The tables that it looks into.
    Known(View),
    /// Of an earlier daemon, until the first pass knows whose it is.
    LeftOver(u32),
}

/// The prefixes of a view.
#[derive(Debug, Default)]
struct Tables {
    v4: trie::Table<Ipv4Addr>,
    v6: trie::Table<Ipv6Addr>,
    /// The trie lacks prefixes of this family, for want of room: it must not be used.
    broken4: bool,
    /// The same for IPv6.
    broken6: bool,
}

/// All prefixes of all views with their targets.
#[derive(Default)]
pub(super) struct Prefixes {
    v4: HashMap<u16, Vec<(Ipv4Addr, u8, u32)>>,
    v6: HashMap<u16, Vec<(Ipv6Addr, u8, u32)>>,
}

impl Prefixes {
    pub(super) fn push(&mut self, view: u16, prefix: Prefix, target: u32) {
        let Prefix { address, length } = prefix;
        match address {
            IpAddr::V4(v4) => self.v4.entry(view).or_default().push((v4, length, target)),
            IpAddr::V6(v6) => self.v6.entry(view).or_default().push((v6, length, target)),
        }
    }
}

/// The maps `views` and `trie`.
pub(super) struct Views {
    indexes: Indexes<ViewKey>,
    /// Indexes of the views of the last structure, by position there.
    positions: Vec<Option<u16>>,
    tables: BTreeMap<u16, Tables>,
    tries: Tries,
}

impl Views {
    /// Takes over the views of an earlier daemon and what they lead to.
    pub(super) fn recover(maps: &Maps, resting: &mut Resting) -> Self {
        let mut used: BTreeSet<u32> =
            maps.ports.iter().map(|(_, port)| view(port.mac_and_view).into()).collect();
        let filled = maps.views.iter().filter(|(_, view)| *view != views::View::default());
        used.extend(filled.map(|(index, _)| index));
        used.remove(&0);
        let (mut indexes, mut all) = (Indexes::new(views::MAX), BTreeMap::new());
        let mut recovery = trie::Recovery::new(&maps.trie);
        for index in used.into_iter().filter(|index| *index < views::MAX) {
            let root = maps.views.get(index);
            let tables = Tables {
                v4: recovery.adopt(root.root4).unwrap_or_default(),
                v6: recovery.adopt(root.root6).unwrap_or_default(),
                ..Tables::default()
            };
            let whole = views::View { root4: tables.v4.root(), root6: tables.v6.root() };
            maps.views.set(index, &whole);
            all.insert(index as u16, tables);
            indexes.adopt(ViewKey::LeftOver(index), index);
        }
        resting.add_all(indexes.gaps(), Freed::View);
        Self { indexes, positions: Vec::new(), tables: all, tries: recovery.finish() }
    }

    /// The index of a view of the last structure, by its position there.
    pub(super) fn get(&self, position: u16) -> Option<u16> {
        self.positions.get(usize::from(position)).copied().flatten()
    }

    /// The indexes of the views of the last structure.
    pub(super) fn known(&self) -> BTreeSet<u16> {
        self.positions.iter().copied().flatten().collect()
    }

    /// Gives every view an index: the one that the ports have which it is for, if those were of an
    /// earlier daemon and all that have it are for this view. Where one of them went into another VRF meanwhile, packets
    /// of neither may be looked up among the other's routes.
    pub(super) fn number(&mut self, pass: &mut Pass<'_>, ports: &Ports) {
        let structure = pass.structure;
        let mut wanted: BTreeMap<u32, BTreeSet<&View>> = BTreeMap::new();
        for (ifindex, port) in &structure.ports {
            let known = port.view.and_then(|at| structure.views.get(usize::from(at)));
            if let (Some(known), Some(slot)) = (known, ports.slot(*ifindex)) {
                let index = u32::from(view(pass.maps.ports.get(slot).mac_and_view));
                wanted.entry(index).or_default().insert(known);
            }
        }
        for (index, views) in wanted {
            let [view] = views.into_iter().collect::<Vec<_>>()[..] else { continue };
            let key = ViewKey::Known(view.clone());
            if self.indexes.get(&key).is_none()
                && let Some(old @ ViewKey::LeftOver(_)) = self.indexes.key_of(index)
            {
                let old = old.clone();
                self.indexes.pass_on(&old, key);
            }
        }
        self.positions.clear();
        for view in &structure.views {
            let index = self.indexes.allocate(&ViewKey::Known(view.clone()));
            let index = index.map(|(index, _)| index as u16);
            match index {
                Some(index) => drop(self.tables.entry(index).or_default()),
                None => pass.full("views", self.indexes.capacity(), ""),
            }
            self.positions.push(index);
        }
    }

    /// What the trie says about a place. At the start, when nobody knows which prefixes a trie was made
    /// from: what it says about its first address.
    pub(super) fn present(&self, maps: &Maps, place: &RoutePlace) -> Option<u32> {
        let tables = self.tables.get(&self.get(place.view)?)?;
        let Prefix { address, length } = place.prefix;
        match address {
            IpAddr::V4(v4) if tables.v4.is_empty() => {
                lookup4(&maps.trie, tables.v4.root(), v4.to_bits())
            }
            IpAddr::V4(v4) => tables.v4.get((v4, length)),
            IpAddr::V6(v6) if tables.v6.is_empty() => {
                let bits = v6.to_bits();
                lookup6(&maps.trie, tables.v6.root(), [(bits >> 64) as u64, bits as u64])
            }
            IpAddr::V6(v6) => tables.v6.get((v6, length)),
        }
    }

    /// Gives one prefix another target, or none.
    pub(super) fn set(
        &mut self,
        pass: &mut Pass<'_>,
        view: u16,
        prefix: Prefix,
        target: Option<u32>,
    ) {
        let (words, now) = (&pass.maps.trie, Instant::now());
        let Some(tables) = self.tables.get_mut(&view) else { return };
        let before = self.tries.writes();
        let Prefix { address, length } = prefix;
        let done = match address {
            IpAddr::V4(v4) => {
                let done = self.tries.set(words, &mut tables.v4, (v4, length), target, now);
                tables.broken4 |= done.is_err();
                done
            }
            IpAddr::V6(v6) => {
                let done = self.tries.set(words, &mut tables.v6, (v6, length), target, now);
                tables.broken6 |= done.is_err();
                done
            }
        };
        pass.changed(self.tries.writes() != before);
        report(pass, done);
        self.show(pass, view);
    }

    /// Makes the tries of the structure's views hold exactly these prefixes.
    pub(super) fn sync(&mut self, pass: &mut Pass<'_>, mut prefixes: Prefixes) {
        let (words, now) = (&pass.maps.trie, Instant::now());
        for view in self.known() {
            let Some(tables) = self.tables.get_mut(&view) else { continue };
            let before = self.tries.writes();
            let v4 = prefixes.v4.remove(&view).unwrap_or_default();
            let v6 = prefixes.v6.remove(&view).unwrap_or_default();
            // Where nothing is, nothing is needed.
            let mut done4 = Ok(());
            if !v4.is_empty() || tables.v4.root() != 0 {
                done4 = self.tries.sync(words, &mut tables.v4, v4, now);
            }
            let mut done6 = Ok(());
            if !v6.is_empty() || tables.v6.root() != 0 {
                done6 = self.tries.sync(words, &mut tables.v6, v6, now);
            }
            (tables.broken4, tables.broken6) = (done4.is_err(), done6.is_err());
            pass.outcome.changes += (self.tries.writes() - before) as usize;
            report(pass, done4);
            report(pass, done6);
            self.show(pass, view);
        }
    }

    /// Makes the tries of a view the ones that are looked into.
    fn show(&self, pass: &mut Pass<'_>, view: u16) {
        let Some(tables) = self.tables.get(&view) else { return };
        let root4 = if tables.broken4 { 0 } else { tables.v4.root() };
        let root6 = if tables.broken6 { 0 } else { tables.v6.root() };
        pass.changed(pass.maps.views.set(view.into(), &views::View { root4, root6 }));
    }

    /// Removes views that no port looks into; which these were.
    pub(super) fn remove(&mut self, pass: &mut Pass<'_>) -> Vec<u16> {
        let structure = pass.structure;
        let wanted =
            |key: &ViewKey| matches!(key, ViewKey::Known(view) if structure.views.contains(view));
        let gone = self.indexes.retain(wanted);
        let now = Instant::now();
        for index in &gone {
            // Both roots are one word, and without one there is no route.
            pass.maps.views.set(*index, &views::View::default());
            pass.rest(Freed::View(*index));
            if let Some(tables) = self.tables.remove(&(*index as u16)) {
                self.tries.remove(&pass.maps.trie, tables.v4, now);
                self.tries.remove(&pass.maps.trie, tables.v6, now);
            }
            pass.changed(true);
        }
        pass.rest_all(self.indexes.take_superseded(), Freed::View);
        gone.into_iter().map(|index| index as u16).collect()
    }

    /// Frees an index that has rested.
    pub(super) fn give_back(&mut self, index: u32) {
        self.indexes.give_back(index);
    }
}

/// Says that the trie had no room, if so.
fn report(pass: &mut Pass<'_>, done: Result<(), Full>) {
    if let Err(full) = done {
        let setting = "; raise `prefix_entries` in the settings";
        pass.full("trie", full.capacity as usize, setting);
    }
}

#[cfg(test)]
impl Views {
    /// Prefixes of both families in all tries.
    pub(super) fn prefixes(&self) -> usize {
        self.tables.values().map(|tables| tables.v4.len() + tables.v6.len()).sum()
    }
}
