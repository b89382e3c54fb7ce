//! MAC addresses of bridges and vxlan devices as the model keeps them: packed, because there can be a
//! million of each.

use crate::{
    hashed::HashMap,
    observe::{BridgeMac, TunnelTarget},
};

/// What a bridge's entry says of an address, as far as it matters where the address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// Interface index of the bridge port, or of the bridge itself for its own addresses.
    pub port: u32,
    /// An address of this box.
    pub permanent: bool,
    /// Learnt on a locked port and not yet allowed to send.
    pub locked: bool,
}

impl From<BridgeMac> for Station {
    fn from(entry: BridgeMac) -> Self {
        Self { port: entry.port, permanent: entry.permanent, locked: entry.locked }
    }
}

/// Targets of vxlan devices' entries, each kept once: there are about as many as VTEPs.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    numbers: HashMap<TunnelTarget, u32>,
    targets: Vec<TunnelTarget>,
}

impl Targets {
    /// The number of a target, which it keeps.
    pub(super) fn number(&mut self, target: TunnelTarget) -> u32 {
        let Self { numbers, targets } = self;
        *numbers.entry(target).or_insert_with(|| {
            targets.push(target);
            targets.len() as u32 - 1
        })
    }

    /// The target of a number from [`Self::number`].
    pub(super) fn get(&self, number: u32) -> &TunnelTarget {
        &self.targets[number as usize]
    }
}
