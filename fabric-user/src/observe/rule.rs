//! Policy routing rules (`RTM_NEWRULE`, `linux/fib_rules.h`): which routing tables a packet is
//! looked up in.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::{
    Event, Prefix,
    address::{INET, INET6, ip},
    attributes::{header, text, u8_, u16_, u32_},
    message::{Decoded, Lacks},
};

/// A rule. It is what it says: the kernel has no other identity for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rule {
    /// For IPv6 packets; otherwise for IPv4 packets.
    pub v6: bool,
    /// Rules are tried from the lowest number (`pref`) on.
    pub priority: u32,
    /// Name of the interface at which a packet must have arrived: a port or a VRF device; `lo` for
    /// packets of this box itself.
    pub iif: Option<String>,
    /// Name of the interface that the packet's socket is bound to.
    pub oif: Option<String>,
    /// Only for packets of a VRF, whose table is looked up.
    pub l3mdev: bool,
    /// For packets that do *not* fit the conditions.
    #[serde(default)]
    pub not: bool,
    /// Where the packet must come from.
    #[serde(default)]
    pub from: Option<Prefix>,
    /// Where the packet must go.
    #[serde(default)]
    pub to: Option<Prefix>,
    /// IP protocol of the packet.
    #[serde(default)]
    pub protocol: Option<u8>,
    /// First and last source port of the packet.
    #[serde(default)]
    pub source_ports: Option<(u16, u16)>,
    /// First and last destination port of the packet.
    #[serde(default)]
    pub destination_ports: Option<(u16, u16)>,
    /// Routes of prefixes up to this length do not count.
    #[serde(default)]
    pub suppress: Option<u32>,
    /// All other conditions and modifiers in iproute2's words, as `fwmark 0x1` or `tos 0x10`.
    pub conditions: Vec<String>,
    /// What happens to packets that fit.
    pub action: RuleAction,
}

/// What a rule does (`FR_ACT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// Looks up a table, 0 for the VRF's; without a matching route the next rule is tried.
    Lookup(u32),
    /// Goes on with the rule of this priority.
    Goto(u32),
    /// Goes on with the next rule.
    Nop,
    /// Discards.
    Blackhole,
    /// Answers that the destination is unreachable.
    Unreachable,
    /// Answers that communication is prohibited.
    Prohibit,
    /// Anything else.
    Other(u8),
}

const FIB_RULE_INVERT: u32 = 1 << 1;

const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_FLOW: u16 = 11;
const FRA_TUN_ID: u16 = 12;
const FRA_SUPPRESS_IFGROUP: u16 = 13;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_PAD: u16 = 18;
const FRA_L3MDEV: u16 = 19;
const FRA_UID_RANGE: u16 = 20;
const FRA_PROTOCOL: u16 = 21;
const FRA_IP_PROTO: u16 = 22;
const FRA_SPORT_RANGE: u16 = 23;
const FRA_DPORT_RANGE: u16 = 24;
const FRA_DSCP: u16 = 25;
const FRA_FLOWLABEL: u16 = 26;
const FRA_FLOWLABEL_MASK: u16 = 27;
const FRA_SPORT_MASK: u16 = 28;
const FRA_DPORT_MASK: u16 = 29;
const FRA_DSCP_MASK: u16 = 30;

/// Decodes `fib_rule_hdr` (family, prefix lengths, TOS, table, two reserved, action, flags: 12
/// bytes) and its attributes.
pub(super) fn decode(present: bool, message: &[u8]) -> Decoded {
    let (head, attributes) = header::<12>(message).ok_or(Lacks("its header"))?;
    let [family, to_length, from_length, tos, table, _, _, action, ..] = *head;
    let flags = u32_(&head[8..]).unwrap_or_default();
    if family != INET && family != INET6 {
        return Ok(None);
    }
    let mut rule = Rule::new(family == INET6, 0, RuleAction::Nop);
    let (mut table, mut target) = (u32::from(table), 0);
    let (mut mark, mut mask) = (None, u32::MAX);
    let mut conditions = Vec::new();
    rule.not = flags & FIB_RULE_INVERT != 0;
    if tos != 0 {
        conditions.push(format!("tos {tos:#04x}"));
    }
    for (kind, payload) in attributes {
        let number = || u32_(payload).unwrap_or_default();
        match kind {
            FRA_PRIORITY => rule.priority = number(),
            FRA_TABLE => table = number(),
            FRA_GOTO => target = number(),
            FRA_IIFNAME => rule.iif = Some(text(payload)),
            FRA_OIFNAME => rule.oif = Some(text(payload)),
            FRA_L3MDEV => rule.l3mdev = u8_(payload).unwrap_or_default() != 0,
            FRA_FWMARK => mark = Some(number()),
            FRA_FWMASK => mask = number(),
            // Who made the rule, and for which statistics.
            FRA_PROTOCOL | FRA_FLOW | FRA_PAD => {}
            FRA_SUPPRESS_PREFIXLEN if number() == u32::MAX => {}
            FRA_SUPPRESS_PREFIXLEN => rule.suppress = Some(number()),
            FRA_SUPPRESS_IFGROUP if number() == u32::MAX => {}
            // All bits count, as without a mask.
            FRA_SPORT_MASK | FRA_DPORT_MASK if u16_(payload) == Some(u16::MAX) => {}
            FRA_DSCP_MASK if u8_(payload) == Some(0x3f) => {}
            FRA_SRC if prefix(payload, from_length).is_some() => {
                rule.from = prefix(payload, from_length);
            }
            FRA_DST if prefix(payload, to_length).is_some() => {
                rule.to = prefix(payload, to_length);
            }
            FRA_IP_PROTO => rule.protocol = u8_(payload),
            FRA_SPORT_RANGE => rule.source_ports = range(payload),
            FRA_DPORT_RANGE => rule.destination_ports = range(payload),
            _ => conditions.push(condition(kind, payload)),
        }
    }
    if let Some(mark) = mark {
        conditions.push(match mask {
            u32::MAX => format!("fwmark {mark:#x}"),
            _ => format!("fwmark {mark:#x}/{mask:#x}"),
        });
    }
    rule.conditions = conditions;
    rule.action = match action {
        1 => RuleAction::Lookup(table),
        2 => RuleAction::Goto(target),
        3 => RuleAction::Nop,
        6 => RuleAction::Blackhole,
        7 => RuleAction::Unreachable,
        8 => RuleAction::Prohibit,
        other => RuleAction::Other(other),
    };
    Ok(Some(if present { Event::Rule(rule) } else { Event::RuleGone(rule) }))
}

