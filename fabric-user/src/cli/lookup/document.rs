//! What `fabricctl lookup --json` prints.

use std::net::IpAddr;

use serde::Serialize;

use crate::{cli::routes::Span, mac::Mac};

/// The whole.
#[derive(Debug, Default, Serialize)]
pub(super) struct Document {
    pub(super) r#in: Option<String>,
    pub(super) from_vtep: Option<IpAddr>,
    pub(super) bridge: Option<String>,
    pub(super) vni: Option<u32>,
    pub(super) gateway: Option<String>,
    #[serde(flatten)]
    pub(super) way: Way,
    pub(super) reason: Option<&'static str>,
    pub(super) verdict: &'static str,
    pub(super) forwarded: Option<bool>,
    pub(super) idle: Option<&'static str>,
}

/// The way of a packet, of a frame or, through a gateway, of one and then the other.
#[derive(Debug, Default, Serialize)]
pub(super) struct Way {
    pub(super) view: Option<u16>,
    pub(super) vrf: Option<String>,
    pub(super) route: Option<Route>,
    pub(super) leak: Option<Leaked>,
    #[serde(flatten)]
    pub(super) sent: Sent,
    pub(super) station: Option<Station>,
}

/// Where a frame or packet is sent.
#[derive(Debug, Default, Serialize)]
pub(super) struct Sent {
    pub(super) port: Option<String>,
    pub(super) vlan: Option<u16>,
    pub(super) segment: Option<u32>,
    pub(super) vtep: Option<Vtep>,
    pub(super) group: Option<Group>,
    pub(super) nexthop: Option<Nexthop>,
}

/// The frame to a next hop behind a bridge.
#[derive(Debug, Serialize)]
pub(super) struct Station {
    pub(super) bridge: Option<String>,
    pub(super) vni: Option<u32>,
    pub(super) mac: Mac,
    #[serde(flatten)]
    pub(super) sent: Sent,
}

/// What matches the destination.
#[derive(Debug, Serialize)]
pub(super) struct Route {
    pub(super) addresses: Option<Span>,
    pub(super) entry: &'static str,
    pub(super) kind: &'static str,
    pub(super) index: Option<u32>,
}

/// What matches the destination in the view of another VRF, which the route leads into.
#[derive(Debug, Serialize)]
pub(super) struct Leaked {
    pub(super) view: u16,
    pub(super) vrf: Option<String>,
    pub(super) route: Option<Route>,
}

/// A tunnel.
#[derive(Debug, Serialize)]
pub(super) struct Vtep {
    pub(super) remote: IpAddr,
    pub(super) local: IpAddr,
    pub(super) source_port: Option<u16>,
    pub(super) destination_port: u16,
}

/// A choice among next hops.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    pub(super) index: u32,
    pub(super) hash: u32,
    pub(super) buckets: u32,
    pub(super) bucket: Option<u32>,
    pub(super) passed_over: Vec<Passed>,
}

/// A dead member.
#[derive(Debug, Serialize)]
pub(super) struct Passed {
    pub(super) bucket: Option<u32>,
    pub(super) nexthop: Option<Nexthop>,
}

/// A next hop.
#[derive(Debug, Serialize)]
pub(super) struct Nexthop {
    pub(super) index: u32,
    pub(super) port: String,
    pub(super) gateway: IpAddr,
    pub(super) mac: Option<Mac>,
    pub(super) mtu: u32,
    pub(super) alive: bool,
    pub(super) why_not: Vec<&'static str>,
}
