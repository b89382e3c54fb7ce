//! FDB entries through netlink, as zebra writes them.

use std::net::IpAddr;

use anyhow::Result;

use fabric_user::netlink::{
    NLM_F_CREATE, NLM_F_REPLACE, Request,
    rtnetlink::{BRIDGE, RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH},
};

use crate::netlink::{Requests, count};

const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// The device's own table, and the bridge's that it is a port of.
const NTF_SELF: u8 = 2;
const NTF_MASTER: u8 = 4;
const NTF_EXT_LEARNED: u8 = 0x10;
const NUD_REACHABLE: u16 = 2;
const NUD_NOARP: u16 = 0x40;

/// Where a MAC address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind a bridge port.
    Port(u32),
    /// Behind a VTEP, through a vxlan device that is a bridge port.
    Vtep {
        /// The vxlan device.
        vxlan: u32,
        /// The VTEP's address.
        address: IpAddr,
    },
}

/// A writer of FDB entries.
#[derive(Debug)]
pub struct Neighbours {
    /// What is to be sent.
    pub requests: Requests,
}

impl Neighbours {
    /// Opens a socket in the present network namespace.
    ///
    /// # Errors
    /// If the system has none.
    pub fn open() -> Result<Self> {
        Requests::open("FDB entries").map(|requests| Self { requests })
    }

    /// Adds a MAC address that does not age, or moves it.
    ///
    /// # Errors
    /// If the kernel does not take what was written so far.
    pub fn replace(&mut self, mac: [u8; 6], place: Place) -> Result<()> {
        self.queue(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, mac, place)
    }

    /// Removes a MAC address.
    ///
    /// # Errors
    /// As [`Self::replace`].
    pub fn remove(&mut self, mac: [u8; 6], place: Place) -> Result<()> {
        self.queue(RTM_DELNEIGH, 0, mac, place)
    }

    /// Reads all FDB entries as fabric-xdpd does, and throws them away: how many there are.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn count() -> Result<usize> {
        let list = Request::dump(RTM_GETNEIGH, &[BRIDGE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        count(list, RTM_NEWNEIGH)
    }

    fn queue(&mut self, kind: u16, flags: u16, mac: [u8; 6], place: Place) -> Result<()> {
        // As FRR 8.4 does for remote MACs, and as `bridge fdb add … master static` for local ones.
        let (ifindex, state, entry_flags) = match place {
            Place::Port(port) => (port, NUD_NOARP, NTF_MASTER),
            Place::Vtep { vxlan, .. } => {
                (vxlan, NUD_REACHABLE, NTF_SELF | NTF_MASTER | NTF_EXT_LEARNED)
            }
        };
        let [a, b, c, d] = ifindex.to_ne_bytes();
        let [e, f] = state.to_ne_bytes();
        let head = [BRIDGE, 0, 0, 0, a, b, c, d, e, f, entry_flags, 0];
        let request = Request::new(kind, flags, &head).attribute(NDA_LLADDR, &mac);
        self.requests.add(match place {
            Place::Vtep { address: IpAddr::V4(v4), .. } => request.attribute(NDA_DST, &v4.octets()),
            Place::Vtep { address: IpAddr::V6(v6), .. } => request.attribute(NDA_DST, &v6.octets()),
            Place::Port(_) => request,
        })
    }
}
