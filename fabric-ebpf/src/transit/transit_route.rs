//! Arrives: a packet that may be forwarded. Leaves: the group or neighbour that its destination is
//! behind.
//!
//! Host routes and neighbours are looked up first, prefixes afterwards. Where a route leads into another
//! VRF, its view is looked up in the same way (`vrf_process_v4_outbound`, `vrf_process_v6_outbound`).
//! Passes what is for the box itself and what the kernel has to answer; drops what a blackhole route
//! discards.

use core::{cell::Cell, hint::cold_path};

use fabric_common::{
    reason::Reason,
    schema::{
        hosts, hosts6, ports,
        routes::{
            self, KIND_GROUP, KIND_KERNEL, KIND_LOCAL, KIND_NEXTHOP, KIND_VIEW, split_target,
        },
        settings::Settings,
    },
    trie,
};

use super::host::Moment;
use crate::{
    journey::{Journey, Way},
    maps::{self, limits},
    table::{self, Miss},
};

#[inline(always)]
pub fn ipv4(journey: &Journey, destination: u32) -> Result<Way, Reason> {
    let view = u32::from(ports::view(journey.router.mac_and_view));
    way(target4(view, destination), |view| look_up4(view, destination))
}

#[inline(always)]
pub fn ipv6(journey: &Journey, destination: [u64; 2]) -> Result<Way, Reason> {
    let view = u32::from(ports::view(journey.router.mac_and_view));
    let [upper, lower] = destination;
    way(target6(view, destination), |view| look_up6(view, upper, lower))
}

/// What a target means; `look_up` gives that of the same address in another view.
#[inline(always)]
fn way(target: u32, look_up: impl FnOnce(u32) -> u64) -> Result<Way, Reason> {
    let (kind, index) = match split_target(target) {
        (KIND_VIEW, view) => {
            cold_path();
            split_target(look_up(view) as u32)
        }
        found => found,
    };
    match kind {
        KIND_GROUP => Ok(Way::Group(index)),
        KIND_NEXTHOP => Ok(Way::Neighbour(index)),
        other => Err(routes::refusal(other)),
    }
}

/// Whether the address is one of the box's own in this view, or may be while hosts move.
#[inline(always)]
pub fn is_local4(view: u32, address: u32) -> bool {
    let target = look_up4(view, address) as u32;
    split_target(target).0 == KIND_LOCAL || target == UNSURE
}

/// [`target4`] for what is hardly ever asked, as a global function like [`prefix4`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn look_up4(view: u32, address: u32) -> u64 {
    target4(view, address).into()
}

/// [`target6`] for what is hardly ever asked, as a global function like [`prefix6`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn look_up6(view: u32, upper: u64, lower: u64) -> u64 {
    target6(view, [upper, lower]).into()
}

/// The target while hosts move, so that only the kernel knows. No option around the target: the compiler would
/// look at what is not there, which the verifier refuses.
const UNSURE: u32 = routes::target(KIND_KERNEL, routes::LAST_INDEX);

/// The target of an address as it stands in the packet, or [`UNSURE`].
#[inline(always)]
fn target4(view: u32, address: u32) -> u32 {
    let key = hosts::key(view as u16, address);
    // SAFETY: no more than an address.
    let mask = |settings: *mut Settings| unsafe { &raw mut (*settings).hosts_mask };
    let moment = Moment::now();
    let loaded = match moment.find(&maps::HOSTS, mask, limits::hosts_mask(), key, ()) {
        Ok(found) => return found.target,
        Err(Miss::Gone) => return UNSURE,
        Err(Miss::Absent(loaded)) => loaded,
    };
    let target = prefix4(view, address);
    if moment.holds(loaded | target) { target as u32 } else { UNSURE }
}

/// The target of an address whose halves are as they stand in the packet, see [`target4`].
#[inline(always)]
fn target6(view: u32, address: [u64; 2]) -> u32 {
    let (key, rest) = (hosts6::key(view as u16, address), hosts6::rest(view as u16, address));
    // SAFETY: no more than an address.
    let mask = |settings: *mut Settings| unsafe { &raw mut (*settings).hosts6_mask };
    let moment = Moment::now();
    let found = match key {
        0 => Err(Miss::Absent(0)),
        _ => moment.find(&maps::HOSTS6, mask, limits::hosts6_mask(), key, rest),
    };
    let loaded = match found {
        Ok(found) => return found.target,
        Err(Miss::Gone) => return UNSURE,
        Err(Miss::Absent(loaded)) => loaded,
    };
    let target = prefix6(view, address[0], address[1]);
    if moment.holds(loaded | target) { target as u32 } else { UNSURE }
}

/// The target of the longest prefix of an address as it stands in the packet, 0 if there is none; a number
/// that depends on all that was loaded for it, see [`table::after`].
///
/// A global function (`BTF_FUNC_GLOBAL` of `Documentation/bpf/btf.rst`): the verifier follows it once, for
/// any arguments, and not again from each place that routes. So it takes and gives nothing but numbers.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn prefix4(view: u32, address: u32) -> u64 {
    let root = maps::VIEWS.get(view).root4;
    let trie = Trie::from(root);
    trie.answer(trie::lookup4(&trie, root, u32::from_be(address)))
}

/// As [`prefix4`], for an address whose halves are as they stand in the packet.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn prefix6(view: u32, upper: u64, lower: u64) -> u64 {
    let root = maps::VIEWS.get(view).root6;
    let trie = Trie::from(root);
    trie.answer(trie::lookup6(&trie, root, [u64::from_be(upper), u64::from_be(lower)]))
}

/// The words of the map.
struct Trie {
    /// The last one that was loaded, from an address that depends on those before.
    loaded: Cell<u64>,
}

impl Trie {
    /// The trie of a root, which was loaded, too.
    #[inline(always)]
    fn from(root: u32) -> Self {
        Self { loaded: Cell::new(root.into()) }
    }

    #[inline(always)]
    fn answer(&self, target: Option<u32>) -> u64 {
        u64::from(target.unwrap_or(0)) + table::zero(self.loaded.get())
    }
}

impl trie::Words for Trie {
    #[inline(always)]
    fn word(&self, index: u32) -> Option<u64> {
        let word = maps::TRIE.masked(index, limits::trie_mask());
        // SAFETY: an aligned word of the map, which the daemon may store to at this moment.
        let word = unsafe { (&raw const (*word).word).read_volatile() };
        self.loaded.set(word);
        Some(word)
    }
}
