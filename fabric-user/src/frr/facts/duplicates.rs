//! When zebra takes a MAC or an address that moves for one that two stations have (RFC 7432, section 15.1).

use serde::{Deserialize, Serialize};

use super::{answer, loose};

/// The question, which is about EVPN as a whole.
pub(super) const COMMAND: &str = "show evpn json";

/// Settings of duplicate address detection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateDetection {
    /// It is on. A local Ethernet segment switches it off, whatever is configured.
    pub enabled: bool,
    /// So many moves …
    pub moves: u32,
    /// … within so many seconds make a duplicate.
    pub seconds: u32,
    /// Duplicates are frozen, and not only warned of; before FRR 9 that is told only of those frozen for a time.
    pub freezes: Option<bool>,
    /// For so many seconds; none for good, or if they are not frozen.
    pub freeze_seconds: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    is_duplicate_addr_detection: bool,
    #[serde(deserialize_with = "loose::value")]
    max_moves: Option<u32>,
    #[serde(deserialize_with = "loose::value")]
    detection_time: Option<u32>,
    #[serde(deserialize_with = "loose::value")]
    detection_freeze_time: Option<u32>,
    is_detection_freeze: Option<bool>,
}

/// Reads the answer; nothing where EVPN is off.
pub(super) fn read(text: &str) -> serde_json::Result<Option<DuplicateDetection>> {
    let said: Said = answer::read(text)?;
    let freeze_seconds = said.detection_freeze_time.filter(|&seconds| seconds != 0);
    Ok(said.max_moves.map(|moves| DuplicateDetection {
        enabled: said.is_duplicate_addr_detection,
        moves,
        seconds: said.detection_time.unwrap_or_default(),
        freezes: said.is_detection_freeze.or(freeze_seconds.map(|_| true)),
        freeze_seconds,
    }))
}
