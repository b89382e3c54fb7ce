//! What only the daemon's threads know: they write it here, and a scrape reads it without holding them up.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::histogram::Histogram;
use crate::{daemon::state::State, observe::Event};

/// Things that happen to the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A port lost its carrier or was switched off.
    CarrierLoss,
    /// The settings were read anew.
    Reload,
    /// Somebody has ports used again.
    Attach,
    /// Somebody leaves ports, or everything, to the kernel.
    Detach,
    /// The maps or the view of the network were not what they should be: everything is read anew.
    Failure,
}

impl Happening {
    /// All, in the order of their numbers.
    pub(super) const ALL: [Self; 5] =
        [Self::CarrierLoss, Self::Reload, Self::Attach, Self::Detach, Self::Failure];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::CarrierLoss => "carrier_loss",
            Self::Reload => "settings_reload",
            Self::Attach => "attach",
            Self::Detach => "detach",
            Self::Failure => "failure",
        }
    }
}

/// What netlink messages are about, in the order of [`kind`].
pub(super) const KINDS: [&str; 16] = [
    "link",
    "bridge_port",
    "vlan",
    "vni_filter",
    "mac",
    "tunnel_mac",
    "neighbour",
    "route",
    "nexthop",
    "rule",
    "address",
    "xdp_features",
    "classifiers",
    "netconf",
    "ipsec",
    "netfilter",
];

/// What an event is about, by its place in [`KINDS`].
const fn kind(event: &Event) -> usize {
    match event {
        Event::Link(_) | Event::LinkGone { .. } => 0,
        Event::BridgePort(_) | Event::BridgePortGone { .. } => 1,
        Event::BridgeVlans { .. } | Event::VlanStates(_) => 2,
        Event::VniFilter(_) | Event::VniFilterGone(_) => 3,
        Event::BridgeMac(_)
        | Event::BridgeMacGone { .. }
        | Event::OwnMac { .. }
        | Event::OwnMacGone { .. } => 4,
        Event::TunnelMac(_) | Event::TunnelMacGone(_) => 5,
        Event::Neighbour(_) | Event::NeighbourGone { .. } => 6,
        Event::Route(_)
        | Event::RouteAppended(_)
        | Event::RoutePrepended(_)
        | Event::RouteGone(_)
        | Event::Learned(_) => 7,
        Event::Nexthop(_) | Event::NexthopGone { .. } => 8,
        Event::Rule(_) | Event::RuleGone(_) => 9,
        Event::AddressChanged { .. } => 10,
        Event::XdpFeatures { .. } | Event::XdpFeaturesGone { .. } | Event::VethPeer { .. } => 11,
        Event::ClassifiersChanged | Event::Classifiers(_) => 12,
        Event::Netconf(_) | Event::NetconfGone { .. } => 13,
        Event::IpsecPolicy(_)
        | Event::IpsecPolicyGone { .. }
        | Event::IpsecPoliciesGone { .. }
        | Event::IpsecDefaults(_) => 14,
        Event::Chain(_) | Event::DormantTable { .. } | Event::NetfilterChanged => 15,
    }
}

/// Counters and the daemon's last word.
#[derive(Debug, Default)]
pub struct Board {
    /// Time from the reading of a netlink message to the last store that it led to.
    pub apply: Histogram,
    /// Time from the reading of a link event to the store that takes the port for dead.
    pub failover: Histogram,
    messages: [AtomicU64; KINDS.len()],
    happenings: [AtomicU64; Happening::ALL.len()],
    moves_to_ports: AtomicU64,
    moves_to_vteps: AtomicU64,
    /// Milliseconds since 1970, 0 for never.
    full_round: AtomicU64,
    state: Mutex<Option<Arc<State>>>,
}

impl Board {
    /// Counts what a netlink message said.
    pub fn message(&self, event: &Event) {
        self.messages[kind(event)].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts something that happened.
    pub fn happened(&self, what: Happening) {
        self.happenings[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a MAC address that is elsewhere now, behind a VTEP or at a port of this box.
    pub fn moved(&self, to_vtep: bool) {
        let counter = if to_vtep { &self.moves_to_vteps } else { &self.moves_to_ports };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything was compared a moment ago.
    pub fn compared(&self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        self.full_round.store(since.as_millis() as u64, Ordering::Relaxed);
    }

    /// The daemon's word about itself.
    pub fn say(&self, state: &State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(state.clone()));
    }

    /// The last one, if there was any.
    pub(super) fn said(&self) -> Option<Arc<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Messages by what they are about.
    pub(super) fn messages(&self) -> impl Iterator<Item = (&'static str, u64)> {
        KINDS.into_iter().zip(self.messages.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// What happened how often.
    pub(super) fn happenings(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.happenings.iter().map(|count| count.load(Ordering::Relaxed));
        Happening::ALL.into_iter().map(Happening::name).zip(counts)
    }

    /// MAC addresses that moved, by where they are now.
    pub(super) fn moves(&self) -> [(&'static str, u64); 2] {
        [
            ("local", self.moves_to_ports.load(Ordering::Relaxed)),
            ("remote", self.moves_to_vteps.load(Ordering::Relaxed)),
        ]
    }

    /// Seconds since 1970 at which everything was last compared.
    pub(super) fn full_round(&self) -> Option<f64> {
        let at = self.full_round.load(Ordering::Relaxed);
        (at != 0).then_some(at as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_happenings_are_counted_by_name() {
        let board = Board::default();
        board.message(&Event::LinkGone { ifindex: 1 });
        board.message(&Event::NetfilterChanged);
        board.message(&Event::NetfilterChanged);
        let seen: Vec<_> = board.messages().filter(|(_, count)| *count > 0).collect();
        assert_eq!(seen, [("link", 1), ("netfilter", 2)]);
        for (number, what) in Happening::ALL.into_iter().enumerate() {
            assert_eq!(what as usize, number);
        }
        board.happened(Happening::Failure);
        let seen: Vec<_> = board.happenings().filter(|(_, count)| *count > 0).collect();
        assert_eq!(seen, [("failure", 1)]);
    }
}
