//! Lists of spelt-out next hops, each kept once however many routes have it.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use crate::{
    hashed::HashMap,
    model::{NexthopKey, compile_downstream::port_of, network::release},
    observe::Hop,
};

/// A list of next hops in [`HopLists`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::model) struct HopsId(u32);

/// What a list of next hops amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::model) enum HopsKind {
    /// Routers with their weights, ordered.
    Routers(Arc<[(NexthopKey, u16)]>),
    /// The link of an interface.
    OnLink(u32),
    /// Tunnels, labels, or several links without routers.
    Other,
}

#[derive(Clone, Debug)]
struct HopList {
    hops: Arc<[Hop]>,
    kind: HopsKind,
    /// Number of routes.
    uses: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct HopLists {
    ids: HashMap<Arc<[Hop]>, HopsId>,
    lists: Vec<Option<HopList>>,
    free: Vec<HopsId>,
    /// Other ends of the tunnels that next hops choose, and how many lists have each.
    ends: BTreeMap<IpAddr, u32>,
}

impl HopLists {
    /// The list's number; it is used once more from now on.
    pub(super) fn take(&mut self, hops: &[Hop]) -> HopsId {
        let mut sorted = hops.to_vec();
        // The kernel's order is that of configuration and means nothing.
        sorted.sort_unstable();
        if let Some(id) = self.ids.get(sorted.as_slice()).copied() {
            self.keep(id);
            return id;
        }
        let hops: Arc<[Hop]> = sorted.into();
        for end in ends(&hops) {
            *self.ends.entry(end).or_default() += 1;
        }
        let list = HopList { kind: kind(&hops), hops: hops.clone(), uses: 1 };
        let id = match self.free.pop() {
            Some(HopsId(index)) => {
                self.lists[index as usize] = Some(list);
                HopsId(index)
            }
            None => {
                self.lists.push(Some(list));
                HopsId(self.lists.len() as u32 - 1)
            }
        };
        self.ids.insert(hops, id);
        id
    }

    /// One use more.
    pub(super) fn keep(&mut self, id: HopsId) {
        if let Some(list) = self.get_mut(id) {
            list.uses += 1;
        }
    }

    /// One use less.
    pub(super) fn release(&mut self, id: HopsId) {
        let Some(list) = self.get_mut(id) else {
            return;
        };
        list.uses -= 1;
        if list.uses == 0 {
            let hops = list.hops.clone();
            self.ids.remove(&hops);
            for end in ends(&hops) {
                release(&mut self.ends, end);
            }
            self.lists[id.0 as usize] = None;
            self.free.push(id);
        }
    }

    /// Other ends of the tunnels that next hops choose.
    pub(super) const fn ends(&self) -> &BTreeMap<IpAddr, u32> {
        &self.ends
    }

    pub(super) fn hops(&self, id: HopsId) -> &[Hop] {
        self.get(id).map_or(&[], |list| &list.hops)
    }

    pub(super) fn kind(&self, id: HopsId) -> &HopsKind {
        self.get(id).map_or(&HopsKind::Other, |list| &list.kind)
    }

    fn get(&self, HopsId(index): HopsId) -> Option<&HopList> {
        self.lists.get(index as usize)?.as_ref()
    }

    fn get_mut(&mut self, HopsId(index): HopsId) -> Option<&mut HopList> {
        self.lists.get_mut(index as usize)?.as_mut()
    }
}

fn ends(hops: &[Hop]) -> impl Iterator<Item = IpAddr> {
    hops.iter().filter_map(|hop| hop.encap?.end())
}

fn kind(hops: &[Hop]) -> HopsKind {
    if let [Hop { ifindex, gateway: None, encap: None, .. }] = hops {
        return HopsKind::OnLink(*ifindex);
    }
    // What stands for tunnels is in no order with their interfaces.
    let mut routers: BTreeMap<NexthopKey, u16> = BTreeMap::new();
    for hop in hops {
        let (Some(gateway), Some(ifindex)) = (hop.gateway, port_of(hop.ifindex, hop.encap)) else {
            return HopsKind::Other;
        };
        let weight = routers.entry(NexthopKey { ifindex, gateway }).or_default();
        *weight = weight.saturating_add(hop.weight);
    }
    match routers.is_empty() {
        true => HopsKind::Other,
        false => HopsKind::Routers(routers.into_iter().collect()),
    }
}
