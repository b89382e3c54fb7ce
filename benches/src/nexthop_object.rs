//! Nexthop objects through netlink, as zebra writes them.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};
use fabric_user::netlink::{
    Client, Family, NLM_F_CREATE, NLM_F_REPLACE, Request,
    rtnetlink::{INET, RTM_NEWNEXTHOP},
};

const NHA_ID: u16 = 1;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
/// `RTPROT_ZEBRA`
const ZEBRA: u8 = 11;

/// A writer of nexthop objects.
#[derive(Debug)]
pub struct NexthopObjects(Client);

impl NexthopObjects {
    /// Opens a socket in the present network namespace.
    ///
    /// # Errors
    /// If the system has none.
    pub fn open() -> Result<Self> {
        Ok(Self(Client::open(Family::Route)?))
    }

    /// Makes an object or replaces it in place; the kernel has done it when this returns.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn replace(&mut self, id: u32, gateway: Ipv4Addr, interface: u32) -> Result<()> {
        // `struct nhmsg`: family, scope, protocol, flags.
        let head = [INET, 0, ZEBRA, 0, 0, 0, 0, 0];
        let request = Request::new(RTM_NEWNEXTHOP, NLM_F_REPLACE | NLM_F_CREATE, &head)
            .attribute(NHA_ID, &id.to_ne_bytes())
            .attribute(NHA_OIF, &interface.to_ne_bytes())
            .attribute(NHA_GATEWAY, &gateway.octets());
        self.0.ask(request, |_| {}).context("the kernel takes no nexthop object")?;
        Ok(())
    }
}
