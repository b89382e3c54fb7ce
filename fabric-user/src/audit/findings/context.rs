//! What the findings have in common: which prefix is where, and which of the fabric's networks is which VLAN.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::IpAddr,
};

use super::index::Index;
use crate::{
    audit::{
        fabric::{Fabric, Leaf, Network},
        model::{ACTIVE, Prefix, Records, Site, Sites, Vlan, Vrf},
        networks::{normal, width},
    },
    mac::Mac,
    observe::Prefix as Addresses,
};

/// Both sides, and what follows from looking at them together.
pub(super) struct Context<'a> {
    pub(super) netbox: &'a Records,
    pub(super) fabric: &'a Fabric,
    pub(super) index: Index,
    /// VRFs that some box has, what is in none among them.
    pub(super) vrfs: BTreeSet<Vrf>,
    /// VRFs that NetBox has, the global table among them.
    pub(super) known_vrfs: BTreeSet<Vrf>,
    /// Sites of boxes.
    sites: BTreeSet<Site>,
    /// Some box's site is not known, so that what is at any site may be there.
    is_any_lost: bool,
    /// Gateways by the place of the prefix that they are in.
    pub(super) gateways: BTreeMap<usize, Vec<Gateway<'a>>>,
    /// Hosts by the place of the prefix that they are in.
    pub(super) hosts: BTreeMap<usize, Vec<Host<'a>>>,
    /// Hosts that are in no prefix.
    pub(super) outside: Vec<Host<'a>>,
    /// Prefixes that the fabric has in another VRF: places, with the VRF and the boxes.
    pub(super) moved: BTreeMap<usize, (Vrf, BTreeSet<&'a str>)>,
    /// What [`Self::moved`] is about, as the fabric has it.
    pub(super) moved_to: HashSet<(Vrf, Addresses)>,
    /// Networks by VNI.
    pub(super) carried: BTreeMap<u32, Vec<Seat<'a>>>,
    /// Networks by the places of the VLANs that they are.
    pub(super) carriers: BTreeMap<usize, Vec<Seat<'a>>>,
    /// Places of prefixes by those of their VLANs.
    pub(super) prefixes_of: BTreeMap<usize, Vec<usize>>,
    /// Places of VLANs by number.
    by_vid: BTreeMap<u16, Vec<usize>>,
    /// Places of VLANs by the VNI of their L2VPN.
    by_vni: BTreeMap<u32, Vec<usize>>,
    /// Places of the VLANs that a network is, by its number.
    ties: Vec<BTreeSet<usize>>,
}

/// Whether audited boxes would know of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sight {
    /// It lies at sites without such a box.
    Out,
    /// It is not known where it lies.
    Unknown,
    /// It lies at a site with such a box, or may be at any.
    In,
}

/// A network with its box.
pub(super) type Seat<'a> = (&'a Leaf, &'a Network);

/// A gateway of the fabric.
#[derive(Clone, Copy)]
pub(super) struct Gateway<'a> {
    pub(super) leaf: &'a Leaf,
    pub(super) network: &'a Network,
    pub(super) vrf: &'a Vrf,
    /// Its address with the length of its network.
    pub(super) address: Addresses,
}

/// A host of the fabric.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    pub(super) leaf: &'a Leaf,
    pub(super) network: &'a Network,
    /// None where nobody says in which VRF the network is routed.
    pub(super) vrf: Option<&'a Vrf>,
    pub(super) address: IpAddr,
    pub(super) mac: Mac,
}

impl Gateway<'_> {
    /// Its network; none if it is connected to none.
    pub(super) fn network(&self) -> Option<Addresses> {
        (self.address.length < width(self.address.address)).then(|| normal(self.address))
    }
}

