//! The network interfaces of a namespace, with the XDP programs on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use anyhow::Context as _;

use crate::{
    kernel::running::XdpState,
    netlink::{Client, Family, NetlinkError, rtnetlink},
    observe::{Event, Link, LinkKind, Prefix, decode, interface_address},
};

/// How often a list is asked for that changes meanwhile.
const ATTEMPTS: u32 = 16;

/// How a program is attached (`XDP_ATTACHED_*` of `linux/if_link.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Native,
    Generic,
    Offloaded,
    /// More than one at once.
    Several,
}

impl Mode {
    pub(crate) const fn name(self) -> &'static str {
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
pub(crate) struct Attached {
    pub(crate) mode: Mode,
    /// ID of the program; 0 with [`Mode::Several`].
    pub(crate) program: u32,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) link: Link,
    pub(crate) xdp: Option<Attached>,
}

/// The interfaces of a namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interfaces {
    /// Name of the namespace, if it is not the one that we are in.
    pub(crate) namespace: Option<String>,
    by_index: BTreeMap<u32, Interface>,
    /// Addresses by interface index, in the kernel's order.
    addresses: Vec<(u32, Prefix)>,
}

impl Interfaces {
    /// Lists the interfaces of the present network namespace.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn list() -> anyhow::Result<Self> {
        let by_index = dump().context("cannot list the network interfaces")?;
        let addresses = addresses().context("cannot list the addresses of interfaces")?;
        Ok(Self { namespace: None, by_index, addresses })
    }

    /// Those of a recording, without programs and addresses.
    pub(crate) fn of<'a>(links: impl Iterator<Item = &'a Link>) -> Self {
        let interface = |link: &Link| (link.ifindex, Interface { link: link.clone(), xdp: None });
        Self { by_index: links.map(interface).collect(), ..Self::default() }
    }

    /// The addresses of an interface that are good beyond its link.
    pub(crate) fn addresses(&self, ifindex: u32) -> impl Iterator<Item = &Prefix> {
        let here = move |(index, _): &&(u32, Prefix)| *index == ifindex;
        let global = |prefix: &&Prefix| match prefix.address {
            IpAddr::V4(address) => !address.is_link_local(),
            IpAddr::V6(address) => !address.is_unicast_link_local(),
        };
        self.addresses.iter().filter(here).map(|(_, prefix)| prefix).filter(global)
    }

    /// The name of the VRF that an interface is in, by itself or with its bond; nothing for the default one.
    pub(crate) fn vrf(&self, ifindex: u32) -> Option<String> {
        /// An interface, its bond, its bridge and their VRF: more the kernel does not have.
        const MOST: usize = 4;
        let masters =
            std::iter::successors(self.get(ifindex), |interface| self.get(interface.link.master?));
        let vrf = masters
            .skip(1)
            .take(MOST)
            .find(|master| matches!(master.link.kind, LinkKind::Vrf { .. }));
        vrf.map(|vrf| vrf.link.name.clone())
    }

    pub(crate) fn get(&self, ifindex: u32) -> Option<&Interface> {
        self.by_index.get(&ifindex)
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Interface> {
        self.by_index.values().find(|interface| interface.link.name == name)
    }

    /// The name of an interface, or its index where it has gone.
    pub(crate) fn name(&self, ifindex: u32) -> String {
        self.get(ifindex).map_or_else(|| format!("if{ifindex}"), |i| i.link.name.clone())
    }

    /// Interfaces that are members of a bridge which has a vxlan device, and that are none
    /// themselves.
    pub(crate) fn stretched_bridge_ports(&self) -> impl Iterator<Item = &Interface> {
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
impl Interfaces {
    /// Gives an interface an address.
    pub(crate) fn address(&mut self, ifindex: u32, prefix: Prefix) {
        self.addresses.push((ifindex, prefix));
    }

    pub(crate) fn insert(&mut self, interface: Interface) {
        self.by_index.insert(interface.link.ifindex, interface);
    }
}

#[cfg(test)]
impl FromIterator<Interface> for Interfaces {
    fn from_iter<T: IntoIterator<Item = Interface>>(interfaces: T) -> Self {
        let by_index = interfaces.into_iter().map(|i| (i.link.ifindex, i)).collect();
        Self { namespace: None, by_index, addresses: Vec::new() }
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

fn addresses() -> Result<Vec<(u32, Prefix)>, NetlinkError> {
    let mut client = Client::open(Family::Route)?;
    let mut addresses = Vec::new();
    for _ in 0..ATTEMPTS {
        addresses.clear();
        let consistent = client.ask(rtnetlink::all_addresses(), |message| {
            addresses.extend(interface_address(message.body));
        })?;
        if consistent {
            break;
        }
    }
    Ok(addresses)
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
pub(crate) mod tests {
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

    #[test]
    fn addresses_are_told_apart_by_interface_and_those_of_the_link_are_left_out() {
        let prefix = |text: &str| Prefix { address: text.parse().unwrap(), length: 24 };
        let given = [(3, "10.2.0.1"), (4, "10.3.0.1"), (3, "fe80::1"), (3, "2001:db8::1")];
        let addresses = given.map(|(index, text)| (index, prefix(text))).into();
        let interfaces = Interfaces { addresses, ..Interfaces::default() };
        let found: Vec<String> = interfaces.addresses(3).map(|it| it.to_string()).collect();
        assert_eq!(found, ["10.2.0.1/24", "2001:db8::1/24"]);
        assert_eq!(interfaces.addresses(5).count(), 0);
    }
}
