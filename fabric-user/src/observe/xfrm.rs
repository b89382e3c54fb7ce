//! IPsec policies (`NETLINK_XFRM`, `linux/xfrm.h`): which packets are encrypted, or refused.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Event, Prefix,
    address::{INET, INET6, ip},
    attributes::{Attributes, header, u8_, u16_, u16_be, u32_},
    message::{DecodeError, Decoded, Lacks},
};

/// A policy. Templates, which say how packets are encrypted, are not kept: only that there are some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpsecPolicy {
    /// Identity within the network namespace.
    pub index: u32,
    /// Packets that it is for.
    pub direction: IpsecDirection,
    /// The policy with the lowest number decides.
    pub priority: u32,
    /// Sources, which say the family.
    pub source: Prefix,
    /// Destinations.
    pub destination: Prefix,
    /// IP protocol, 0 for any.
    pub protocol: u8,
    /// Source port, and which of its bits count; host order.
    pub source_port: (u16, u16),
    /// Destination port, and which of its bits count; host order. ICMP's type and code stand in the
    /// ports' places.
    pub destination_port: (u16, u16),
    /// Interface index that packets must leave by, 0 for any.
    pub ifindex: u32,
    /// Value and mask of the mark that packets must carry; none if any will do.
    pub mark: Option<(u32, u32)>,
    /// Number of the xfrm interfaces that it is for (`if_id`), 0 for packets of none.
    pub interface: u32,
    /// It is a sub-policy, which is applied besides the main one.
    pub sub: bool,
    /// It lets packets through as they are: action allow and no template.
    pub passes: bool,
}

/// Packets that a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IpsecDirection {
    /// For this box.
    In,
    /// Sent by this box, be they its own or forwarded.
    Out,
    /// Arrived for others.
    Forward,
}

/// What happens to packets that no policy matches: true where they are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpsecDefaults {
    /// Those for this box.
    pub block_in: bool,
    /// Those that arrived for others.
    pub block_forward: bool,
    /// Those that leave.
    pub block_out: bool,
}

pub(super) const XFRM_MSG_NEWPOLICY: u16 = 0x13;
pub(super) const XFRM_MSG_DELPOLICY: u16 = 0x14;
pub(super) const XFRM_MSG_GETPOLICY: u16 = 0x15;
pub(super) const XFRM_MSG_UPDPOLICY: u16 = 0x19;
pub(super) const XFRM_MSG_POLEXPIRE: u16 = 0x1b;
pub(super) const XFRM_MSG_FLUSHPOLICY: u16 = 0x1d;
pub(super) const XFRM_MSG_GETDEFAULT: u16 = 0x28;

/// Length of `struct xfrm_userpolicy_info`.
const INFO: usize = 168;
/// Length of `struct xfrm_userpolicy_id`, for deletions and requests.
pub(super) const ID: usize = 64;
/// Length of `struct xfrm_user_polexpire`: the policy, and whether that was its end.
const EXPIRE: usize = 176;

const XFRMA_TMPL: u16 = 5;
const XFRMA_POLICY: u16 = 7;
const XFRMA_POLICY_TYPE: u16 = 16;
const XFRMA_MARK: u16 = 21;
const XFRMA_IF_ID: u16 = 31;

/// Decodes one message of the xfrm family without its `nlmsghdr`, of which `kind` is passed.
///
/// # Returns
/// `None` for a message about something that Fabric does not follow: states, sockets' own policies.
///
/// # Errors
/// If a message of a known type is cut off or lacks its key.
pub fn decode_xfrm(kind: u16, message: &[u8]) -> Result<Option<Event>, DecodeError> {
    let decoded = match kind {
        XFRM_MSG_NEWPOLICY | XFRM_MSG_UPDPOLICY => policy(message),
        XFRM_MSG_DELPOLICY => deleted(message),
        XFRM_MSG_POLEXPIRE => expired(message),
        XFRM_MSG_FLUSHPOLICY => Ok(Some(flushed(message))),
        XFRM_MSG_GETDEFAULT => defaults(message),
        _ => Ok(None),
    };
    decoded.map_err(|what| DecodeError { kind, what: what.0 })
}

