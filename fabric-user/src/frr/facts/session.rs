//! Sessions of BGP in all VRFs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{answer, loose};

/// The question for all of them.
pub(super) const COMMAND: &str = "show bgp vrf all summary json";

/// A session with a neighbour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Name of the VRF; none is the default one.
    pub vrf: Option<String>,
    /// The neighbour: its address, or the interface to it where that is unnumbered.
    pub peer: String,
    /// What it calls itself, once the session was up.
    pub name: Option<String>,
    /// Its AS; 0 where that may be any and is not known yet.
    pub remote_as: u32,
    /// The AS as which this box speaks to it.
    pub local_as: u32,
    /// `Established`, `Active`, `Idle` and so on, as FRR has it (RFC 4271, section 8.2.2).
    pub state: String,
    /// Seconds since it was established; none while it is not.
    pub uptime: Option<u64>,
    /// What it carries, by address family, as FRR calls those: `ipv4Unicast`, `ipv6Unicast`, `l2VpnEvpn`.
    pub families: BTreeMap<String, Prefixes>,
}

impl Session {
    /// Whether routes are exchanged.
    pub fn is_established(&self) -> bool {
        self.state == ESTABLISHED
    }
}

/// Prefixes of a family on a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefixes {
    /// Accepted from the neighbour. How many came in before filters FRR does not count.
    pub accepted: u64,
    /// Sent to it.
    pub sent: u64,
}

const ESTABLISHED: &str = "Established";

/// One family of one VRF.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Family {
    peers: BTreeMap<String, Said>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    hostname: Option<String>,
    #[serde(deserialize_with = "loose::value")]
    remote_as: Option<u32>,
    #[serde(deserialize_with = "loose::value")]
    local_as: Option<u32>,
    peer_uptime_msec: u64,
    pfx_rcd: u64,
    pfx_snt: u64,
    state: String,
}

/// Reads the answer.
pub(super) fn read(text: &str) -> serde_json::Result<Vec<Session>> {
    let vrfs: BTreeMap<String, BTreeMap<String, Family>> = answer::read(text)?;
    let mut sessions: BTreeMap<(String, String), Session> = BTreeMap::new();
    for (vrf, families) in vrfs {
        for (family, Family { peers }) in families {
            for (peer, said) in peers {
                let session = sessions.entry((vrf.clone(), peer.clone())).or_insert_with(|| {
                    let up = said.state == ESTABLISHED;
                    Session {
                        vrf: (vrf != "default").then(|| vrf.clone()),
                        peer,
                        name: said.hostname.clone(),
                        remote_as: said.remote_as.unwrap_or_default(),
                        local_as: said.local_as.unwrap_or_default(),
                        state: said.state.clone(),
                        uptime: up.then_some(said.peer_uptime_msec / 1000),
                        families: BTreeMap::new(),
                    }
                });
                let prefixes = Prefixes { accepted: said.pfx_rcd, sent: said.pfx_snt };
                session.families.insert(family.clone(), prefixes);
            }
        }
    }
    Ok(sessions.into_values().collect())
}
