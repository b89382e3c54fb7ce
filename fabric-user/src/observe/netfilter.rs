//! Base chains of netfilter: where rules see packets that XDP comes before. Here those of nftables
//! (`NETLINK_NETFILTER`, `linux/netfilter/nf_tables.h`); iptables-legacy and its siblings tell nobody, see
//! [`crate::daemon`].

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Event,
    attributes::{Attributes, header, text, u32_be},
    message::{DecodeError, Decoded, Lacks},
};

/// A base chain: one that packets get into by a hook of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Chain {
    /// Whose rules these are.
    pub tool: Tool,
    /// Which packets it is for.
    pub family: ChainFamily,
    /// Name of its table.
    pub table: String,
    /// Its own name.
    pub name: String,
    /// Where packets get into it.
    pub hook: Hook,
    /// What its rules may do.
    pub kind: ChainKind,
    /// Names of the interfaces whose packets it is for, where the hook is one of interfaces; a `*` at the
    /// end stands for any rest.
    pub devices: Vec<String>,
    /// It has a rule, or drops what no rule decides about, or translates: without rules the kernel goes on
    /// with the flows that it has begun to translate. Otherwise it changes nothing.
    pub acts: bool,
}

/// By what rules are made that the kernel keeps apart from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// `nft`, and `iptables` and its relatives over nftables.
    Nftables,
    /// `iptables-legacy` and `ip6tables-legacy`.
    Iptables,
    /// `ebtables-legacy`.
    Ebtables,
    /// `arptables-legacy`.
    Arptables,
}

/// Packets that a chain is for (`NFPROTO_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainFamily {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Both.
    Inet,
    /// Frames that a bridge has.
    Bridge,
    /// Whatever interfaces receive or send.
    Netdev,
    /// ARP of the box itself.
    Arp,
}

/// Where packets get into a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// When an interface has received them.
    Ingress,
    /// Before an interface sends them.
    Egress,
    /// Before it is known where they go.
    Prerouting,
    /// On their way to this box.
    Input,
    /// On their way through it.
    Forward,
    /// On their way from it.
    Output,
    /// When it is known where they leave.
    Postrouting,
}

/// What rules of a chain may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainKind {
    /// Decide whether packets go on.
    Filter,
    /// Translate addresses.
    Nat,
    /// Have the kernel look for another route.
    Route,
}

/// `NFNL_SUBSYS_NFTABLES`, which is the upper byte of a message's type.
const SUBSYSTEM: u16 = 10 << 8;
const NFT_MSG_NEWTABLE: u16 = SUBSYSTEM;
pub(super) const NFT_MSG_GETTABLE: u16 = SUBSYSTEM + 1;
const NFT_MSG_NEWCHAIN: u16 = SUBSYSTEM + 3;
pub(super) const NFT_MSG_GETCHAIN: u16 = SUBSYSTEM + 4;
pub(super) const NFT_MSG_GETRULE: u16 = SUBSYSTEM + 7;
pub(super) const NFT_MSG_NEWGEN: u16 = SUBSYSTEM + 15;

/// It is part of an answer.
const NLM_F_MULTI: u16 = 2;

const NFPROTO_INET: u8 = 1;
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_ARP: u8 = 3;
const NFPROTO_NETDEV: u8 = 5;
const NFPROTO_BRIDGE: u8 = 7;
const NFPROTO_IPV6: u8 = 10;

/// Decodes one message of nftables without its `nlmsghdr`, of which `kind` and `flags` are passed.
///
/// Chains and tables are only taken from answers. Of what changes, which may be many rules and elements of
/// sets, the message counts that ends every transaction.
///
/// # Returns
/// `None` for a message about something that Fabric does not follow.
///
/// # Errors
/// If a message of a known type is cut off or lacks its key.
pub fn decode_netfilter(
    kind: u16,
    flags: u16,
    message: &[u8],
) -> Result<Option<Event>, DecodeError> {
    let is_answer = flags & NLM_F_MULTI != 0;
    let decoded = match kind {
        NFT_MSG_NEWTABLE if is_answer => table(message),
        NFT_MSG_NEWCHAIN if is_answer => chain(message),
        NFT_MSG_NEWGEN if !is_answer => Ok(Some(Event::NetfilterChanged)),
        _ => Ok(None),
    };
    decoded.map_err(|what| DecodeError { kind, what: what.0 })
}

/// The number of a family.
pub(super) const fn protocol(family: ChainFamily) -> u8 {
    match family {
        ChainFamily::Ip => NFPROTO_IPV4,
        ChainFamily::Ip6 => NFPROTO_IPV6,
        ChainFamily::Inet => NFPROTO_INET,
        ChainFamily::Bridge => NFPROTO_BRIDGE,
        ChainFamily::Netdev => NFPROTO_NETDEV,
        ChainFamily::Arp => NFPROTO_ARP,
    }
}

const fn family(number: u8) -> Option<ChainFamily> {
    match number {
        NFPROTO_IPV4 => Some(ChainFamily::Ip),
        NFPROTO_IPV6 => Some(ChainFamily::Ip6),
        NFPROTO_INET => Some(ChainFamily::Inet),
        NFPROTO_BRIDGE => Some(ChainFamily::Bridge),
        NFPROTO_NETDEV => Some(ChainFamily::Netdev),
        NFPROTO_ARP => Some(ChainFamily::Arp),
        _ => None,
    }
}

