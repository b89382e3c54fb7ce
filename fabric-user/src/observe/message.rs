//! From a datagram's messages to events.

use super::{
    Event, address::BRIDGE, bridge_port, classifiers, fdb, ifaddr, link, neighbour, netconf,
    nexthop, route, rule, vlan_state,
};

pub(super) const RTM_NEWLINK: u16 = 16;
pub(super) const RTM_DELLINK: u16 = 17;
pub(super) const RTM_GETLINK: u16 = 18;
pub(super) const RTM_NEWADDR: u16 = 20;
pub(super) const RTM_DELADDR: u16 = 21;
pub(super) const RTM_NEWROUTE: u16 = 24;
pub(super) const RTM_DELROUTE: u16 = 25;
pub(super) const RTM_GETROUTE: u16 = 26;
pub(super) const RTM_NEWNEIGH: u16 = 28;
pub(super) const RTM_DELNEIGH: u16 = 29;
pub(super) const RTM_GETNEIGH: u16 = 30;
pub(super) const RTM_NEWRULE: u16 = 32;
pub(super) const RTM_DELRULE: u16 = 33;
pub(super) const RTM_GETRULE: u16 = 34;
pub(super) const RTM_NEWQDISC: u16 = 36;
pub(super) const RTM_DELQDISC: u16 = 37;
pub(super) const RTM_GETQDISC: u16 = 38;
pub(super) const RTM_NEWTFILTER: u16 = 44;
pub(super) const RTM_DELTFILTER: u16 = 45;
pub(super) const RTM_GETTFILTER: u16 = 46;
pub(super) const RTM_NEWNETCONF: u16 = 80;
pub(super) const RTM_DELNETCONF: u16 = 81;
pub(super) const RTM_GETNETCONF: u16 = 82;
pub(super) const RTM_NEWNEXTHOP: u16 = 104;
pub(super) const RTM_DELNEXTHOP: u16 = 105;
pub(super) const RTM_GETNEXTHOP: u16 = 106;
pub(super) const RTM_NEWVLAN: u16 = 112;
pub(super) const RTM_DELVLAN: u16 = 113;
pub(super) const RTM_GETVLAN: u16 = 114;

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
        _ => Ok(None),
    };
    decoded.map_err(|what| DecodeError { kind, what: what.0 })
}

/// What a message lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lacks(pub(super) &'static str);

/// What an object's decoder returns.
pub(super) type Decoded = Result<Option<Event>, Lacks>;