impl<'a> Context<'a> {
    pub(super) fn of(netbox: &'a Records, fabric: &'a Fabric) -> Self {
        let index = Index::of(&netbox.prefixes);
        let vrfs = fabric.boxes.iter().flat_map(|leaf| leaf.vrfs.keys().cloned());
        let tables = netbox.vrfs.iter().map(|vrf| Vrf::named(&vrf.name));
        let mut this = Self {
            vrfs: vrfs.chain([fabric.default.clone()]).collect(),
            known_vrfs: tables.chain(index.vrfs().cloned()).chain([Vrf::DEFAULT]).collect(),
            sites: fabric.boxes.iter().filter_map(|leaf| leaf.site.clone()).collect(),
            is_any_lost: fabric.boxes.iter().any(|leaf| leaf.site.is_none()),
            gateways: BTreeMap::new(),
            hosts: BTreeMap::new(),
            outside: Vec::new(),
            moved: BTreeMap::new(),
            moved_to: HashSet::new(),
            carried: BTreeMap::new(),
            carriers: BTreeMap::new(),
            prefixes_of: BTreeMap::new(),
            by_vid: BTreeMap::new(),
            by_vni: BTreeMap::new(),
            ties: Vec::new(),
            netbox,
            fabric,
            index,
        };
        this.sort_vlans();
        this.tie_networks();
        this.place_gateways();
        this.place_hosts();
        this.find_moved();
        this
    }

    fn sort_vlans(&mut self) {
        for (place, vlan) in self.netbox.vlans.iter().enumerate() {
            self.by_vid.entry(vlan.vid).or_default().push(place);
        }
        for l2vpn in self.netbox.l2vpns.iter().filter(|l2vpn| l2vpn.is_vxlan) {
            if let Some(vni) = l2vpn.identifier {
                self.by_vni.entry(vni).or_default().extend(&l2vpn.vlans);
            }
        }
        for (place, prefix) in self.netbox.prefixes.iter().enumerate() {
            if let Some(vlan) = prefix.vlan {
                self.prefixes_of.entry(vlan).or_default().push(place);
            }
        }
    }

    fn tie_networks(&mut self) {
        for (leaf, network) in self.networks() {
            let vlans = self.tie(leaf, network);
            for vlan in &vlans {
                self.carriers.entry(*vlan).or_default().push((leaf, network));
            }
            self.ties.push(vlans);
            if let Some(vni) = network.vni {
                self.carried.entry(vni).or_default().push((leaf, network));
            }
        }
    }

    /// Bridged networks with their boxes.
    pub(super) fn networks(&self) -> impl Iterator<Item = Seat<'a>> + use<'a> {
        let fabric = self.fabric;
        fabric
            .boxes
            .iter()
            .flat_map(|leaf| leaf.networks.iter().map(move |network| (leaf, network)))
    }

    /// Gateways of all boxes, those that only carry what is routed left out.
    pub(super) fn all_gateways(&self) -> impl Iterator<Item = Gateway<'a>> + use<'a> {
        let networks = self.networks().filter(|(_, network)| !network.is_layer3);
        networks.flat_map(|(leaf, network)| {
            let vrf = network.vrf.iter();
            vrf.flat_map(move |vrf| {
                let gateways = network.gateways.iter();
                gateways.map(move |address| Gateway { leaf, network, vrf, address: *address })
            })
        })
    }

    fn place_gateways(&mut self) {
        let all: Vec<Gateway<'_>> = self.all_gateways().collect();
        for gateway in all {
            // The prefix of its network is its own, although a longer one may be around its address.
            let exact = gateway.network().map(|network| self.index.exact(gateway.vrf, network));
            let exact = exact
                .and_then(|exact| exact.iter().copied().find(|place| !self.is_container(*place)));
            let around = || self.index.around(self.netbox, gateway.vrf, gateway.address.address);
            if let Some(place) = exact.or_else(around) {
                self.gateways.entry(place).or_default().push(gateway);
            }
        }
    }

