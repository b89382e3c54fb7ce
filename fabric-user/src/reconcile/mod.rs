//! From what the maps should hold to what they hold.
//!
//! The maps themselves are the state: every pass compares the desired entries with the memory of
//! the maps and stores what differs, so a pass is idempotent, a restarted daemon takes over what
//! it finds, and a full pass is an audit.
//!
//! Order: whatever is referred to is written before what refers to it (ports, domains, circuits,
//! nexthops, groups, VTEPs, routes, views, VNIs, FDB), and deletes go the other way round. What
//! nothing refers to any more rests before it is emptied or given out again ([`rest`]).
//!
//! Groups are what many things refer to, so most changes of the network are changes of a group or
//! of a next hop: a few stores, whatever hangs on them.

mod arrivals;
mod bridges;
mod fdb;
mod groups;
mod hosts;
mod indexes;
mod nexthops;
mod pool;
mod ports;
mod rest;
mod routes;
#[cfg(test)]
mod tests;
pub mod trie;
mod views;
mod vteps;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use fabric_common::schema::{
    self, buckets, circuits, domains, groups as group_map, reverse_paths, views as view_map,
    vteps as vtep_map,
};
use thiserror::Error;

use crate::{
    hashed::HashMap,
    kernel::{
        detach, heartbeat,
        links::Links,
        maps::{Maps, OpenError, mapped},
        netns,
        pins::{Instance, PinError},
        programs::{HEARTBEAT, LoadError, Programs},
    },
    model::{CircuitKey, DomainKey, GroupKey, Structure, VtepKey},
    settings::Settings,
};
pub use fdb::Macs;
use groups::{Installed, ResilientGroup};
use hosts::Hosts;
use indexes::Indexes;
use nexthops::Nexthops;
use pool::Pool;
use rest::Resting;
pub use routes::Routes;
use trie::{Recovery, Tries};
use views::{Tables, ViewKey};

/// Why the maps cannot be brought up to date.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// Programs or maps cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Maps cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Pins cannot be changed.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// Which network namespace this is is not known.
    #[error("the kernel does not tell network namespaces apart (SO_NETNS_COOKIE): {0}")]
    Network(#[source] std::io::Error),
    /// A system call on a map failed.
    #[error("cannot write the map {map}: {source}")]
    Map {
        /// The map.
        map: &'static str,
        /// The system's answer.
        source: aya::maps::MapError,
    },
    /// The heartbeat program does not run.
    #[error("cannot run the heartbeat program: {0}")]
    Heartbeat(#[from] aya::programs::ProgramError),
}

/// What one pass changed, and what it could not do.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Entries written or removed.
    pub changes: usize,
    /// Interfaces on which no program could be attached: they have to be left out.
    pub unusable: BTreeMap<u32, String>,
    /// Those of them that lack nothing but a free slot.
    pub waiting: BTreeSet<u32>,
    /// Slots of ports were freed.
    pub freed: bool,
    /// Entries that found no room, as sentences.
    pub full: BTreeSet<String>,
    /// Interfaces that became ports or redirect targets in this pass: whether they live has to be found
    /// out.
    pub new_ports: BTreeSet<u32>,
}

impl Outcome {
    fn full(&mut self, map: &str, capacity: usize, setting: &str) {
        self.full.insert(format!(
            "the map {map} is full ({capacity} entries), the rest is left to the kernel{setting}"
        ));
    }
}

/// Removes what is pinned if it belongs to another network namespace than this one, as after a node
/// that was made anew: its interfaces are others, whatever their indexes are.
fn remove_strangers(instance: &Instance, network: u64) -> Result<(), ReconcileError> {
    if !instance.exists() {
        return Ok(());
    }
    // What cannot be read is of another layout, and named as such afterwards.
    let Ok(theirs) = mapped::<schema::settings::Settings>(instance, "settings", false) else {
        return Ok(());
    };
    let of = theirs.get(0).network;
    if of != network {
        tracing::warn!(
            "the pinned maps and programs are of another network namespace (cookie {of}, this one \
             has {network}): they are removed, and everything begins anew"
        );
        instance.remove()?;
    }
    Ok(())
}

