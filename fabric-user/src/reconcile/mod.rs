//! From what the maps should hold to what they hold.
//!
//! The maps themselves are the state: every pass compares the desired entries with the memory of
//! the maps and stores what differs, so a pass is idempotent, a restarted daemon takes over what
//! it finds, and a full pass is an audit.
//!
//! Each map, with those that belong to it, is one file, which knows how to take over what is there, to
//! write what is wanted and to remove what is not. [`Reconciler::apply`] has their order: whatever is
//! referred to is written before what refers to it, and removed after it. What nothing refers to any more
//! rests before it is emptied or given out again ([`rest`]).
//!
//! Groups are what many things refer to, so most changes of the network are changes of a group or
//! of a next hop: a few stores, whatever hangs on them.

mod answers;
mod arrivals;
mod circuits;
mod domains;
mod fdb;
mod groups;
mod hosts;
mod imagined;
mod indexes;
mod nexthops;
mod pass;
mod pool;
mod ports;
mod rest;
mod routes;
mod segments;
mod stations;
#[cfg(test)]
mod tests;
pub mod trie;
mod views;
mod vnis;
mod vteps;

use std::{collections::BTreeSet, time::Instant};

use crate::{
    kernel::{
        heartbeat,
        maps::Maps,
        pins::{Instance, PinError},
        system::{BeatError, Loaded, StartError, System},
    },
    model::{self, Macs, NexthopKey, Routes, Structure},
    settings::Settings,
};
use answers::Answers;
use arrivals::Numbers;
use circuits::Circuits;
use domains::Domains;
use fdb::{Fdb, Places};
use groups::Groups;
pub use imagined::imagine;
use nexthops::Nexthops;
pub use pass::Outcome;
use pass::Pass;
use ports::Ports;
use rest::{Freed, Resting};
use routes::Routing;
use segments::Segments;
use vteps::Vteps;

/// The writer of an instance's maps.
#[expect(missing_debug_implementations, reason = "programs and per-CPU maps have no Debug")]
pub struct Reconciler<S = Loaded> {
    /// The kernel, and the programs in it.
    pub system: S,
    /// The maps, for whoever wants to look.
    pub maps: Maps,
    /// The kernel's timer frequency.
    hz: u32,
    /// Options of the flow hash that the settings chose.
    hash_options: u32,
    ports: Ports,
    domains: Domains,
    circuits: Circuits,
    nexthops: Nexthops,
    groups: Groups,
    vteps: Vteps,
    segments: Segments,
    numbers: Numbers,
    routing: Routing,
    fdb: Fdb,
    answers: Answers,
    /// What was freed and may not be used yet.
    resting: Resting,
    /// Something was given back since [`Self::wake`] was last called.
    given_back: bool,
    /// Stores that emptied what had rested.
    emptied: u64,
}

impl Reconciler {
    /// Loads the programs and takes over what an earlier daemon left in the maps.
    ///
    /// # Errors
    /// If programs or maps cannot be used; what runs goes on running then.
    pub fn new(instance: Instance, settings: &Settings) -> Result<Self, StartError> {
        let (system, maps, hz) = Loaded::open(instance, settings)?;
        Ok(Self::take_over(system, maps, settings, hz))
    }
}

impl<S: System> Reconciler<S> {
    /// Takes over what is in the maps.
    fn take_over(system: S, maps: Maps, settings: &Settings, hz: u32) -> Self {
        let mut resting = Resting::default();
        // The one table without an owner that takes it over.
        maps.vnis.table().settle();
        let mut nexthops = Nexthops::recover(&maps);
        let mut this = Self {
            ports: Ports::recover(&maps, &mut resting),
            domains: Domains::recover(&maps),
            circuits: Circuits::recover(&maps, &mut resting),
            vteps: Vteps::recover(&maps, &mut resting),
            segments: Segments::recover(&maps, &mut resting),
            numbers: Numbers::recover(&maps, &mut resting),
            routing: Routing::recover(&maps, &mut nexthops, &mut resting),
            groups: Groups::recover(&maps, routes::referenced_groups(&maps), &mut resting),
            fdb: Fdb::recover(&maps),
            answers: Answers::recover(&maps),
            nexthops,
            system,
            maps,
            hz,
            hash_options: 0,
            resting,
            given_back: false,
            emptied: 0,
        };
        // What nobody has may have rested when the last daemon ended, and rests from now on.
        this.wake_at(Instant::now());
        this.configure(settings);
        this
    }

