//! What boxes forward, out of their facts: bridged networks with their VNIs, gateways and hosts, VRFs and routes.

mod kernel;
mod routes;
#[cfg(test)]
pub(super) mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::model::{Records, Site, Vrf};
use crate::{facts::Facts, mac::Mac, observe::Prefix};
pub use routes::Routes;

/// Boxes.
#[derive(Clone, Debug, Default)]
pub struct Fabric {
    /// Sorted by name.
    pub boxes: Vec<Leaf>,
    /// What is in no VRF, by NetBox's name.
    pub default: Vrf,
}

/// A box.
#[derive(Clone, Debug, Default)]
pub struct Leaf {
    /// Its name.
    pub name: String,
    /// Its site by NetBox's name, if that is known.
    pub site: Option<Site>,
    /// Its VRFs but the default one.
    pub vrfs: BTreeMap<Vrf, Tenant>,
    /// Its bridged networks.
    pub networks: Vec<Network>,
    /// Its own addresses.
    pub own: BTreeSet<(Vrf, IpAddr)>,
    /// Where its packets go.
    pub routes: BTreeMap<Vrf, Routes>,
}

/// A VRF of a box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenant {
    /// The name of its device.
    pub device: String,
    /// Its L3VNI, if FRR has one.
    pub l3vni: Option<u32>,
    /// FRR was asked, so that one without an L3VNI has none.
    pub is_asked: bool,
}

/// A bridged network: a bridge, or a VLAN of a VLAN-aware one.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Its number among those of all boxes, from 0.
    pub number: usize,
    /// Name of the bridge, with `.VLAN` if it is VLAN-aware.
    pub name: String,
    /// VLAN IDs: its own, or those by which ports are in it.
    pub vids: BTreeSet<u16>,
    /// Its VNI.
    pub vni: Option<u32>,
    /// It carries what is routed in a VRF, and no hosts.
    pub is_layer3: bool,
    /// The VRF that routes it; none if it is not known that any does.
    pub vrf: Option<Vrf>,
    /// Addresses of its gateways here, with the lengths of their networks.
    pub gateways: Vec<Prefix>,
    /// Its hosts that are known here.
    pub hosts: BTreeMap<IpAddr, Mac>,
}

impl Fabric {
    /// Takes facts of boxes with their names.
    #[must_use]
    pub fn of<'a>(facts: impl IntoIterator<Item = (String, &'a Facts)>) -> Self {
        let mut boxes: Vec<Leaf> =
            facts.into_iter().map(|(name, facts)| kernel::leaf(name, facts)).collect();
        boxes.sort_by(|a, b| a.name.cmp(&b.name));
        let mut fabric = Self { boxes, default: Vrf::DEFAULT };
        let networks = fabric.boxes.iter_mut().flat_map(|leaf| &mut leaf.networks);
        for (number, network) in networks.enumerate() {
            network.number = number;
        }
        fabric.spread_vrfs();
        fabric
    }

    /// What one box bridges alone may be routed by another one, which says in which VRF.
    fn spread_vrfs(&mut self) {
        let networks = self.boxes.iter().flat_map(|leaf| &leaf.networks);
        let known = networks.filter_map(|network| Some((network.vni?, network.vrf.clone()?)));
        let known: BTreeMap<u32, Vrf> = known.collect();
        for network in self.boxes.iter_mut().flat_map(|leaf| &mut leaf.networks) {
            if network.vrf.is_none() {
                network.vrf = network.vni.and_then(|vni| known.get(&vni).cloned());
            }
        }
    }

    /// Names of boxes.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.boxes.iter().map(|leaf| leaf.name.clone()).collect()
    }

    /// Puts boxes into sites: as given by name or slug, else as NetBox has the device of that name.
    ///
    /// # Returns
    /// Names of boxes whose site is not known.
    pub fn place(&mut self, records: &Records, given: &BTreeMap<String, String>) -> Vec<String> {
        let mut lost = Vec::new();
        for leaf in &mut self.boxes {
            let name = leaf.name.to_lowercase();
            let short = name.split('.').next().unwrap_or(&name);
            let given = given.get(&leaf.name).map(|site| {
                records.slugs.get(site).cloned().unwrap_or_else(|| site.as_str().into())
            });
            let device =
                || records.devices.get(&name).or_else(|| records.devices.get(short)).cloned();
            leaf.site = given.or_else(device);
            if leaf.site.is_none() {
                lost.push(leaf.name.clone());
            }
        }
        lost
    }

    /// Gives VRFs the names that NetBox has for them: as given by the names of their devices, what is in none as
    /// `default`, else the one that differs in nothing but case, blanks, `_` and `.`. Of several that would be one on a
    /// box each keeps its own name, by which it is found to be unknown.
    pub fn rename(&mut self, records: &Records, given: &BTreeMap<String, String>) {
        let of_prefixes = records.prefixes.iter().filter_map(|prefix| prefix.vrf.name());
        let of_table = records.vrfs.iter().map(|vrf| vrf.name.as_str());
        let names: BTreeSet<&str> = of_prefixes.chain(of_table).collect();
        let mut alike: BTreeMap<String, Option<&str>> = BTreeMap::new();
        for name in &names {
            // Of several that are alike it is not known which one is meant.
            alike.entry(plain(name)).and_modify(|known| *known = None).or_insert(Some(name));
        }
        let renamed = |vrf: &Vrf| {
            if let Some(name) = given.get(vrf.name().unwrap_or(DEFAULT)) {
                return Vrf::named(name);
            }
            let Some(device) = vrf.name() else { return Vrf::DEFAULT };
            if names.contains(device) {
                return vrf.clone();
            }
            let alike = alike.get(&plain(device)).copied().flatten();
            alike.map_or_else(|| vrf.clone(), Vrf::named)
        };
        self.default = renamed(&Vrf::DEFAULT);
        for leaf in &mut self.boxes {
            let mut names: BTreeMap<Vrf, usize> = BTreeMap::new();
            for vrf in leaf.vrfs.keys().chain([&Vrf::DEFAULT]) {
                *names.entry(renamed(vrf)).or_default() += 1;
            }
            let renamed = |vrf: &Vrf| match renamed(vrf) {
                name if names.get(&name) > Some(&1) => vrf.clone(),
                name => name,
            };
            let vrfs = std::mem::take(&mut leaf.vrfs);
            leaf.vrfs = vrfs.into_iter().map(|(vrf, tenant)| (renamed(&vrf), tenant)).collect();
            let own = std::mem::take(&mut leaf.own);
            leaf.own = own.into_iter().map(|(vrf, address)| (renamed(&vrf), address)).collect();
            let routes = std::mem::take(&mut leaf.routes);
            leaf.routes = routes.into_iter().map(|(vrf, routes)| (renamed(&vrf), routes)).collect();
            for network in &mut leaf.networks {
                network.vrf = network.vrf.as_ref().map(&renamed);
            }
        }
    }
}

impl Leaf {
    /// Routes of a VRF.
    #[must_use]
    pub fn routes(&self, vrf: &Vrf) -> Option<&Routes> {
        self.routes.get(vrf)
    }
}

/// What a device would be called for what is in no VRF.
const DEFAULT: &str = "default";

/// A name of a VRF as it is compared. Names of devices have no blanks and no more than 15 characters.
fn plain(name: &str) -> String {
    const LONGEST: usize = 15;
    let plain = name.to_lowercase().replace([' ', '_', '.'], "-");
    plain.chars().take(LONGEST).collect()
}