/// `xfrm_userpolicy_info`: a selector (56 bytes), limits and use (96), then priority, index, direction
/// and action.
fn policy(message: &[u8]) -> Decoded {
    let (info, attributes) = header::<INFO>(message).ok_or(Lacks("its header"))?;
    let index = u32_(&info[156..]).unwrap_or_default();
    let [direction, action, ..] = info[160..] else {
        return Err(Lacks("a direction"));
    };
    let direction = match direction {
        0 => IpsecDirection::In,
        1 => IpsecDirection::Out,
        2 => IpsecDirection::Forward,
        // Of a socket: its packets are the box's own.
        _ => return Ok(None),
    };
    let length = match u16_(&info[40..]).unwrap_or_default() {
        family if family == u16::from(INET) => 4,
        family if family == u16::from(INET6) => 16,
        _ => return Ok(None),
    };
    let prefix = |at: usize, length_at: usize| -> Result<Prefix, Lacks> {
        let address = ip(&info[at..at + length]).ok_or(Lacks("an address"))?;
        Ok(Prefix { address, length: info[length_at] })
    };
    let port = |at: usize| {
        let number = |at: usize| u16_be(&info[at..]).unwrap_or_default();
        (number(at), number(at + 2))
    };
    let mut policy = IpsecPolicy {
        index,
        direction,
        priority: u32_(&info[152..]).unwrap_or_default(),
        source: prefix(16, 43)?,
        destination: prefix(0, 42)?,
        protocol: info[44],
        source_port: port(36),
        destination_port: port(32),
        ifindex: u32_(&info[48..]).unwrap_or_default(),
        mark: None,
        interface: 0,
        sub: false,
        passes: action == 0,
    };
    for (kind, payload) in attributes {
        match kind {
            XFRMA_TMPL => policy.passes &= payload.is_empty(),
            XFRMA_POLICY_TYPE => policy.sub = u8_(payload).unwrap_or_default() != 0,
            XFRMA_MARK => {
                let value = u32_(payload).unwrap_or_default();
                let mask = payload.get(4..).and_then(u32_).unwrap_or_default();
                policy.mark = Some((value, mask)).filter(|(_, mask)| *mask != 0);
            }
            XFRMA_IF_ID => policy.interface = u32_(payload).unwrap_or_default(),
            _ => {}
        }
    }
    Ok(Some(Event::IpsecPolicy(policy)))
}

/// `xfrm_userpolicy_id`, and the whole policy in an attribute.
fn deleted(message: &[u8]) -> Decoded {
    let (_, mut attributes) = header::<ID>(message).ok_or(Lacks("its header"))?;
    let policy = attributes.find(|(kind, _)| *kind == XFRMA_POLICY);
    let (_, policy) = policy.ok_or(Lacks("the policy"))?;
    let index = policy.get(156..).and_then(u32_).ok_or(Lacks("an index"))?;
    Ok(Some(Event::IpsecPolicyGone { index }))
}

/// `xfrm_user_polexpire`: a policy that has reached one of its limits; only the hard one is its end.
fn expired(message: &[u8]) -> Decoded {
    let (info, _) = header::<EXPIRE>(message).ok_or(Lacks("its header"))?;
    let index = u32_(&info[156..]).unwrap_or_default();
    let is_gone = info[INFO] != 0;
    Ok(is_gone.then_some(Event::IpsecPolicyGone { index }))
}

/// No header: the attribute says of which type all are gone.
fn flushed(message: &[u8]) -> Event {
    let mut attributes = Attributes(message);
    let kind = attributes.find(|(kind, _)| *kind == XFRMA_POLICY_TYPE);
    let sub = kind.and_then(|(_, payload)| u8_(payload)).unwrap_or_default() != 0;
    Event::IpsecPoliciesGone { sub }
}

/// `xfrm_userpolicy_default`: for in, forward and out (`XFRM_USERPOLICY_BLOCK` is 1).
fn defaults(message: &[u8]) -> Decoded {
    let ([inward, forward, out], _) = header::<3>(message).ok_or(Lacks("its header"))?;
    Ok(Some(Event::IpsecDefaults(IpsecDefaults {
        block_in: *inward == 1,
        block_forward: *forward == 1,
        block_out: *out == 1,
    })))
}

impl fmt::Display for IpsecPolicy {
    /// The selector in iproute2's words.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "src {} dst {}", self.source, self.destination)?;
        if self.protocol != 0 {
            write!(formatter, " proto {}", self.protocol)?;
        }
        for (name, (value, mask)) in [("sport", self.source_port), ("dport", self.destination_port)]
        {
            match mask {
                0 => {}
                u16::MAX => write!(formatter, " {name} {value}")?,
                _ => write!(formatter, " {name} {value}/{mask:#x}")?,
            }
        }
        let direction = match self.direction {
            IpsecDirection::In => "in",
            IpsecDirection::Out => "out",
            IpsecDirection::Forward => "fwd",
        };
        write!(formatter, " dir {direction}")?;
        if let Some((value, mask)) = self.mark {
            write!(formatter, " mark {value:#x}/{mask:#x}")?;
        }
        Ok(())
    }
}
