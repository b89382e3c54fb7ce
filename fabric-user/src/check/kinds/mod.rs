//! Kinds of assertions, one a file: what its table has, which cases it becomes, and what these say of a round.

mod anycast;
mod audit;
mod bfd;
mod bgp;
mod blame;
mod capacity;
mod command;
mod conserve;
mod daemon;
mod ecmp;
mod failover;
mod fast;
mod gateway;
mod link;
mod mac;
mod migrate;
mod mtu;
mod neighbour;
mod no_duplicates;
mod no_route;
mod path;
mod prefixes;
mod reach;
mod reasons;
mod route;
mod verify;
mod versions;
mod vni;
mod vrf;
mod vteps;
mod ways;

use std::time::Duration;

use serde::de::DeserializeOwned;
use toml::{Spanned, de::DeValue};

use super::{
    case::Draft,
    inventory::Inventory,
    shape::Shape,
    suite::{self, Misfit},
};

pub(crate) use audit::Source as NetboxSource;
#[cfg(test)]
pub(crate) use bgp::expected as expected_sessions;

/// A table of a kind.
pub(crate) trait Kind: DeserializeOwned {
    /// What it has.
    const SHAPE: &'static Shape;
    /// Within what time its cases have to become true if the table does not say.
    const WITHIN: Option<Duration> = None;

    /// They change something for a while.
    const DISRUPTS: bool = false;

    /// Its cases over an inventory.
    ///
    /// # Errors
    /// If a name stands for nothing, or fields contradict each other: a sentence.
    fn cases(&self, inventory: &Inventory) -> Result<Vec<Draft>, String>;
}

/// A kind by what the parser needs.
pub(crate) struct Entry {
    /// What its table has.
    pub(crate) shape: &'static Shape,
    /// Reads a table, and makes cases of it.
    pub(crate) read: fn(Spanned<DeValue<'_>>, &Inventory) -> Result<Vec<Draft>, Misfit>,
    /// See [`Kind::WITHIN`].
    pub(crate) within: Option<Duration>,
    /// See [`Kind::DISRUPTS`].
    pub(crate) disrupts: bool,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.shape.word)
    }
}

const fn entry<K: Kind>() -> Entry {
    Entry { shape: K::SHAPE, read: read::<K>, within: K::WITHIN, disrupts: K::DISRUPTS }
}

fn read<K: Kind>(table: Spanned<DeValue<'_>>, inventory: &Inventory) -> Result<Vec<Draft>, Misfit> {
    suite::read::<K>(table)?.cases(inventory).map_err(|message| (None, message))
}

/// All kinds, in the order in which they are explained: from cables upwards.
pub(crate) const KINDS: &[Entry] = &[
    entry::<link::Link>(),
    entry::<bgp::Bgp>(),
    entry::<prefixes::Prefixes>(),
    entry::<bfd::Bfd>(),
    entry::<route::Route>(),
    entry::<no_route::NoRoute>(),
    entry::<ecmp::Ecmp>(),
    entry::<anycast::Anycast>(),
    entry::<path::Path>(),
    entry::<vni::Vni>(),
    entry::<vrf::Vrf>(),
    entry::<vteps::Vteps>(),
    entry::<mac::MacPlace>(),
    entry::<neighbour::Neighbour>(),
    entry::<no_duplicates::NoDuplicates>(),
    entry::<gateway::Gateway>(),
    entry::<reach::Reach>(),
    entry::<mtu::Mtu>(),
    entry::<fast::Fast>(),
    entry::<reasons::Reasons>(),
    entry::<conserve::Conserve>(),
    entry::<verify::Verify>(),
    entry::<capacity::Capacity>(),
    entry::<daemon::Daemon>(),
    entry::<versions::Versions>(),
    entry::<audit::Audit>(),
    entry::<command::Command>(),
    entry::<failover::Failover>(),
    entry::<migrate::Migrate>(),
];

/// The kind of a name.
pub(crate) fn named(word: &str) -> Option<&'static Entry> {
    KINDS.iter().find(|entry| entry.shape.word == word)
}
