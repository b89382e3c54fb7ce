//! Views: which prefixes hold for the packets of a port.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, Ipv6Addr},
};

use fabric_common::schema::{
    fdb::mac_number,
    ports::{FLAG_NOT_A_TARGET, FLAG_ROUTE4, FLAG_ROUTE6, mac_and_view, view},
    views,
};

use super::{Outcome, Reconciler, rest::Freed, trie};
use crate::model::{Structure, View};

/// Identity of a view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ViewKey {
    /// The tables that it looks into.
    Known(View),
    /// Of an earlier daemon, until the first pass knows whose it is.
    LeftOver(u32),
}

/// The prefixes of a view.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) v4: trie::Table<Ipv4Addr>,
    pub(super) v6: trie::Table<Ipv6Addr>,
    /// The trie lacks prefixes of this family, for want of room: it must not be used.
    pub(super) broken4: bool,
    /// The same for IPv6.
    pub(super) broken6: bool,
}

impl Reconciler {
    /// Takes over the views of an earlier daemon and what they lead to.
    pub(super) fn recover_views(&mut self) {
        let mut used: BTreeSet<u32> =
            self.maps.ports.iter().map(|(_, port)| view(port.mac_and_view).into()).collect();
        let filled = self.maps.views.iter().filter(|(_, view)| *view != views::View::default());
        used.extend(filled.map(|(index, _)| index));
        used.remove(&0);
        let mut recovery = trie::Recovery::new(&self.maps.trie);
        for index in used.into_iter().filter(|index| *index < views::MAX) {
            let root = self.maps.views.get(index);
            let tables = Tables {
                v4: recovery.adopt(root.root4).unwrap_or_default(),
                v6: recovery.adopt(root.root6).unwrap_or_default(),
                ..Tables::default()
            };
            let whole = views::View { root4: tables.v4.root(), root6: tables.v6.root() };
            self.maps.views.set(index, &whole);
            self.tables.insert(index as u16, tables);
            self.views.adopt(ViewKey::LeftOver(index), index);
        }
        self.tries = recovery.finish();
    }

    /// Gives every view an index: the one that the ports have which it is for, if those were of an
    /// earlier daemon.
    pub(super) fn add_views(&mut self, structure: &Structure, outcome: &mut Outcome) {
        for (ifindex, port) in &structure.ports {
            let known = port.view.and_then(|at| structure.views.get(usize::from(at)));
            let (Some(wanted), Some(slot)) = (known, self.ports.get(ifindex)) else { continue };
            let index = u32::from(view(self.maps.ports.get(*slot).mac_and_view));
            let key = ViewKey::Known(wanted.clone());
            if self.views.get(&key).is_none()
                && let Some(old @ ViewKey::LeftOver(_)) = self.views.key_of(index)
            {
                let old = old.clone();
                self.views.pass_on(&old, key);
            }
        }
        self.view_indexes.clear();
        for view in &structure.views {
            let index = self.views.allocate(&ViewKey::Known(view.clone())).map(|(index, _)| index);
            if let Some(index) = index {
                self.tables.entry(index as u16).or_default();
            } else {
                outcome.full("views", self.views.capacity(), "");
            }
            self.view_indexes.push(index.map(|index| index as u16));
        }
    }

    /// Makes the tries of the views the ones that are looked into.
    pub(super) fn show_views(&self) -> usize {
        let mut changes = 0;
        for index in self.view_indexes.iter().flatten() {
            let Some(tables) = self.tables.get(index) else { continue };
            let root4 = if tables.broken4 { 0 } else { tables.v4.root() };
            let root6 = if tables.broken6 { 0 } else { tables.v6.root() };
            let view = views::View { root4, root6 };
            changes += usize::from(self.maps.views.set((*index).into(), &view));
        }
        changes
    }

    /// Says by which view the packets of each port are routed.
    pub(super) fn route_ports(&self, structure: &Structure, outcome: &mut Outcome) {
        for (ifindex, port) in &structure.ports {
            let Some(slot) = self.ports.get(ifindex) else { continue };
            let at =
                |position: u16| self.view_indexes.get(usize::from(position)).copied().flatten();
            let known = port.view.and_then(at);
            let set = |on: bool, flag| if on && known.is_some() { flag } else { 0 };
            let routed = set(port.route4, FLAG_ROUTE4) | set(port.route6, FLAG_ROUTE6);
            let changed = self.maps.ports.update(*slot, |entry| {
                entry.mac_and_view = mac_and_view(mac_number(port.mac.0), known.unwrap_or(0));
                let others = entry.flags & !(FLAG_ROUTE4 | FLAG_ROUTE6 | FLAG_NOT_A_TARGET);
                let not_a_target = if port.is_target { 0 } else { FLAG_NOT_A_TARGET };
                entry.flags = others | routed | not_a_target;
            });
            outcome.changes += usize::from(changed);
        }
    }

    pub(super) fn remove_views(&mut self, structure: &Structure, outcome: &mut Outcome) {
        let wanted =
            |key: &ViewKey| matches!(key, ViewKey::Known(view) if structure.views.contains(view));
        let gone: Vec<u16> =
            self.views.retain(wanted).into_iter().map(|index| index as u16).collect();
        if gone.is_empty() {
            return;
        }
        let now = std::time::Instant::now();
        for index in &gone {
            // Both roots are one word, and without one there is no route.
            self.maps.views.set((*index).into(), &views::View::default());
            self.resting.add(Freed::View((*index).into()));
            if let Some(tables) = self.tables.remove(index) {
                self.tries.remove(&self.maps.trie, tables.v4, now);
                self.tries.remove(&self.maps.trie, tables.v6, now);
            }
            outcome.changes += 1;
        }
        outcome.changes += self.remove_hosts(&gone, structure);
    }
}
