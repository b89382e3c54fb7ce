//! What the kernel says about the network: rtnetlink, IPsec policies and chains of nftables of one network
//! namespace, turned into plain values.
//!
//! An [`Observer`] subscribes first and an [`Asker`] dumps afterwards, so that nothing falls between the
//! two: a [`Listing`] replaces all that was known, the [`Batch`]es since before the dump change it. The values
//! ([`Event`] and its parts) hold no kernel or library types and can be written to a file as JSON
//! lines, which is what the model's tests are made of ([`recording`]).
//!
//! The decoders read the attributes that Fabric needs and skip all others, so that a new kernel's
//! attributes never cost us an object; they are one file per object.

mod address;
mod asker;
mod bridge_port;
mod classifiers;
mod devices;
mod encap;
mod error;
mod event;
mod fdb;
mod generations;
mod ifaddr;
mod learned;
mod link;
mod message;
mod neighbour;
mod netconf;
mod netfilter;
mod nexthop;
mod observer;
mod path;
mod protocol;
pub mod recording;
mod request;
mod route;
mod rule;
#[cfg(test)]
pub(crate) mod tests;
mod veth;
mod vlan_state;
mod vni_filter;
mod xdp_features;
mod xfrm;

pub use crate::mac::{Mac, MacError};
use crate::netlink::attributes;
pub use asker::Asker;
pub use bridge_port::{BridgePort, PortOptions, PortState, PortVlan};
pub use classifiers::Classifiers;
pub use encap::{Encap, TunnelEncap};
pub use error::ObserveError;
pub use event::{Event, Listing, Scope};
pub use fdb::{BridgeMac, TunnelMac, TunnelTarget};
pub use ifaddr::interface_address;
pub use learned::Learned;
pub use link::{BondMember, Bridge, Df, Link, LinkKind, Vlan, Vxlan};
pub use message::{DecodeError, decode};
pub use neighbour::Neighbour;
pub use netconf::Netconf;
pub(crate) use netfilter::numbered;
pub use netfilter::{Chain, ChainFamily, ChainKind, Hook, Tool, decode_netfilter};
pub use nexthop::{GroupMember, Nexthop, NexthopKind, Resilient};
pub use observer::{Batch, Observer};
pub use path::{Path, Source, SourceQuestion};
pub use route::{Hop, Prefix, Route, RouteKey, RouteKind};
pub use rule::{Rule, RuleAction};
pub use vlan_state::{VlanRange, VlanStates};
pub use vni_filter::VniFilter;
pub use xdp_features::XdpFeatures;
pub use xfrm::{IpsecDefaults, IpsecDirection, IpsecPolicy, decode_xfrm};