/// The writer of an instance's maps.
#[expect(missing_debug_implementations, reason = "programs and per-CPU maps have no Debug")]
pub struct Reconciler {
    instance: Instance,
    programs: Programs,
    /// The maps, for whoever wants to look.
    pub maps: Maps,
    links: Links,
    mode: aya::programs::XdpMode,
    hz: u32,
    /// Options of the flow hash that the settings chose.
    hash_options: u32,
    ports: BTreeMap<u32, u32>,
    /// Ports of which the kernel has to say whether their interface is the one that it was.
    doubted: BTreeSet<u32>,
    /// What was freed and may not be used yet.
    resting: Resting,
    /// Slots of ports among that.
    resting_slots: BTreeSet<u32>,
    /// Something was given back since [`Self::wake`] was last called.
    given_back: bool,
    /// Stores that emptied what had rested.
    emptied: u64,
    /// Rows of `reasons` by interface index.
    rows: Indexes<u32>,
    /// Tables of `vlans` by interface index.
    vlan_tables: Indexes<u32>,
    domains: Indexes<DomainKey>,
    circuits: Indexes<CircuitKey>,
    vteps: Indexes<VtepKey>,
    /// Interfaces that accept the packets of some VTEPs only; see `reverse_paths`.
    checked: Indexes<u32>,
    nexthops: Nexthops,
    groups: Indexes<GroupKey>,
    /// Ranges of `buckets`.
    pool: Pool,
    installed: HashMap<u32, Installed>,
    resilient: BTreeMap<u32, ResilientGroup>,
    inherited: HashMap<GroupKey, Vec<u16>>,
    views: Indexes<ViewKey>,
    /// Indexes of the views of the last structure, by position there.
    view_indexes: Vec<Option<u16>>,
    tables: BTreeMap<u16, Tables>,
    tries: Tries,
    hosts: Hosts,
    /// MAC addresses for which there is room in the part of `fdb` that is in use.
    macs: usize,
    /// The present pass looks at what has not changed, too.
    audit: bool,
}

impl Reconciler {
    /// Loads the programs and takes over what an earlier daemon left in the maps.
    ///
    /// # Errors
    /// If programs or maps cannot be used; what runs goes on running then.
    pub fn new(instance: Instance, settings: &Settings) -> Result<Self, ReconcileError> {
        let network = netns::cookie().map_err(ReconcileError::Network)?;
        remove_strangers(&instance, network)?;
        let mut programs = Programs::load(&instance, &settings.sizes())?;
        let maps = Maps::open(&instance, true)?;
        let hz = match maps.settings.get(0).hz {
            0 => heartbeat::measure_frequency(programs.get(HEARTBEAT)?, &maps)?,
            known => known,
        };
        let mut links = Links::default();
        // Frames of an interface that is in another network namespace by now are nothing of ours.
        if let Err(error) = links.let_go_of_strays(&instance) {
            tracing::warn!(%error, "cannot see where the programs are that run");
        }
        let ports = ports::recover(&maps);
        let mut this = Self {
            doubted: ports.keys().copied().collect(),
            resting: Resting::default(),
            given_back: false,
            emptied: 0,
            resting_slots: BTreeSet::new(),
            ports,
            rows: Indexes::new(maps.rows()),
            vlan_tables: Indexes::new(maps.vlans.len()),
            domains: Indexes::new(domains::MAX),
            circuits: Indexes::new(circuits::MAX),
            vteps: Indexes::new(vtep_map::MAX),
            checked: Indexes::new(u32::from(reverse_paths::PORTS) + 1),
            nexthops: Nexthops::new(),
            groups: Indexes::new(group_map::MAX),
            pool: Pool::new(buckets::MAX),
            installed: HashMap::default(),
            resilient: BTreeMap::new(),
            inherited: HashMap::default(),
            views: Indexes::new(view_map::MAX),
            view_indexes: Vec::new(),
            tables: BTreeMap::new(),
            tries: Recovery::new(&maps.trie).finish(),
            hosts: Hosts::new(maps.addresses6.len()),
            macs: maps.recover_fdb(),
            audit: true,
            instance,
            programs,
            maps,
            links,
            mode: settings.xdp_mode.into(),
            hash_options: settings.hash.flags(),
            hz,
        };
        this.recover_rows();
        this.recover_bridges();
        this.recover_nexthops();
        this.recover_hosts();
        this.recover_vteps();
        this.recover_arrivals();
        this.recover_groups(this.referenced_groups());
        this.recover_views();
        this.rest_gaps();
        this.configure(settings);
        this.maps.settings.update(0, |value| value.network = network);
        Ok(this)
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
    pub fn beat(&mut self) -> Result<(), ReconcileError> {
        Ok(heartbeat::beat(self.programs.get(HEARTBEAT)?)?)
    }

    /// Whether the packet path has seen an ICMP message by which the kernel may have learned something
    /// about a way, since this was last asked.
    #[must_use]
    pub fn take_path_news(&self) -> bool {
        self.maps.settings.get(0).path_news != 0
            && self.maps.settings.update(0, |settings| settings.path_news = 0)
    }

    /// Number of 64-bit stores into the maps so far, without those that emptied what had rested: those
    /// come a second after the change that they belong to.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.maps.stores() - self.emptied
    }