fn prefix(payload: &[u8], length: u8) -> Option<Prefix> {
    let address: IpAddr = ip(payload)?;
    Some(Prefix { address, length })
}

/// `fib_rule_port_range`.
fn range(payload: &[u8]) -> Option<(u16, u16)> {
    Some((u16_(payload)?, payload.get(2..).and_then(u16_)?))
}

/// A condition in words.
fn condition(kind: u16, payload: &[u8]) -> String {
    let byte = || u8_(payload).unwrap_or_default();
    let number = || u32_(payload).unwrap_or_default();
    let big = || payload.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    match kind {
        FRA_TUN_ID => {
            let id = payload.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            format!("tun_id {id}")
        }
        FRA_SUPPRESS_IFGROUP => format!("suppress_ifgroup {}", number()),
        FRA_UID_RANGE => {
            let last = payload.get(4..).and_then(u32_).unwrap_or_default();
            format!("uidrange {}-{last}", number())
        }
        FRA_DSCP => format!("dscp {}", byte()),
        FRA_FLOWLABEL => format!("flowlabel {:#x}", big()),
        FRA_FLOWLABEL_MASK => format!("flowlabel mask {:#x}", big()),
        FRA_SPORT_MASK => format!("sport mask {:#x}", u16_(payload).unwrap_or_default()),
        FRA_DPORT_MASK => format!("dport mask {:#x}", u16_(payload).unwrap_or_default()),
        FRA_DSCP_MASK => format!("dscp mask {:#x}", byte()),
        other => format!("a condition of type {other} that Fabric does not know"),
    }
}

impl Rule {
    /// A rule without conditions.
    #[must_use]
    pub const fn new(v6: bool, priority: u32, action: RuleAction) -> Self {
        Self {
            v6,
            priority,
            iif: None,
            oif: None,
            l3mdev: false,
            not: false,
            from: None,
            to: None,
            protocol: None,
            source_ports: None,
            destination_ports: None,
            suppress: None,
            conditions: Vec::new(),
            action,
        }
    }
}

/// A range of ports in words.
struct Ports((u16, u16));

impl fmt::Display for Ports {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            (first, last) if first == last => write!(formatter, "{first}"),
            (first, last) => write!(formatter, "{first}-{last}"),
        }
    }
}

impl fmt::Display for Rule {
    /// As `ip rule` would show it, without the priority.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.not {
            formatter.write_str("not ")?;
        }
        if let Some(from) = self.from {
            write!(formatter, "from {from} ")?;
        }
        if let Some(to) = self.to {
            write!(formatter, "to {to} ")?;
        }
        for condition in &self.conditions {
            write!(formatter, "{condition} ")?;
        }
        if let Some(protocol) = self.protocol {
            write!(formatter, "ipproto {protocol} ")?;
        }
        if let Some(ports) = self.source_ports {
            write!(formatter, "sport {} ", Ports(ports))?;
        }
        if let Some(ports) = self.destination_ports {
            write!(formatter, "dport {} ", Ports(ports))?;
        }
        if let Some(iif) = &self.iif {
            write!(formatter, "iif {iif} ")?;
        }
        if let Some(oif) = &self.oif {
            write!(formatter, "oif {oif} ")?;
        }
        if self.l3mdev {
            formatter.write_str("l3mdev ")?;
        }
        match self.action {
            RuleAction::Lookup(table) => write!(formatter, "lookup {table}"),
            RuleAction::Goto(target) => write!(formatter, "goto {target}"),
            RuleAction::Nop => formatter.write_str("nop"),
            RuleAction::Blackhole => formatter.write_str("blackhole"),
            RuleAction::Unreachable => formatter.write_str("unreachable"),
            RuleAction::Prohibit => formatter.write_str("prohibit"),
            RuleAction::Other(action) => write!(formatter, "action {action}"),
        }?;
        match self.suppress {
            Some(length) => write!(formatter, " suppress_prefixlength {length}"),
            None => Ok(()),
        }
    }
}
