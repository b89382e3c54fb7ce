//! What a netlink socket is for: each family of messages has its own.

use super::{Event, decode, decode_netfilter, decode_xfrm};
use crate::netlink::{Family, Message};

/// A netlink family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Links, addresses, neighbours, routes, rules.
    Route,
    /// IPsec policies.
    Xfrm,
    /// Tables and chains of nftables.
    Netfilter,
}

impl Protocol {
    pub(super) const ALL: [Self; 3] = [Self::Route, Self::Xfrm, Self::Netfilter];

    /// Who is talked to.
    pub(super) const fn family(self) -> Family {
        match self {
            Self::Route => Family::Route,
            Self::Xfrm => Family::Xfrm,
            Self::Netfilter => Family::Netfilter,
        }
    }

    /// The multicast groups that say what changes.
    pub(super) const fn groups(self) -> &'static [u32] {
        match self {
            // `RTNLGRP_*` of `linux/rtnetlink.h`: link, neighbour, IPv4 route, IPv4 rule, IPv6 route,
            // IPv6 rule, IPv4 netconf, IPv6 netconf, nexthop, bridge VLAN, tunnel; traffic control, IPv4 and
            // IPv6 addresses.
            Self::Route => &[1, 3, 7, 8, 11, 19, 24, 25, 32, 33, 35, 4, 5, 9],
            // `XFRMNLGRP_*` of `linux/xfrm.h`: expire, policy. A policy whose time is up is only in the
            // first.
            Self::Xfrm => &[2, 4],
            // `NFNLGRP_NFTABLES` of `linux/netfilter/nfnetlink.h`.
            Self::Netfilter => &[7],
        }
    }

    /// The event that a message is, if it is one. What cannot be decoded is logged and skipped: asking
    /// again would bring the same bytes.
    pub(super) fn event(self, message: &Message<'_>) -> Option<Event> {
        let event = match self {
            Self::Route => decode(message.kind, message.flags, message.body),
            Self::Xfrm => decode_xfrm(message.kind, message.body),
            Self::Netfilter => decode_netfilter(message.kind, message.flags, message.body),
        };
        event.unwrap_or_else(|error| {
            tracing::warn!(%error, "skipped a netlink message");
            None
        })
    }
}