    fn place_hosts(&mut self) {
        let mut seen = HashSet::new();
        for (leaf, network) in self.networks() {
            for (address, mac) in &network.hosts {
                // Leafs know each other's hosts.
                let identity = (network.vni, network.vrf.as_ref(), *address, *mac);
                let whose = network.vni.is_none().then_some(leaf.name.as_str());
                let is_box =
                    network.vrf.as_ref().is_some_and(|vrf| self.owner(vrf, *address).is_some());
                if is_box || !seen.insert((identity, whose)) {
                    continue;
                }
                let host =
                    Host { leaf, network, vrf: network.vrf.as_ref(), address: *address, mac: *mac };
                match self.around_host(&host) {
                    Some(place) => self.hosts.entry(place).or_default().push(host),
                    None => self.outside.push(host),
                }
            }
        }
    }

    /// The prefix that a host is in. Where its VRF is not known it is the one of its network's VLAN before others.
    fn around_host(&self, host: &Host<'_>) -> Option<usize> {
        if let Some(vrf) = host.vrf {
            return self.index.around(self.netbox, vrf, host.address);
        }
        let found =
            self.index.vrfs().filter_map(|vrf| self.index.around(self.netbox, vrf, host.address));
        let found: Vec<usize> = found.collect();
        let vlans = self.vlans_of(host.network);
        let is_own = |place: &&usize| {
            self.netbox.prefixes[**place].vlan.is_some_and(|vlan| vlans.contains(&vlan))
        };
        found.iter().find(is_own).or_else(|| found.iter().min()).copied()
    }

    /// A prefix without a gateway, whose network is a gateway's in a VRF where NetBox has none, is in the wrong VRF on
    /// one of both sides.
    fn find_moved(&mut self) {
        let all: Vec<Gateway<'_>> = self.all_gateways().collect();
        for gateway in all {
            let Some(network) = gateway.network() else { continue };
            if !self.index.exact(gateway.vrf, network).is_empty()
                || !self.known_vrfs.contains(gateway.vrf)
            {
                continue;
            }
            let elsewhere = self.index.anywhere(network).flat_map(|(_, places)| places).copied();
            let elsewhere = elsewhere.filter(|place| {
                let prefix = &self.netbox.prefixes[*place];
                prefix.status == ACTIVE
                    && !self.gateways.contains_key(place)
                    && self.vrfs.contains(&prefix.vrf)
            });
            // Of several it is not known which one it should be.
            if let [place] = elsewhere.collect::<Vec<_>>()[..] {
                let moved = self
                    .moved
                    .entry(place)
                    .or_insert_with(|| (gateway.vrf.clone(), BTreeSet::new()));
                moved.1.insert(&gateway.leaf.name);
                self.moved_to.insert((gateway.vrf.clone(), network));
            }
        }
    }

