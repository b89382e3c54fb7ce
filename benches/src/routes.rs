//! Routes through netlink, as zebra writes them: by the ID of a nexthop object.

use std::net::IpAddr;

use anyhow::Result;

use fabric_user::netlink::{
    NLM_F_CREATE, NLM_F_REPLACE, Request,
    rtnetlink::{INET, INET6, RTM_DELROUTE, RTM_GETROUTE, RTM_NEWROUTE},
};

use crate::netlink::{Requests, count};

const RTA_DST: u16 = 1;
const RTA_PRIORITY: u16 = 6;
const RTA_NH_ID: u16 = 30;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_BGP: u8 = 186;
const RTN_UNICAST: u8 = 1;
/// Metric that zebra gives its routes.
const PRIORITY: u32 = 20;

/// A writer of routes.
#[derive(Debug)]
pub struct Routes {
    /// What is to be sent.
    pub requests: Requests,
}

impl Routes {
    /// Opens a socket in the present network namespace.
    ///
    /// # Errors
    /// If the system has none.
    pub fn open() -> Result<Self> {
        Requests::open("routes").map(|requests| Self { requests })
    }

    /// Adds a route to a prefix, or lets it lead elsewhere.
    ///
    /// # Errors
    /// If the kernel does not take what was written so far.
    pub fn replace(&mut self, prefix: (IpAddr, u8), nexthop: u32) -> Result<()> {
        let request = about(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, prefix);
        self.requests.add(request.attribute(RTA_NH_ID, &nexthop.to_ne_bytes()))
    }

    /// Removes the route to a prefix.
    ///
    /// # Errors
    /// As [`Self::replace`].
    pub fn remove(&mut self, prefix: (IpAddr, u8)) -> Result<()> {
        self.requests.add(about(RTM_DELROUTE, 0, prefix))
    }

    /// Reads all routes as fabric-xdpd does, and throws them away: how many there are.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn count() -> Result<usize> {
        let list = |family| Request::dump(RTM_GETROUTE, &[family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        Ok(count(list(INET), RTM_NEWROUTE)? + count(list(INET6), RTM_NEWROUTE)?)
    }
}
fn about(kind: u16, flags: u16, (address, length): (IpAddr, u8)) -> Request {
    let family = if address.is_ipv6() { INET6 } else { INET };
    let [table, protocol, scope] = [RT_TABLE_MAIN, RTPROT_BGP, 0];
    let head = [family, length, 0, 0, table, protocol, scope, RTN_UNICAST, 0, 0, 0, 0];
    let request = Request::new(kind, flags, &head);
    let request = match address {
        IpAddr::V4(v4) => request.attribute(RTA_DST, &v4.octets()),
        IpAddr::V6(v6) => request.attribute(RTA_DST, &v6.octets()),
    };
    request.attribute(RTA_PRIORITY, &PRIORITY.to_ne_bytes())
}
