//! From scopes to sites: a location is in a site, a region and a group of sites hold many.
//!
//! A token may view some of these tables alone. What needs one that it may not view is at a site that is not known, and
//! all else is where it is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    RestError,
    answer::{LocationRow, RegionRow, SiteGroupRow, SiteRow},
    client::Client,
    pages::all,
    tables::optional,
};
use crate::audit::model::{Records, Site, Sites, Table, clean};

/// What a prefix or a group of VLANs is scoped to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) id: Option<u64>,
}

/// Sites, and what leads to them.
#[derive(Debug, Default)]
pub(super) struct Places {
    sites: BTreeMap<u64, (Site, Option<u64>, Option<u64>)>,
    pub(super) slugs: BTreeMap<String, Site>,
    locations: BTreeMap<u64, u64>,
    regions: BTreeMap<u64, Option<u64>>,
    groups: BTreeMap<u64, Option<u64>>,
}

const SITE: &str = "dcim.site";
const LOCATION: &str = "dcim.location";
const REGION: &str = "dcim.region";
const GROUP: &str = "dcim.sitegroup";

impl Places {
    /// Reads sites, and of the rest what scopes of these kinds need.
    pub(super) fn read(
        client: &Client,
        kinds: &BTreeSet<String>,
        records: &mut Records,
    ) -> Result<Self, RestError> {
        let mut places = Self::default();
        let parent = |parent: Option<super::answer::Reference>| parent.map(|parent| parent.id);
        for site in optional::<SiteRow>(all(client, ""), records, Table::Sites)? {
            let name: Site = clean(&site.name).into();
            places.slugs.insert(clean(&site.slug), name.clone());
            places.sites.insert(site.id, (name, parent(site.region), parent(site.group)));
        }
        if kinds.contains(LOCATION) {
            let rows = optional::<LocationRow>(all(client, ""), records, Table::Places)?;
            places.locations = rows.into_iter().map(|row| (row.id, row.site.id)).collect();
        }
        if kinds.contains(REGION) {
            let rows = optional::<RegionRow>(all(client, ""), records, Table::Places)?;
            places.regions = rows.into_iter().map(|row| (row.id, parent(row.parent))).collect();
        }
        if kinds.contains(GROUP) {
            let rows = optional::<SiteGroupRow>(all(client, ""), records, Table::Places)?;
            places.groups = rows.into_iter().map(|row| (row.id, parent(row.parent))).collect();
        }
        Ok(places)
    }

    /// A site by its number.
    pub(super) fn site(&self, id: u64) -> Option<&Site> {
        self.sites.get(&id).map(|(name, ..)| name)
    }

    /// The sites of a scope.
    pub(super) fn of(&self, scope: Scope<'_>) -> Sites {
        let (Some(kind), Some(id)) = (scope.kind, scope.id) else { return Sites::Anywhere };
        let one = |id: u64| self.site(id).map_or(Sites::Unknown, Sites::one);
        match kind {
            SITE => one(id),
            LOCATION => self.locations.get(&id).map_or(Sites::Unknown, |site| one(*site)),
            REGION => self.below(id, &self.regions, |(_, region, _)| *region),
            GROUP => self.below(id, &self.groups, |(.., group)| *group),
            _ => Sites::Unknown,
        }
    }

    /// The sites whose region, or group, is this one or below it.
    fn below(
        &self,
        id: u64,
        parents: &BTreeMap<u64, Option<u64>>,
        of: impl Fn(&(Site, Option<u64>, Option<u64>)) -> Option<u64>,
    ) -> Sites {
        let is_below = |mut at: u64| {
            // No tree is deeper than it has nodes; one that is has a loop.
            for _ in 0..=parents.len() {
                if at == id {
                    return true;
                }
                match parents.get(&at).copied().flatten() {
                    Some(parent) => at = parent,
                    None => return false,
                }
            }
            false
        };
        let sites = self.sites.values().filter(|site| of(site).is_some_and(is_below));
        let sites: BTreeSet<Site> = sites.map(|(name, ..)| name.clone()).collect();
        // A region without a site says nothing about where something lies.
        if sites.is_empty() { Sites::Unknown } else { Sites::At(sites) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_leads_to_its_sites_however_deep_and_loops_end() {
        let site = |name: &str, region, group| (Site::from(name), region, group);
        let places = Places {
            sites: [(1, site("a", Some(11), None)), (2, site("b", Some(10), Some(30)))].into(),
            locations: [(5, 2)].into(),
            regions: [(10, None), (11, Some(10)), (12, Some(13)), (13, Some(12))].into(),
            groups: [(30, None)].into(),
            slugs: BTreeMap::new(),
        };
        let of = |kind: &'static str, id| {
            let sites = places.of(Scope { kind: Some(kind), id: Some(id) });
            sites.named().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of(SITE, 1), ["a"]);
        assert_eq!(of(LOCATION, 5), ["b"]);
        assert_eq!(of(REGION, 10), ["a", "b"]);
        assert_eq!(of(REGION, 11), ["a"]);
        assert_eq!(of(GROUP, 30), ["b"]);
        assert_eq!(of(REGION, 12), [""; 0]);
        let place = |kind, id| places.of(Scope { kind, id });
        assert_eq!(place(None, None), Sites::Anywhere);
        assert_eq!(place(Some("dcim.rack"), Some(1)), Sites::Unknown);
        assert_eq!(place(Some(SITE), Some(99)), Sites::Unknown);
    }
}