    /// The first box that has an address itself.
    pub(super) fn owner(&self, vrf: &Vrf, address: IpAddr) -> Option<&'a Leaf> {
        let own = (vrf.clone(), address);
        self.fabric.boxes.iter().find(|leaf| leaf.own.contains(&own))
    }

    /// Whether a prefix only holds others.
    pub(super) fn is_container(&self, place: usize) -> bool {
        self.netbox.prefixes[place].status == crate::audit::model::CONTAINER
    }

    /// Whether the audited boxes would know of what lies there.
    pub(super) fn sight(&self, sites: &Sites) -> Sight {
        match sites {
            Sites::Anywhere => Sight::In,
            Sites::At(sites) if sites.iter().any(|site| self.sites.contains(site)) => Sight::In,
            // A box whose site is not known may be there.
            Sites::At(_) if !self.is_any_lost => Sight::Out,
            Sites::At(_) | Sites::Unknown => Sight::Unknown,
        }
    }

    /// Whether the audited boxes would know of a prefix: it lies where NetBox says, or else where its VLAN does.
    pub(super) fn sight_of(&self, prefix: &Prefix) -> Sight {
        let of_vlan = || self.vlan(prefix).map(|vlan| &vlan.sites);
        match &prefix.sites {
            Sites::Anywhere => self.sight(of_vlan().unwrap_or(&Sites::Anywhere)),
            sites => self.sight(sites),
        }
    }

    /// Boxes of a site.
    pub(super) fn at<'b>(&'b self, site: &'b Site) -> impl Iterator<Item = &'a Leaf> + 'b {
        self.fabric.boxes.iter().filter(move |leaf| leaf.site.as_ref() == Some(site))
    }

    /// Sites of audited boxes.
    pub(super) const fn sites(&self) -> &BTreeSet<Site> {
        &self.sites
    }

    /// The VLAN of a prefix.
    pub(super) fn vlan(&self, prefix: &Prefix) -> Option<&'a Vlan> {
        prefix.vlan.map(|place| &self.netbox.vlans[place])
    }

    /// The VNI that NetBox says of a VLAN.
    pub(super) fn vni(&self, vlan: usize) -> Option<u32> {
        let l2vpn = &self.netbox.l2vpns[self.netbox.vlans[vlan].l2vpn?];
        l2vpn.identifier.filter(|_| l2vpn.is_vxlan)
    }

    /// Places of the VLANs of NetBox that a network is: by the prefixes of its gateways, else by its VLAN ID, else by its
    /// VNI.
    pub(super) fn vlans_of(&self, network: &Network) -> &BTreeSet<usize> {
        &self.ties[network.number]
    }

    fn tie(&self, leaf: &Leaf, network: &Network) -> BTreeSet<usize> {
        let by_gateways = self.vlans_by_gateways(network);
        if !by_gateways.is_empty() {
            return by_gateways;
        }
        let by_vid = self.vlan_by_vid(leaf, network);
        by_vid.map_or_else(|| self.vlans_by_vni(leaf, network), |vlan| [vlan].into())
    }

    pub(super) fn vlans_by_gateways(&self, network: &Network) -> BTreeSet<usize> {
        let vrf = network.vrf.as_ref();
        let prefixes = network
            .gateways
            .iter()
            .filter_map(|gateway| self.index.around(self.netbox, vrf?, gateway.address));
        prefixes.filter_map(|place| self.netbox.prefixes[place].vlan).collect()
    }

    /// The one VLAN that has the network's VLAN ID at the box's site.
    pub(super) fn vlan_by_vid(&self, leaf: &Leaf, network: &Network) -> Option<usize> {
        let [vid] = network.vids.iter().collect::<Vec<_>>()[..] else { return None };
        let all = self.by_vid.get(vid).into_iter().flatten();
        let found = all.map(|place| (*place, &self.netbox.vlans[*place]));
        let found = found.filter(|(_, vlan)| self.may_be_at(vlan, leaf));
        let found: Vec<(usize, &Vlan)> = found.collect();
        // One that is at this very site is nearer than one that is anywhere.
        let here = found.iter().filter(|(_, vlan)| vlan.sites.named().next().is_some());
        match (&found[..], &here.collect::<Vec<_>>()[..]) {
            ([(one, _)], _) | (_, [(one, _)]) => Some(*one),
            _ => None,
        }
    }

    fn vlans_by_vni(&self, leaf: &Leaf, network: &Network) -> BTreeSet<usize> {
        let vlans =
            network.vni.and_then(|vni| self.by_vni.get(&vni)).into_iter().flatten().copied();
        vlans.filter(|vlan| self.may_be_at(&self.netbox.vlans[*vlan], leaf)).collect()
    }

    /// Whether a VLAN may be on a box.
    pub(super) fn may_be_at(&self, vlan: &Vlan, leaf: &Leaf) -> bool {
        match (&vlan.sites, &leaf.site) {
            (Sites::At(sites), Some(site)) => sites.contains(site),
            _ => true,
        }
    }
}
