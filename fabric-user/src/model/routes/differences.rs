//! What two sets of routes differ in.

use std::collections::BTreeSet;

use super::{
    Change, Routes,
    entry::{Stored, Via},
};
use crate::observe::Prefix;

impl Routes {
    /// What is different in `other`: prefixes by table, and whether they exist in only one of both.
    pub(in crate::model) fn differences(&self, other: &Self) -> Vec<(u32, Prefix, Change)> {
        let mut all = Vec::new();
        let tables: BTreeSet<(u32, bool)> = [self, other]
            .iter()
            .flat_map(|each| {
                let v4 = each.v4.keys().map(|table| (*table, false));
                v4.chain(each.v6.keys().map(|table| (*table, true)))
            })
            .collect();
        for (table, v6) in tables {
            for prefix in self.prefixes(table, v6) {
                let (before, after) = (self.list(table, prefix), other.list(table, prefix));
                let same = before.len() == after.len()
                    && before.iter().zip(after).all(|(a, b)| self.same(a, other, b));
                if !same {
                    let change =
                        Change { routes: true, shadow: after.is_empty(), ..Change::default() };
                    all.push((table, prefix, change));
                }
            }
            for prefix in other.prefixes(table, v6) {
                if self.list(table, prefix).is_empty() {
                    all.push((
                        table,
                        prefix,
                        Change { routes: true, shadow: true, ..Change::default() },
                    ));
                }
            }
        }
        all
    }

    /// Whether two routes are the same though their lists have other numbers.
    fn same(&self, route: &Stored, other: &Self, there: &Stored) -> bool {
        let via = match (route.via, there.via) {
            (Via::Hops(here), Via::Hops(id)) => self.hops(here) == other.hops(id),
            (a, b) => a == b,
        };
        via && Stored { via: there.via, ..route.clone() } == *there
    }
}