    /// Takes over what settings say to the packet path.
    pub fn configure(&mut self, settings: &Settings) {
        self.hash_options = settings.hash.flags();
        let timeout_jiffies = heartbeat::jiffies(settings.heartbeat_timeout(), self.hz);
        self.maps.settings.update(0, |value| {
            value.hz = self.hz;
            value.timeout_jiffies = timeout_jiffies;
            value.seed = match (settings.seed, value.seed) {
                (Some(seed), _) => seed,
                (None, 0) => settings.default_seed(),
                (None, kept) => kept,
            };
        });
    }

    /// Tells the packet path that the maps are being looked after.
    ///
    /// # Errors
    /// If the kernel does not run the program.
    pub fn beat(&mut self) -> Result<(), BeatError> {
        self.system.beat()
    }

    /// Whether the packet path has seen an ICMP message by which the kernel may have learned something
    /// about a way, since this was last asked.
    #[must_use]
    pub fn take_path_news(&self) -> bool {
        self.maps.settings.get(0).path_news != 0
            && self.maps.settings.update(0, |settings| settings.path_news = 0)
    }

    /// Whether packets were routed to hosts within the last two seconds, as a question about many at
    /// one moment.
    pub fn uses(&self) -> impl Fn(&NexthopKey) -> bool + '_ {
        self.nexthops.uses(&self.maps)
    }

    /// Number of 64-bit stores into the maps so far, without those that emptied what had rested: those
    /// come a second after the change that they belong to.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.maps.stores() - self.emptied
    }

    /// Interface indexes of the routed ports in the maps: at the start, those of an earlier daemon.
    #[must_use]
    pub fn routed(&self) -> BTreeSet<u32> {
        self.ports.routed(&self.maps)
    }

    /// An interface has gone, so that one of the same index is another one, or was elsewhere meanwhile:
    /// what the kernel holds of the port is asked for in the next pass, even if nothing else changes.
    pub fn doubt(&mut self, ifindex: u32) {
        self.ports.doubt(ifindex);
    }

    /// Brings everything up to date. Where ports turn out to be unusable it ends after them: what else is
    /// in the maps is consistent then, but old.
    pub fn apply(
        &mut self,
        structure: &Structure,
        routes: &Routes,
        macs: Macs,
        answers: &model::Answers,
    ) -> Outcome {
        self.wake_at(Instant::now());
        self.resting.begin();
        let audit = matches!(routes, Routes::All(_));
        let pass = &mut Pass::new(&self.maps, structure, &mut self.resting, self.hz, audit);

        self.ports.write(pass, &mut self.system, &self.domains);
        if !pass.outcome.unusable.is_empty() {
            return std::mem::take(&mut pass.outcome);
        }
        self.domains.write(pass);
        self.circuits.write(pass, &self.ports, &self.domains);
        let members = self.nexthops.write(pass, &self.ports);
        self.routing.views.number(pass, &self.ports);
        self.groups.inherit(pass, routes, &self.vteps, &self.segments, &self.routing);
        self.groups.write(pass, &members, &self.nexthops);
        self.numbers.restrict(pass, &self.ports, &self.vteps);
        self.vteps.write(pass, &self.groups, &self.numbers);
        self.groups.write_segments(pass, &self.vteps);
        self.segments.write(pass, &self.groups);
        routes::write_own_addresses(pass);
        groups::write_hash(pass, self.hash_options);
        self.routing.write(pass, routes, &self.ports, &self.groups, &mut self.nexthops);
        self.ports.route(pass, &self.routing.views);
        vnis::write(pass, &self.domains);
        self.nexthops.depart(pass, &self.domains);
        self.ports.classify(pass, &self.circuits, &self.domains);

        let Self { domains, circuits, vteps, segments, ports, .. } = self;
        let places = Places { domains, circuits, vteps, segments, ports };
        self.fdb.write(pass, macs, places, self.nexthops.stations());
        self.answers.write(pass, answers, &self.domains);

        vnis::remove(pass, &self.domains);
        self.routing.remove(pass, &mut self.nexthops);
        self.segments.remove(pass);
        self.vteps.remove(pass);
        self.numbers.allow(pass, &self.ports);
        self.groups.remove(pass);
        self.nexthops.remove(pass);
        self.circuits.remove(pass);
        self.domains.remove(pass);
        self.ports.remove(pass, &mut self.system);
        let outcome = std::mem::take(&mut pass.outcome);
        self.resting.complete();
        if let Err(error) = self.system.remove_other_versions() {
            tracing::warn!(%error, "maps of another version stay");
        }
        outcome
    }

    /// Changes routes, MACs and neighbours alone. The structure is that of the last [`Self::apply`].
    pub fn apply_entries(
        &mut self,
        structure: &Structure,
        routes: &Routes,
        macs: Macs,
        answers: &model::Answers,
    ) -> Outcome {
        self.wake_at(Instant::now());
        let mut pass = Pass::new(&self.maps, structure, &mut self.resting, self.hz, false);
        self.routing.write(&mut pass, routes, &self.ports, &self.groups, &mut self.nexthops);
        let Self { domains, circuits, vteps, segments, ports, .. } = self;
        let places = Places { domains, circuits, vteps, segments, ports };
        self.fdb.write(&mut pass, macs, places, self.nexthops.stations());
        self.answers.write(&mut pass, answers, &self.domains);
        pass.outcome
    }

    /// True if a resilient group waits for buckets to become idle.
    #[must_use]
    pub fn is_unbalanced(&self) -> bool {
        self.groups.is_unbalanced()
    }

    /// Moves the buckets of resilient groups that may move by now; number of changes.
    ///
    /// # Errors
    /// If the kernel does not tell the time.
    pub fn rebalance(&mut self) -> Result<usize, BeatError> {
        // Jiffies as they are now.
        self.beat()?;
        Ok(self.groups.rebalance(&self.maps, self.hz))
    }

    /// Empties what no packet can refer to any more, and gives it free; looks whether ports are lost that
    /// circuits lead to. To be called now and then.
    ///
    /// # Returns
    /// Whether there is more room since the last call: what found none may find some in a full pass.
    pub fn wake(&mut self) -> bool {
        self.wake_at(Instant::now());
        std::mem::take(&mut self.given_back)
    }

    fn wake_at(&mut self, now: Instant) {
        let maps = &self.maps;
        let before = maps.stores();
        circuits::look_for_lost_ports(maps);
        let woken = self.resting.wake(now);
        self.given_back |= !woken.is_empty();
        for freed in woken {
            match freed {
                Freed::Slot(slot) => self.ports.give_back(maps, slot),
                Freed::Row(row) => self.ports.give_back_row(row),
                Freed::VlanTable(table) => self.ports.give_back_vlans(maps, table),
                Freed::Domain(index) => self.domains.give_back(maps, index),
                Freed::Circuit(index) => self.circuits.give_back(maps, index),
                Freed::Vtep(index) => self.vteps.give_back(maps, index),
                Freed::Segment(index) => self.segments.give_back(maps, index),
                Freed::Number(number) => self.numbers.give_back(number),
                Freed::Nexthop(index) => self.nexthops.give_back(maps, index),
                Freed::Group(index) => self.groups.give_back(index),
                Freed::Buckets { chunk, chunks } => self.groups.give_back_buckets(chunk, chunks),
                Freed::View(index) => self.routing.views.give_back(index),
                Freed::Neighbour(index) => self.answers.give_back(maps, index),
                Freed::Fingerprint6(key) => self.routing.hosts.give_back(key),
            }
        }
        self.emptied += maps.stores() - before;
    }

    /// Removes programs, links and maps: the kernel forwards everything again.
    ///
    /// # Errors
    /// If a pin cannot be removed.
    pub fn detach_all(mut self) -> Result<(), PinError> {
        self.system.detach_all()
    }
}
