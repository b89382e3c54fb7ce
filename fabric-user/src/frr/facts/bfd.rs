//! Sessions of BFD (RFC 5880).

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::{answer, loose};

/// The question for all of them.
pub(super) const COMMAND: &str = "show bfd peers json";

/// A neighbour whose silence is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdSession {
    /// Name of the VRF; none is the default one.
    pub vrf: Option<String>,
    /// The neighbour.
    pub peer: IpAddr,
    /// This box's address, where it is chosen.
    pub local: Option<IpAddr>,
    /// The interface to the neighbour, where it is chosen.
    pub interface: Option<String>,
    /// It may be several hops away (RFC 5883).
    pub multihop: bool,
    /// Both ends hear each other.
    pub up: bool,
    /// `up`, `down`, `init` or `shutdown`.
    pub status: String,
    /// Why it went down last (RFC 5880, section 4.1), as FRR calls it; `ok` if it never has.
    pub diagnostic: String,
    /// Seconds since it is up; none while it is not.
    pub uptime: Option<u64>,
    /// Shortest time between two packets that arrive, in milliseconds.
    pub receive_ms: u32,
    /// Time between two packets that are sent, in milliseconds.
    pub transmit_ms: u32,
    /// So many packets of this box in a row that do not come end the session at the other end.
    pub multiplier: u32,
    /// Time between two packets that the other end wants to send, in milliseconds.
    #[serde(default)]
    pub remote_transmit_ms: u32,
    /// So many packets of the other end in a row that do not come end the session here; 0 if that is not known.
    #[serde(default)]
    pub remote_multiplier: u32,
}

impl BfdSession {
    /// Milliseconds after which this box notices that the other end is silent (RFC 5880, section 6.8.4); none if the other
    /// end has not said how often it sends.
    pub fn detection_ms(&self) -> Option<u64> {
        let interval = self.receive_ms.max(self.remote_transmit_ms);
        (self.remote_multiplier > 0)
            .then(|| u64::from(self.remote_multiplier) * u64::from(interval))
    }
}

impl Default for BfdSession {
    fn default() -> Self {
        Self {
            vrf: None,
            peer: Ipv4Addr::UNSPECIFIED.into(),
            local: None,
            interface: None,
            multihop: false,
            up: false,
            status: String::new(),
            diagnostic: String::new(),
            uptime: None,
            receive_ms: 0,
            transmit_ms: 0,
            multiplier: 0,
            remote_transmit_ms: 0,
            remote_multiplier: 0,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Said {
    #[serde(deserialize_with = "loose::value")]
    vrf: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    peer: Option<IpAddr>,
    #[serde(deserialize_with = "loose::value")]
    local: Option<IpAddr>,
    interface: Option<String>,
    multihop: bool,
    status: String,
    diagnostic: String,
    uptime: u64,
    receive_interval: u32,
    transmit_interval: u32,
    detect_multiplier: u32,
    remote_transmit_interval: u32,
    remote_detect_multiplier: u32,
}

impl Said {
    fn session(self) -> Option<BfdSession> {
        let up = self.status == "up";
        Some(BfdSession {
            vrf: self.vrf.filter(|name| name != "default"),
            peer: self.peer?,
            local: self.local,
            interface: self.interface,
            multihop: self.multihop,
            up,
            status: self.status,
            diagnostic: self.diagnostic,
            uptime: up.then_some(self.uptime),
            receive_ms: self.receive_interval,
            transmit_ms: self.transmit_interval,
            multiplier: self.detect_multiplier,
            remote_transmit_ms: self.remote_transmit_interval,
            remote_multiplier: self.remote_detect_multiplier,
        })
    }
}

/// Reads the answer.
pub(super) fn read(text: &str) -> serde_json::Result<Vec<BfdSession>> {
    let all: Vec<Said> = answer::read(text)?;
    let mut all: Vec<BfdSession> = all.into_iter().filter_map(Said::session).collect();
    all.sort_by(|a, b| (&a.vrf, &a.interface, a.peer).cmp(&(&b.vrf, &b.interface, b.peer)));
    Ok(all)
}
