//! From messages of rtnetlink to events.

use super::{
    Event, address::BRIDGE, bridge_port, classifiers, fdb, ifaddr, link, neighbour, netconf,
    nexthop, route, rule, vlan_state, vni_filter,
};
use crate::netlink::rtnetlink::{
    RTM_DELADDR, RTM_DELLINK, RTM_DELNEIGH, RTM_DELNETCONF, RTM_DELNEXTHOP, RTM_DELQDISC,
    RTM_DELROUTE, RTM_DELRULE, RTM_DELTFILTER, RTM_DELTUNNEL, RTM_DELVLAN, RTM_NEWADDR,
    RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWNETCONF, RTM_NEWNEXTHOP, RTM_NEWQDISC, RTM_NEWROUTE,
    RTM_NEWRULE, RTM_NEWTFILTER, RTM_NEWTUNNEL, RTM_NEWVLAN,
};

/// A message that does not say what its kind must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("netlink message of type {kind} lacks {what}; the kernel may be newer than Fabric knows")]
pub struct DecodeError {
    /// `RTM_*` number.
    pub kind: u16,
    /// What is missing.
    pub what: &'static str,
}

/// Decodes one message without its `nlmsghdr`, of which `kind` and `flags` are passed.
///
/// # Returns
/// `None` for a message about something that Fabric does not follow.
///
/// # Errors
/// If a message of a known type is cut off or lacks its key.
pub fn decode(kind: u16, flags: u16, message: &[u8]) -> Result<Option<Event>, DecodeError> {
    let bridge = message.first() == Some(&BRIDGE);
    let decoded = match kind {
        RTM_NEWLINK | RTM_DELLINK if bridge => bridge_port::decode(kind == RTM_NEWLINK, message),
        RTM_NEWLINK | RTM_DELLINK => link::decode(kind == RTM_NEWLINK, message),
        RTM_NEWNEIGH | RTM_DELNEIGH if bridge => fdb::decode(kind == RTM_NEWNEIGH, message),
        RTM_NEWNEIGH | RTM_DELNEIGH => neighbour::decode(kind == RTM_NEWNEIGH, message),
        RTM_NEWADDR | RTM_DELADDR => ifaddr::decode(message),
        RTM_NEWROUTE | RTM_DELROUTE => route::decode(kind == RTM_NEWROUTE, flags, message),
        RTM_NEWNEXTHOP | RTM_DELNEXTHOP => nexthop::decode(kind == RTM_NEWNEXTHOP, message),
        RTM_NEWRULE | RTM_DELRULE => rule::decode(kind == RTM_NEWRULE, message),
        RTM_NEWQDISC | RTM_DELQDISC => classifiers::decode_discipline(message),
        RTM_NEWTFILTER | RTM_DELTFILTER => classifiers::decode_filter(message),
        RTM_NEWNETCONF | RTM_DELNETCONF => netconf::decode(kind == RTM_NEWNETCONF, message),
        RTM_NEWVLAN | RTM_DELVLAN => vlan_state::decode(kind == RTM_NEWVLAN, message),
        RTM_NEWTUNNEL | RTM_DELTUNNEL => vni_filter::decode(kind == RTM_NEWTUNNEL, message),
        _ => Ok(None),
    };
    decoded.map_err(|what| DecodeError { kind, what: what.0 })
}

/// What a message lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lacks(pub(super) &'static str);

/// What an object's decoder returns.
pub(super) type Decoded = Result<Option<Event>, Lacks>;