    /// Brings everything up to date.
    ///
    /// # Errors
    /// If a map cannot be written at all. What is in the maps then is consistent, but old.
    pub fn apply(
        &mut self,
        structure: &Structure,
        macs: Macs,
        routes: &Routes,
    ) -> Result<Outcome, ReconcileError> {
        let mut outcome = Outcome::default();
        self.wake_at(Instant::now());
        self.audit = matches!(routes, Routes::All(_));
        self.resting.begin();
        self.add_ports(structure, &mut outcome);
        if !outcome.unusable.is_empty() {
            return Ok(outcome);
        }
        self.add_domains(structure, &mut outcome);
        self.add_circuits(structure, &mut outcome);
        self.add_views(structure, &mut outcome);
        let inheritance = self.inheritance(structure, routes);
        self.inherit_groups(structure, inheritance);
        self.add_groups(structure, &mut outcome);
        self.restrict_arrivals(structure, &mut outcome);
        self.add_vteps(structure, &mut outcome);
        self.write_own(structure, &mut outcome);
        self.write_hash(structure, &mut outcome);
        self.write_routes(structure, routes, &mut outcome);
        self.route_ports(structure, &mut outcome);
        self.add_vnis(structure, &mut outcome);
        self.classify(structure, &mut outcome);
        self.write_macs(macs, &mut outcome);
        self.remove_vnis(structure, &mut outcome);
        self.remove_views(structure, &mut outcome);
        self.remove_vteps(structure, &mut outcome);
        self.allow_arrivals(structure, &mut outcome);
        self.remove_groups(structure, &mut outcome);
        self.remove_nexthops(structure, &mut outcome);
        self.remove_circuits(structure, &mut outcome);
        self.remove_domains(structure, &mut outcome);
        self.remove_ports(structure, &mut outcome);
        self.rest_superseded();
        self.resting.complete();
        if let Err(error) = self.instance.remove_other_versions() {
            tracing::warn!(%error, "maps of another version stay");
        }
        Ok(outcome)
    }

    /// Removes programs, links and maps: the kernel forwards everything again.
    ///
    /// # Errors
    /// If a pin cannot be removed.
    pub fn detach_all(mut self) -> Result<(), ReconcileError> {
        self.links.release();
        Ok(detach::detach_all(&self.instance)?)
    }
}