/// `nfgenmsg` (family, version, resource: 4 bytes) and attributes.
fn table(message: &[u8]) -> Decoded {
    const NFTA_TABLE_NAME: u16 = 1;
    const NFTA_TABLE_FLAGS: u16 = 2;
    const NFT_TABLE_F_DORMANT: u32 = 1;
    let (head, attributes) = header::<4>(message).ok_or(Lacks("its header"))?;
    let Some(family) = family(head[0]) else { return Ok(None) };
    let (mut name, mut flags) = (None, 0);
    for (kind, payload) in attributes {
        match kind {
            NFTA_TABLE_NAME => name = Some(text(payload)),
            NFTA_TABLE_FLAGS => flags = u32_be(payload).unwrap_or_default(),
            _ => {}
        }
    }
    let name = name.ok_or(Lacks("a name"))?;
    let is_dormant = flags & NFT_TABLE_F_DORMANT != 0;
    Ok(is_dormant.then_some(Event::DormantTable { family, name }))
}

fn chain(message: &[u8]) -> Decoded {
    const NFTA_CHAIN_TABLE: u16 = 1;
    const NFTA_CHAIN_NAME: u16 = 3;
    const NFTA_CHAIN_HOOK: u16 = 4;
    const NFTA_CHAIN_POLICY: u16 = 5;
    const NFTA_CHAIN_USE: u16 = 6;
    const NFTA_CHAIN_TYPE: u16 = 7;
    const NF_DROP: u32 = 0;
    let (head, attributes) = header::<4>(message).ok_or(Lacks("its header"))?;
    let Some(family) = family(head[0]) else { return Ok(None) };
    let (mut table, mut name, mut hook) = (None, None, None);
    let (mut kind, mut acts) = (ChainKind::Filter, false);
    for (attribute, payload) in attributes {
        match attribute {
            NFTA_CHAIN_TABLE => table = Some(text(payload)),
            NFTA_CHAIN_NAME => name = Some(text(payload)),
            NFTA_CHAIN_HOOK => hook = Some(place(family, payload)),
            NFTA_CHAIN_POLICY => acts |= u32_be(payload) == Some(NF_DROP),
            // Nothing but rules uses a base chain. None is in doubt: a transaction takes rules off this count
            // before it is known whether it comes to pass (`nft_use_dec` of nf_tables_api.c), see `Asker`.
            NFTA_CHAIN_USE => acts |= u32_be(payload).is_some_and(|count| count != 0),
            NFTA_CHAIN_TYPE => {
                kind = match text(payload).as_str() {
                    "nat" => ChainKind::Nat,
                    "route" => ChainKind::Route,
                    _ => ChainKind::Filter,
                };
            }
            _ => {}
        }
    }
    // One without a hook is only jumped to.
    let Some((Some(hook), devices)) = hook else { return Ok(None) };
    Ok(Some(Event::Chain(Chain {
        tool: Tool::Nftables,
        family,
        table: table.ok_or(Lacks("a table"))?,
        name: name.ok_or(Lacks("a name"))?,
        hook,
        kind,
        devices,
        acts: acts || kind == ChainKind::Nat,
    })))
}

/// The hook, and the interfaces that it is at.
fn place(family: ChainFamily, payload: &[u8]) -> (Option<Hook>, Vec<String>) {
    const NFTA_HOOK_HOOKNUM: u16 = 1;
    const NFTA_HOOK_DEV: u16 = 3;
    const NFTA_HOOK_DEVS: u16 = 4;
    const NFTA_DEVICE_NAME: u16 = 1;
    const NFTA_DEVICE_PREFIX: u16 = 2;
    let (mut hook, mut devices) = (None, Vec::new());
    for (attribute, payload) in Attributes(payload) {
        match attribute {
            NFTA_HOOK_HOOKNUM => {
                hook = u32_be(payload).and_then(|number| numbered(family, number));
            }
            NFTA_HOOK_DEV => devices.push(text(payload)),
            NFTA_HOOK_DEVS => {
                devices.extend(Attributes(payload).filter_map(|(kind, name)| match kind {
                    NFTA_DEVICE_NAME => Some(text(name)),
                    NFTA_DEVICE_PREFIX => Some(text(name) + "*"),
                    _ => None,
                }));
            }
            _ => {}
        }
    }
    // A single one is told twice.
    devices.sort_unstable();
    devices.dedup();
    (hook, devices)
}

/// `NF_NETDEV_*`, `NF_ARP_*`, and `NF_INET_*` and `NF_BR_*`, whose numbers are the same as far as they are here.
pub(crate) const fn numbered(family: ChainFamily, number: u32) -> Option<Hook> {
    match (family, number) {
        (ChainFamily::Netdev, 0) | (ChainFamily::Inet, 5) => Some(Hook::Ingress),
        (ChainFamily::Netdev, 1) => Some(Hook::Egress),
        (ChainFamily::Arp, 0) => Some(Hook::Input),
        (ChainFamily::Arp, 1) => Some(Hook::Output),
        (ChainFamily::Netdev | ChainFamily::Arp, _) => None,
        (_, 0) => Some(Hook::Prerouting),
        (_, 1) => Some(Hook::Input),
        (_, 2) => Some(Hook::Forward),
        (_, 3) => Some(Hook::Output),
        (_, 4) => Some(Hook::Postrouting),
        _ => None,
    }
}

impl Chain {
    /// Family, table and name, as `nft list chain` and the settings want them.
    #[must_use]
    pub fn path(&self) -> String {
        let family = match self.family {
            ChainFamily::Ip => "ip",
            ChainFamily::Ip6 => "ip6",
            ChainFamily::Inet => "inet",
            ChainFamily::Bridge => "bridge",
            ChainFamily::Netdev => "netdev",
            ChainFamily::Arp => "arp",
        };
        format!("{family} {} {}", self.table, self.name)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tool = match self.tool {
            Tool::Nftables => "nftables",
            Tool::Iptables => "iptables-legacy",
            Tool::Ebtables => "ebtables-legacy",
            Tool::Arptables => "arptables-legacy",
        };
        write!(formatter, "the {tool} chain `{}`", self.path())
    }
}
