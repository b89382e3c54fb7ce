//! Stations.

use fabric_common::schema::fdb;
use fabric_user::{
    model::{FdbKey, Macs, Target},
    observe,
};

use super::{CircuitId, DomainId, SegmentId, VtepId, World};
use crate::addresses::{Mac, Station};

impl World {
    /// Enters a MAC address behind a circuit. Its next frame passes, to show it to the kernel.
    pub fn learn(&mut self, domain: DomainId, mac: Mac, circuit: CircuitId) {
        self.set_mac(domain, mac, Some(Target::Local(self.circuit_key(circuit))));
        let interval = self.maps.domains.get(domain.0.into()).refresh_jiffies;
        self.set_shown(domain, mac, self.now().wrapping_sub(interval));
    }

    /// Enters a station behind a circuit as if it had just been shown to the kernel: its frames are
    /// forwarded.
    pub fn settle(&mut self, circuit: CircuitId, station: &Station) {
        let domain = DomainId(self.maps.circuits.get(circuit.0.into()).domain);
        self.learn(domain, station.mac, circuit);
        self.set_shown(domain, station.mac, self.now());
    }

    /// The jiffies at the last heartbeat, as the FDB keeps them.
    #[must_use]
    pub fn now(&self) -> u32 {
        let settings = self.maps.settings.get(0);
        (settings.deadline - u64::from(settings.timeout_jiffies)) as u32
    }

    /// Sets when an entry was last shown to the kernel, in jiffies, which the table leaves to the packet path;
    /// 0 for never.
    pub fn set_shown(&self, domain: DomainId, mac: Mac, jiffies: u32) {
        let key = fdb::key(domain.0, fdb::mac_number(mac));
        assert!(self.maps.fdb_table().table().show(key, jiffies), "{mac:?} is not in the FDB");
    }

    /// Enters a MAC address behind a VTEP.
    pub fn learn_remote(&mut self, domain: DomainId, mac: Mac, vtep: VtepId) {
        self.set_mac(domain, mac, Some(Target::Remote(self.vtep_key(vtep))));
    }

    /// Enters a MAC address behind an Ethernet segment.
    pub fn learn_segment(&mut self, domain: DomainId, mac: Mac, segment: SegmentId) {
        self.set_mac(domain, mac, Some(Target::Segment(self.segment_key(segment))));
    }

    /// Enters a MAC address of the box itself.
    pub fn learn_own(&mut self, domain: DomainId, mac: Mac) {
        self.set_mac(domain, mac, Some(Target::Own));
    }

    /// Forgets a MAC address.
    pub fn forget(&mut self, domain: DomainId, mac: Mac) {
        self.set_mac(domain, mac, None);
    }

    pub(super) fn set_mac(&mut self, domain: DomainId, mac: Mac, target: Option<Target>) {
        let key = FdbKey { domain: self.domain_key(domain), mac: observe::Mac(mac) };
        self.apply_entries(Vec::new(), Macs::Some(vec![(key, target)]));
    }
}
