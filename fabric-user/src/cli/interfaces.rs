//! The network interfaces of a namespace, with the XDP programs on them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;

use crate::{
    kernel::running::XdpState,
    netlink::{Client, Family, NetlinkError, rtnetlink},
    observe::{Event, Link, LinkKind, decode},
};

/// How often a list is asked for that changes meanwhile.
const ATTEMPTS: u32 = 16;

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

/// Of a list that never stays as it is, what any attempt has told: the kernel passes over an interface only if
/// another one goes.
fn dump() -> Result<BTreeMap<u32, Interface>, NetlinkError> {
    let mut client = Client::open(Family::Route)?;
    let mut interfaces = BTreeMap::new();
    for _ in 0..ATTEMPTS {
        let mut found = BTreeMap::new();
        let consistent = client.ask(rtnetlink::all_links(), |message| {
            if let Ok(Some(Event::Link(link))) = decode(message.kind, 0, message.body) {
                let xdp = attached(message.body);
                found.insert(link.ifindex, Interface { xdp, link });
            }
        })?;
        if consistent {
            return Ok(found);
        }
        interfaces.append(&mut found);
    }
    Ok(interfaces)
}

/// The program of a link message.
fn attached(message: &[u8]) -> Option<Attached> {
    let xdp = XdpState::read(message);
    let mode = match xdp.attached? {
        1 => Mode::Native,
        2 => Mode::Generic,
        3 => Mode::Offloaded,
        4 => Mode::Several,
        _ => return None,
    };
    Some(Attached { mode, program: xdp.program.unwrap_or_default() })
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
