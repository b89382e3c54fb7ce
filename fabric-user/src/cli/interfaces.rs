//! The network interfaces of a namespace, with the XDP programs on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use anyhow::{Context as _, bail};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::observe::{
    Event, Link, LinkKind,
    attributes::{Attributes, header, u8_, u32_},
    decode,
};

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// Length of `nlmsghdr`.
const HEADER: usize = 16;
/// The kernel never sends more than 32 KiB at once.
const BUFFER: usize = 64 << 10;

/// How a program is attached (`XDP_ATTACHED_*` of `linux/if_link.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Native,
    Generic,
    Offloaded,
    /// More than one at once.
    Several,
}

impl Mode {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Offloaded => "offloaded",
            Self::Several => "several",
        }
    }
}

/// An XDP program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attached {
    pub(super) mode: Mode,
    /// ID of the program; 0 with [`Mode::Several`].
    pub(super) program: u32,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) link: Link,
    pub(super) xdp: Option<Attached>,
}

/// The interfaces of a namespace.
#[derive(Clone, Debug, Default)]
pub(super) struct Interfaces {
    /// Name of the namespace, if it is not the one that we are in.
    pub(super) namespace: Option<String>,
    by_index: BTreeMap<u32, Interface>,
}

impl Interfaces {
    /// Lists the interfaces of the present network namespace.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn list() -> anyhow::Result<Self> {
        let by_index = dump().context("cannot list the network interfaces")?;
        Ok(Self { namespace: None, by_index })
    }

    pub(super) fn get(&self, ifindex: u32) -> Option<&Interface> {
        self.by_index.get(&ifindex)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Interface> {
        self.by_index.values().find(|interface| interface.link.name == name)
    }

    /// The name of an interface, or its index where it has gone.
    pub(super) fn name(&self, ifindex: u32) -> String {
        self.get(ifindex).map_or_else(|| format!("if{ifindex}"), |i| i.link.name.clone())
    }

    /// Interfaces that are members of a bridge which has a vxlan device, and that are none
    /// themselves.
    pub(super) fn stretched_bridge_ports(&self) -> impl Iterator<Item = &Interface> {
        let is_vxlan = |interface: &Interface| matches!(interface.link.kind, LinkKind::Vxlan(_));
        let tunnels = self.by_index.values().filter(move |interface| is_vxlan(interface));
        let stretched: BTreeSet<u32> = tunnels.filter_map(|tunnel| tunnel.link.master).collect();
        self.by_index.values().filter(move |interface| {
            let master = interface.link.master;
            !is_vxlan(interface) && master.is_some_and(|master| stretched.contains(&master))
        })
    }
}

#[cfg(test)]
impl FromIterator<Interface> for Interfaces {
    fn from_iter<T: IntoIterator<Item = Interface>>(interfaces: T) -> Self {
        let by_index = interfaces.into_iter().map(|i| (i.link.ifindex, i)).collect();
        Self { namespace: None, by_index }
    }
}

fn dump() -> anyhow::Result<BTreeMap<u32, Interface>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    let mut request = [0_u8; HEADER + 16];
    request[..4].copy_from_slice(&((HEADER + 16) as u32).to_ne_bytes());
    request[4..6].copy_from_slice(&RTM_GETLINK.to_ne_bytes());
    request[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    socket.send_to(&request, &SocketAddr::new(0, 0), 0)?;
    let mut interfaces = BTreeMap::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = socket.recv(&mut &mut buffer[..], libc::MSG_TRUNC)?;
        let Some(mut datagram) = buffer.get(..length) else { bail!("the answer is cut off") };
        while let Some((kind, body, rest)) = message(datagram) {
            match kind {
                NLMSG_DONE => return Ok(interfaces),
                NLMSG_ERROR => {
                    let code = u32_(body).unwrap_or_default().cast_signed();
                    return Err(io::Error::from_raw_os_error(code.saturating_neg()).into());
                }
                RTM_NEWLINK => {
                    if let Ok(Some(Event::Link(link))) = decode(kind, 0, body) {
                        interfaces.insert(link.ifindex, Interface { xdp: attached(body), link });
                    }
                }
                _ => {}
            }
            datagram = rest;
        }
    }
}

/// Type and body of the first message, and what follows it.
fn message(datagram: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32_(datagram)? as usize;
    let kind = u16::from_ne_bytes([*datagram.get(4)?, *datagram.get(5)?]);
    let rest = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, datagram.get(HEADER..length)?, rest))
}

/// `IFLA_XDP` of a link message.
fn attached(message: &[u8]) -> Option<Attached> {
    const IFLA_XDP: u16 = 43;
    const IFLA_XDP_ATTACHED: u16 = 2;
    const IFLA_XDP_PROG_ID: u16 = 4;
    let (_, mut attributes) = header::<16>(message)?;
    let (_, xdp) = attributes.find(|(kind, _)| *kind == IFLA_XDP)?;
    let (mut mode, mut program) = (None, 0);
    for (kind, payload) in Attributes(xdp) {
        match kind {
            IFLA_XDP_ATTACHED => {
                mode = match u8_(payload)? {
                    1 => Some(Mode::Native),
                    2 => Some(Mode::Generic),
                    3 => Some(Mode::Offloaded),
                    4 => Some(Mode::Several),
                    _ => None,
                }
            }
            IFLA_XDP_PROG_ID => program = u32_(payload)?,
            _ => {}
        }
    }
    Some(Attached { mode: mode?, program })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An interface that is up, with a native program.
    pub(in crate::cli) fn interface(ifindex: u32, name: &str, program: Option<u32>) -> Interface {
        let name = name.into();
        let link = Link { ifindex, name, mtu: 1500, up: true, carrier: true, ..Link::default() };
        Interface { link, xdp: program.map(|program| Attached { mode: Mode::Native, program }) }
    }

    fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as u16 + 4).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_native_program_is_read_from_a_link_message() {
        let xdp = [attribute(2, &[1]), attribute(4, &77_u32.to_ne_bytes())].concat();
        let message = [vec![0; 16], attribute(3, b"swp1\0"), attribute(43, &xdp)].concat();
        assert_eq!(attached(&message), Some(Attached { mode: Mode::Native, program: 77 }));
    }

    #[test]
    fn no_program_and_a_cut_off_message_are_none() {
        let message = [vec![0; 16], attribute(43, &attribute(2, &[0]))].concat();
        assert_eq!(attached(&message), None);
        assert_eq!(attached(&message[..20]), None);
    }

    #[test]
    fn the_loopback_interface_is_listed() {
        let interfaces = Interfaces::list().unwrap();
        assert!(interfaces.named("lo").is_some_and(|lo| lo.link.ifindex == 1 && lo.xdp.is_none()));
    }
}
