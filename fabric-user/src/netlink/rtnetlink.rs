//! Numbers of rtnetlink (`linux/rtnetlink.h`), and questions about links.

use super::{
    attributes::{header, u32_},
    message::Message,
    request::Request,
};

macro_rules! types {
    ($($name:ident = $number:literal,)*) => {
        $(#[doc = concat!("`", stringify!($name), "`")]
        pub const $name: u16 = $number;)*
    };
}

types! {
    RTM_NEWLINK = 16,
    RTM_DELLINK = 17,
    RTM_GETLINK = 18,
    RTM_NEWADDR = 20,
    RTM_DELADDR = 21,
    RTM_GETADDR = 22,
    RTM_NEWROUTE = 24,
    RTM_DELROUTE = 25,
    RTM_GETROUTE = 26,
    RTM_NEWNEIGH = 28,
    RTM_DELNEIGH = 29,
    RTM_GETNEIGH = 30,
    RTM_NEWRULE = 32,
    RTM_DELRULE = 33,
    RTM_GETRULE = 34,
    RTM_NEWQDISC = 36,
    RTM_DELQDISC = 37,
    RTM_GETQDISC = 38,
    RTM_NEWTFILTER = 44,
    RTM_DELTFILTER = 45,
    RTM_GETTFILTER = 46,
    RTM_NEWNETCONF = 80,
    RTM_DELNETCONF = 81,
    RTM_GETNETCONF = 82,
    RTM_NEWNSID = 88,
    RTM_GETNSID = 90,
    RTM_NEWNEXTHOP = 104,
    RTM_DELNEXTHOP = 105,
    RTM_GETNEXTHOP = 106,
    RTM_NEWVLAN = 112,
    RTM_DELVLAN = 113,
    RTM_GETVLAN = 114,
    RTM_NEWTUNNEL = 120,
    RTM_DELTUNNEL = 121,
    RTM_GETTUNNEL = 122,
}

/// `RTNLGRP_LINK`: the multicast group that is told of links.
pub const LINKS: u32 = 1;

/// `AF_INET`
pub const INET: u8 = libc::AF_INET as u8;
/// `AF_INET6`
pub const INET6: u8 = libc::AF_INET6 as u8;
/// `AF_BRIDGE`
pub const BRIDGE: u8 = libc::AF_BRIDGE as u8;

/// Asks for one link.
#[must_use]
pub fn one_link(ifindex: u32) -> Request {
    let mut head = [0; 16];
    head[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    Request::new(RTM_GETLINK, 0, &head)
}

/// Lists all links.
#[must_use]
pub fn all_links() -> Request {
    Request::dump(RTM_GETLINK, &[0; 16])
}

/// Lists the addresses of all interfaces, of both families.
#[must_use]
pub fn all_addresses() -> Request {
    Request::dump(RTM_GETADDR, &[0; 8])
}

/// Switches a link on or off.
#[must_use]
pub fn switch_link(ifindex: u32, up: bool) -> Request {
    const IFF_UP: u32 = 1;
    let mut head = [0; 16];
    head[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    head[8..12].copy_from_slice(&u32::from(up).to_ne_bytes());
    // Which of the flags are meant.
    head[12..16].copy_from_slice(&IFF_UP.to_ne_bytes());
    Request::new(RTM_NEWLINK, 0, &head)
}

/// What the fixed header of a message about a link says (`struct ifinfomsg`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkHead {
    /// Interface index.
    pub ifindex: u32,
    /// `IFF_*`
    pub flags: u32,
    /// The link is gone.
    pub is_gone: bool,
}

/// Which link a message is about; none if it is about something else. Messages of bridges about their ports
/// have another family and say less.
#[must_use]
pub fn link_of(message: &Message<'_>) -> Option<LinkHead> {
    if !matches!(message.kind, RTM_NEWLINK | RTM_DELLINK) {
        return None;
    }
    let (head, _) = header::<16>(message.body)?;
    let (ifindex, flags) = (u32_(&head[4..])?, u32_(&head[8..])?);
    let is_gone = message.kind == RTM_DELLINK;
    (head[0] == 0).then_some(LinkHead { ifindex, flags, is_gone })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(family: u8) -> Vec<u8> {
        let mut body = vec![family, 0, 0, 0, 4, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0];
        body.extend([8, 0, 3, 0, b'l', b'o', 0, 0]);
        body
    }

    fn link(kind: u16, body: &[u8]) -> Option<LinkHead> {
        link_of(&Message { kind, flags: 0, sequence: 0, body })
    }

    #[test]
    fn a_bridges_message_about_its_port_says_nothing_about_the_link() {
        let head = LinkHead { ifindex: 4, flags: 0x1_0001, is_gone: false };
        assert_eq!(link(RTM_NEWLINK, &body(0)), Some(head));
        assert_eq!(link(RTM_DELLINK, &body(0)), Some(LinkHead { is_gone: true, ..head }));
        assert_eq!(link(RTM_DELLINK, &body(BRIDGE)), None);
        assert_eq!(link(RTM_NEWADDR, &body(0)), None);
    }

    #[test]
    fn a_message_that_is_cut_off_is_about_no_link() {
        for length in 0..16 {
            assert_eq!(link(RTM_NEWLINK, &body(0)[..length]), None, "of {length} bytes");
        }
    }
}
