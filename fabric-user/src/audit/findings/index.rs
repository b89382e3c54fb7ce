//! NetBox's prefixes by VRF and address.

use std::net::IpAddr;

use crate::{
    audit::{
        model::{CONTAINER, Prefix, Records, Vrf},
        networks::{network, width},
    },
    hashed::HashMap,
    observe::Prefix as Network,
};

/// Places of prefixes in [`Records::prefixes`].
#[derive(Debug, Default)]
pub(super) struct Index {
    vrfs: HashMap<Vrf, HashMap<Network, Vec<usize>>>,
}

impl Index {
    pub(super) fn of(prefixes: &[Prefix]) -> Self {
        let mut index = Self::default();
        for (place, prefix) in prefixes.iter().enumerate() {
            let vrf = index.vrfs.entry(prefix.vrf.clone()).or_default();
            vrf.entry(prefix.network).or_default().push(place);
        }
        index
    }

    /// Those of exactly this network.
    pub(super) fn exact(&self, vrf: &Vrf, network: Network) -> &[usize] {
        self.vrfs.get(vrf).and_then(|vrf| vrf.get(&network)).map_or(&[], Vec::as_slice)
    }

    /// VRFs with this network, and those of each.
    pub(super) fn anywhere(&self, network: Network) -> impl Iterator<Item = (&Vrf, &[usize])> {
        self.vrfs
            .iter()
            .filter_map(move |(vrf, networks)| Some((vrf, networks.get(&network)?.as_slice())))
    }

    /// The longest prefix of a VRF around an address that is no container.
    pub(super) fn around(&self, netbox: &Records, vrf: &Vrf, address: IpAddr) -> Option<usize> {
        self.longest(netbox, vrf, address, width(address))
    }

    /// The same of no more than so many bits.
    pub(super) fn longest(
        &self,
        netbox: &Records,
        vrf: &Vrf,
        address: IpAddr,
        bits: u8,
    ) -> Option<usize> {
        let networks = self.vrfs.get(vrf)?;
        (0..=bits).rev().find_map(|length| {
            let places = networks.get(&network(address, length))?;
            places.iter().copied().find(|place| netbox.prefixes[*place].status != CONTAINER)
        })
    }

    /// VRFs that prefixes are in.
    pub(super) fn vrfs(&self) -> impl Iterator<Item = &Vrf> {
        self.vrfs.keys()
    }
}
