//! vxlan devices whose sockets are in another VRF than what they are bound to.
//!
//! In which VRF a device sends and hears the kernel decides when it comes up (`__vxlan_sock_add` of
//! `drivers/net/vxlan/vxlan_core.c`). It decides no other way when the device is given another `dev` later, or when
//! that moves; and it tells nobody. So whatever moves while the device is up takes its socket's VRF out of sight until
//! it comes up anew.

use std::collections::{BTreeMap, BTreeSet};

use super::Network;
use crate::{
    model::compile_tunnels::vrf_below,
    observe::{Link, LinkKind},
};

/// The VRF below each vxlan device that is up, by interface index.
pub(super) type Below = BTreeMap<u32, Option<u32>>;

impl Network {
    /// Whether a vxlan device came up when what it is bound to was in another VRF than now, or in none.
    pub(in crate::model) fn has_strayed(&self, vxlan: u32) -> bool {
        self.strayed.contains(&vxlan)
    }

    /// The devices of which that is known ([`Self::has_strayed`]), by interface index.
    pub const fn strayed(&self) -> &BTreeSet<u32> {
        &self.strayed
    }

    /// Takes over what another model of the same network knows of them.
    pub fn set_strayed(&mut self, strayed: BTreeSet<u32>) {
        self.strayed = strayed;
    }

    /// The VRFs below vxlan devices, if what is known of an interface now may change one.
    pub(super) fn before_moves(&self, link: &Link) -> Option<Below> {
        let old = self.links.get(&link.ifindex)?;
        let moves = old.master != link.master || bound_to(old) != bound_to(link);
        moves.then(|| self.below())
    }

    /// An interface is as it is now.
    pub(super) fn after_moves(&mut self, before: Option<Below>, ifindex: u32) {
        if !self.links.get(&ifindex).is_some_and(|link| link.up) {
            self.strayed.remove(&ifindex);
        }
        if let Some(before) = before {
            self.stray(&before);
        }
    }

    /// Takes over what is known of the devices of an older model of the same network.
    pub fn inherit(&mut self, older: &Self) {
        let is_up = |vxlan: &u32| self.links.get(vxlan).is_some_and(|link| link.up);
        let strayed: Vec<u32> = older.strayed.iter().copied().filter(is_up).collect();
        self.strayed.extend(strayed);
        self.stray(&older.below());
    }

    fn stray(&mut self, before: &Below) {
        let now = self.below();
        let moved = |vxlan: &u32| now.get(vxlan).is_some_and(|vrf| *vrf != before[vxlan]);
        self.strayed.extend(before.keys().copied().filter(moved));
    }

    fn below(&self) -> Below {
        let vxlans = self.links.values().filter(|link| link.up);
        let below = vxlans.filter_map(|link| match &link.kind {
            LinkKind::Vxlan(vxlan) => {
                Some((link.ifindex, vrf_below(self, vxlan).map(|vrf| vrf.ifindex)))
            }
            _ => None,
        });
        below.collect()
    }
}

const fn bound_to(link: &Link) -> Option<u32> {
    match &link.kind {
        LinkKind::Vxlan(vxlan) => vxlan.bound_to,
        _ => None,
    }
}
