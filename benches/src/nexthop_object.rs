//! Nexthop objects through netlink, as zebra writes them.

use std::{io, net::Ipv4Addr};

use anyhow::{Context as _, Result, bail};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

const RTM_NEWNEXTHOP: u16 = 104;
/// `NLM_F_REQUEST`, `NLM_F_ACK`, `NLM_F_REPLACE` and `NLM_F_CREATE`.
const FLAGS: u16 = 1 | 4 | 0x100 | 0x400;
const NLMSG_ERROR: u16 = 2;
const NHA_ID: u16 = 1;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const AF_INET: u8 = 2;
/// `RTPROT_ZEBRA`
const ZEBRA: u8 = 11;

/// A writer of nexthop objects.
#[derive(Debug)]
pub struct NexthopObjects(Socket);

impl NexthopObjects {
    /// Opens a socket in the present network namespace.
    ///
    /// # Errors
    /// If the system has none.
    pub fn open() -> Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE).context("cannot open a netlink socket")?;
        socket.bind(&SocketAddr::new(0, 0)).context("cannot bind a netlink socket")?;
        Ok(Self(socket))
    }

    /// Makes an object or replaces it in place; the kernel has done it when this returns.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn replace(&self, id: u32, gateway: Ipv4Addr, interface: u32) -> Result<()> {
        let mut message = Vec::with_capacity(48);
        message.extend_from_slice(&48_u32.to_ne_bytes());
        message.extend_from_slice(&RTM_NEWNEXTHOP.to_ne_bytes());
        message.extend_from_slice(&FLAGS.to_ne_bytes());
        message.extend_from_slice(&[0; 8]);
        // `struct nhmsg`: family, scope, protocol, flags.
        message.extend_from_slice(&[AF_INET, 0, ZEBRA, 0, 0, 0, 0, 0]);
        let numbers = [
            (NHA_ID, id.to_ne_bytes()),
            (NHA_OIF, interface.to_ne_bytes()),
            (NHA_GATEWAY, gateway.octets()),
        ];
        for (kind, bytes) in numbers {
            message.extend_from_slice(&8_u16.to_ne_bytes());
            message.extend_from_slice(&kind.to_ne_bytes());
            message.extend_from_slice(&bytes);
        }
        self.0.send(&message, 0).context("the kernel takes no nexthop object")?;
        let mut answer = [0; 256];
        let length = self.0.recv(&mut &mut answer[..], 0).context("the kernel does not answer")?;
        let code = answer.get(..length).and_then(|answer| answer.get(16..20)?.first_chunk());
        let kind = u16::from_ne_bytes([answer[4], answer[5]]);
        match code.copied().map(i32::from_ne_bytes) {
            Some(0) if kind == NLMSG_ERROR => Ok(()),
            Some(code) if kind == NLMSG_ERROR => Err(io::Error::from_raw_os_error(-code))
                .context("the kernel refuses a nexthop object"),
            _ => bail!("the kernel answers something else about a nexthop object"),
        }
    }
}
