//! Routes through netlink, as zebra writes them: by the ID of a nexthop object.

use std::net::IpAddr;

use anyhow::Result;

use crate::netlink::{NLM_F_CREATE, NLM_F_REPLACE, Requests};

const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_PRIORITY: u16 = 6;
const RTA_NH_ID: u16 = 30;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_BGP: u8 = 186;
const RTN_UNICAST: u8 = 1;
/// Metric that zebra gives its routes.
const PRIORITY: u32 = 20;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// A writer of routes.
#[derive(Debug)]
pub struct Routes(Requests);

impl Routes {
    /// Opens a socket in the present network namespace.
    ///
    /// # Errors
    /// If the system has none.
    pub fn open() -> Result<Self> {
        Requests::open("routes").map(Self)
    }

    /// Adds a route to a prefix, or lets it lead elsewhere.
    ///
    /// # Errors
    /// If the kernel does not take what was written so far.
    pub fn replace(&mut self, prefix: (IpAddr, u8), nexthop: u32) -> Result<()> {
        self.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, prefix);
        self.0.attribute(RTA_NH_ID, &nexthop.to_ne_bytes());
        self.0.end()
    }

    /// Removes the route to a prefix.
    ///
    /// # Errors
    /// As [`Self::replace`].
    pub fn remove(&mut self, prefix: (IpAddr, u8)) -> Result<()> {
        self.begin(RTM_DELROUTE, 0, prefix);
        self.0.end()
    }

    /// Reads all routes as fabric-xdpd does, and throws them away: how many there are.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn count(&mut self) -> Result<usize> {
        let mut count = 0;
        for family in [AF_INET, AF_INET6] {
            let body = [family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            count += self.0.count(RTM_GETROUTE, &body, RTM_NEWROUTE)?;
        }
        Ok(count)
    }

    fn begin(&mut self, kind: u16, flags: u16, (address, length): (IpAddr, u8)) {
        let family = if address.is_ipv6() { AF_INET6 } else { AF_INET };
        let [table, protocol, scope] = [RT_TABLE_MAIN, RTPROT_BGP, 0];
        let body = [family, length, 0, 0, table, protocol, scope, RTN_UNICAST, 0, 0, 0, 0];
        self.0.begin(kind, flags, &body);
        match address {
            IpAddr::V4(v4) => self.0.attribute(RTA_DST, &v4.octets()),
            IpAddr::V6(v6) => self.0.attribute(RTA_DST, &v6.octets()),
        }
        self.0.attribute(RTA_PRIORITY, &PRIORITY.to_ne_bytes());
    }

    /// Hands everything to the kernel and makes sure that it took it.
    ///
    /// # Errors
    /// With what the kernel refused first.
    pub fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }

    /// Hands everything to the kernel, which has done it when this returns. [`Self::acknowledged`]
    /// has to follow.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn send(&mut self) -> Result<()> {
        self.0.send()
    }

    /// Reads what the kernel says about everything that was sent.
    ///
    /// # Errors
    /// With what the kernel refused first.
    pub fn acknowledged(&self) -> Result<()> {
        self.0.acknowledged()
    }
}
