//! One pass: events into the model, the model into the maps.

mod report;
mod requests;
mod sysctls;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Instant,
};

use anyhow::Context as _;

use self::sysctls::read_ipv6;
use super::{
    liveness::Watcher,
    resolution::Resolution,
    retries::Retries,
    room::Room,
    sentence,
    snapshot::{Found, Purpose, Snapshot},
    state::State,
};
use crate::{
    kernel::pins::Instance,
    model::{
        Dirty, LeftMacs, Network, NexthopKey, Policy, Structure, VtepKey, compile_route,
        compile_routes, compile_structure,
    },
    observe::{Event, Path},
    reconcile::{Macs, Outcome, Reconciler, Routes},
    settings::{Settings, XdpMode},
};

/// Everything that the daemon knows.
pub(super) struct Applier {
    pub(super) settings: Settings,
    instance: Instance,
    /// `None` while everything is detached by request, or the kernel refuses to load it anew.
    reconciler: Option<Reconciler>,
    /// Everything is detached by request.
    idle: bool,
    /// Is there as long as the reconciler is.
    watcher: Option<Watcher>,
    network: Network,
    policy: Policy,
    structure: Structure,
    left: LeftMacs,
    full: BTreeSet<String>,
    room: Room,
    /// What was said about unusable ports, which are tried again.
    warned: BTreeMap<u32, String>,
    /// When they are.
    retries: Retries,
    /// Interfaces that are left to the kernel by request, with their last names.
    detached: BTreeMap<u32, String>,
    resolution: Resolution,
    /// Why nothing can be applied before everything was read and compared anew.
    broken: Option<String>,
    /// Nobody has been told yet that it is broken.
    failed: bool,
    /// Why the heart does not beat although nothing is broken.
    heart: Option<String>,
    /// The state file cannot be written.
    is_mute: bool,
    /// Why chains of the legacy tools are not known.
    unread: Option<String>,
    state: State,
}

impl Applier {
    /// Loads programs and maps and takes over what is there.
    pub(super) fn new(instance: Instance, settings: Settings) -> anyhow::Result<Self> {
        let reconciler = Reconciler::new(instance.clone(), &settings)?;
        let watcher = Watcher::start(&instance)?;
        let policy = Policy {
            allowed: settings.ports.clone(),
            denied: settings.exclude.clone(),
            native: settings.xdp_mode == XdpMode::Native,
            redirect_targets: settings.redirect_targets.clone(),
            ignored_chains: settings.ignore_netfilter.clone(),
            // FRR may be down just now: a port without routes keeps its program all the same.
            sticky_routed: reconciler.routed(),
            ..Policy::default()
        };
        let mut this = Self {
            settings,
            instance,
            reconciler: Some(reconciler),
            idle: false,
            watcher: Some(watcher),
            network: Network::new(),
            policy,
            structure: Structure::default(),
            left: LeftMacs::default(),
            full: BTreeSet::new(),
            room: Room::default(),
            warned: BTreeMap::new(),
            retries: Retries::default(),
            detached: BTreeMap::new(),
            resolution: Resolution::default(),
            broken: None,
            failed: false,
            heart: None,
            is_mute: false,
            unread: None,
            state: State { pid: std::process::id(), ..State::default() },
        };
        this.read_sysctls();
        Ok(this)
    }

    /// Sign of life, unless it is not known that the maps are right: then the kernel knows better.
    pub(super) fn beat(&mut self) {
        if self.broken.is_none() && !self.idle && !self.instance.is_whole() {
            let folder = self.instance.folder();
            self.break_off(&anyhow::anyhow!("somebody removed pins below {}", folder.display()));
        }
        self.look_at_sysctls();
        if self.broken.is_none() {
            self.retry();
        }
        let before = self.heart.take();
        self.heart = self.try_beat().err().map(|error| sentence(&error));
        if let Some(text) = self.heart.as_ref().filter(|_| self.heart != before) {
            tracing::error!("no heartbeat: {text}");
        }
        if self.heart != before || self.counts() != (self.state.writes, self.state.liveness) {
            self.write_state();
        }
    }

    fn try_beat(&mut self) -> anyhow::Result<()> {
        if self.reconciler.is_none() {
            return Ok(());
        }
        self.keep_watching()?;
        match self.reconciler.as_mut().filter(|_| self.state.synced) {
            Some(reconciler) => Ok(reconciler.beat()?),
            None => Ok(()),
        }
    }

    /// Sees to it that links are watched.
    fn keep_watching(&mut self) -> anyhow::Result<()> {
        if self.watcher.as_ref().is_some_and(Watcher::is_alive) {
            return Ok(());
        }
        if self.watcher.take().is_some() {
            tracing::error!("the thread that watches links has ended, starting it again");
        }
        let watcher = Watcher::start(&self.instance).context("links cannot be watched")?;
        self.watcher = Some(watcher);
        Ok(())
    }

    /// The view of the network, or the maps, are not what they should be, and everything has to be read
    /// and compared anew. Nothing is applied and the heart does not beat until then.
    pub(super) fn fail(&mut self, error: &anyhow::Error) {
        let text = sentence(error);
        if self.broken.as_ref() != Some(&text) {
            tracing::error!("reading everything anew: {text}");
        }
        self.broken = Some(text);
        self.state.synced = false;
        self.write_state();
    }

    /// As [`Self::fail`] where nobody else sees to the rest.
    fn break_off(&mut self, error: &anyhow::Error) {
        self.failed = true;
        self.fail(error);
    }

    /// True once after something failed: everything has to be read anew.
    pub(super) const fn take_failure(&mut self) -> bool {
        std::mem::replace(&mut self.failed, false)
    }

    /// The maps are as the kernel's tables are.
    pub(super) const fn is_synced(&self) -> bool {
        self.state.synced
    }

    /// Neighbours to ask the kernel for at this moment.
    pub(super) fn next_to_resolve(&mut self) -> BTreeSet<NexthopKey> {
        self.resolution.next(Instant::now(), &self.network, &self.structure)
    }

    /// These could not be asked for.
    pub(super) fn resolve_later(&mut self, hops: impl IntoIterator<Item = NexthopKey>) {
        self.resolution.give_back(hops);
    }

    /// True if buckets of resilient groups wait for being idle.
    pub(super) fn is_unbalanced(&self) -> bool {
        self.reconciler.as_ref().is_some_and(Reconciler::is_unbalanced)
    }

    /// Frees what no packet on its way refers to any more, and gives it to what found no room.
    pub(super) fn wake(&mut self) {
        let Some(reconciler) = &mut self.reconciler else { return };
        let now = tokio::time::Instant::now();
        if reconciler.wake() && !self.full.is_empty() {
            self.room.given_back(now);
        }
        if self.broken.is_none() && self.state.synced && self.room.is_due(now) {
            self.apply_all();
            self.write_state();
        }
    }

    /// Moves buckets that have become idle.
    pub(super) fn rebalance(&mut self) {
        let Some(reconciler) = self.reconciler.as_mut().filter(|_| self.broken.is_none()) else {
            return;
        };
        match reconciler.rebalance() {
            Ok(changes) => tracing::debug!(changes, "buckets of resilient groups moved"),
            Err(error) => self.break_off(&error.into()),
        }
    }

    /// Messages were lost: what is in the model may be wrong.
    pub(super) fn lost(&mut self) {
        self.state.synced = false;
        self.state.resyncs += 1;
    }

    /// Whether an ICMP message was seen since this was last asked by which the kernel may have learned
    /// something about a way.
    pub(super) fn take_path_news(&self) -> bool {
        self.reconciler.as_ref().is_some_and(Reconciler::take_path_news)
    }

    /// Whether what the kernel learns by ICMP may count for packets that Fabric routes.
    pub(super) fn routes_ipv4(&self) -> bool {
        self.structure.views.iter().any(|view| !view.v4.is_empty())
    }

    /// All remote VTEPs, each address once.
    pub(super) fn vteps(&self) -> Vec<VtepKey> {
        let mut all: Vec<VtepKey> = self.structure.vteps.keys().copied().collect();
        all.sort_unstable_by_key(|key| key.remote);
        all.dedup_by_key(|key| key.remote);
        all
    }

    /// What the kernel has learned about the ways to some VTEPs.
    pub(super) fn learn(&mut self, answers: Vec<(IpAddr, Option<Path>)>) {
        let mut changed = false;
        for (remote, path) in answers {
            let learned = &mut self.policy.learned;
            let before = match path {
                Some(path) => learned.insert(remote, path),
                None => learned.remove(&remote),
            };
            changed |= before != path;
        }
        if changed && self.state.synced {
            self.apply(Some(&Dirty { underlay: true, ..Dirty::default() }));
            self.write_state();
        }
    }

    /// Applies changes; what has to be read anew a moment later.
    pub(super) fn events(&mut self, events: Vec<Event>) -> Vec<Purpose> {
        let mut dirty = Dirty::default();
        for event in events {
            self.look_at_link(&event, &mut dirty);
            self.network.apply_to(event, &mut dirty);
        }
        // The maps have to wait for the snapshot that makes them good.
        if self.broken.is_none() {
            self.update(&dirty);
        }
        let stale = [
            (dirty.routing_stale, Purpose::Routing),
            (dirty.bridges_stale, Purpose::Bridges),
            (dirty.netfilter_stale, Purpose::Netfilter),
        ];
        stale.into_iter().filter_map(|(is_stale, what)| is_stale.then_some(what)).collect()
    }

    /// What an event says of a port, as of an interface.
    fn look_at_link(&mut self, event: &Event, dirty: &mut Dirty) {
        match event {
            Event::LinkGone { ifindex } => {
                if let Some(reconciler) = &mut self.reconciler {
                    reconciler.doubt(*ifindex);
                }
                // The next interface of this index is another one.
                self.policy.unusable.remove(ifindex);
                self.policy.set_ipv6(*ifindex, None, None);
                self.warned.remove(ifindex);
                self.retries.retain(|known| known != *ifindex);
            }
            Event::Link(link) => {
                self.retries.changed(link.ifindex);
                if link.port.is_none() {
                    dirty.underlay |= read_ipv6(&mut self.policy, link.ifindex, &link.name);
                }
            }
            _ => {}
        }
    }

    /// Tries ports again that could not be used, if it is time.
    fn retry(&mut self) {
        let due = self.retries.due(Instant::now());
        if due.is_empty() {
            return;
        }
        for ifindex in due {
            self.policy.unusable.remove(&ifindex);
        }
        self.apply(Some(&Dirty::default()));
        self.write_state();
    }

    /// Whether there are bridges whose frames Fabric forwards.
    pub(super) fn has_bridges(&self) -> bool {
        !self.structure.domains.is_empty()
    }

    /// Takes a snapshot for the truth. After one of all there is, everything is compared; after another
    /// one what has changed with it.
    pub(super) fn take(&mut self, snapshot: Snapshot) {
        let Snapshot { purpose, found, since, .. } = snapshot;
        match found {
            Found::Routing(mut events) => {
                events.extend(since);
                let dirty = self.network.replace_routing(events);
                if self.broken.is_none() {
                    self.apply(Some(&dirty));
                }
            }
            Found::Bridges(mut events) => {
                events.extend(since);
                self.events(events);
                return;
            }
            Found::Netfilter(events) => {
                // Of what happened since, all was applied when it did: another dump follows where chains
                // have changed once more.
                let dirty = self.network.replace_netfilter(events);
                if self.broken.is_none() && dirty.chains {
                    self.apply(Some(&dirty));
                }
            }
            Found::All(mut network) => {
                for event in since {
                    network.apply(event);
                }
                self.network = *network;
                if let Err(error) = self.compare(purpose) {
                    self.break_off(&error);
                }
            }
        }
        self.write_state();
    }

    /// Compares everything, and counts what an audit had to correct.
    fn compare(&mut self, purpose: Purpose) -> anyhow::Result<()> {
        self.renew()?;
        self.read_sysctls();
        for link in self.network.links().filter(|link| link.port.is_none()) {
            read_ipv6(&mut self.policy, link.ifindex, &link.name);
        }
        // What could not be attached may be free by now.
        self.policy.unusable.clear();
        let corrections = self.apply_all().changes as u64;
        self.broken = None;
        let was_synced = std::mem::replace(&mut self.state.synced, true);
        if purpose == Purpose::Audit && was_synced {
            self.state.audits += 1;
            self.state.audit_corrections += corrections;
            if corrections > 0 {
                tracing::warn!(corrections, "the audit corrected entries");
            }
        }
        Ok(())
    }

    /// Makes programs and maps anew if they are not there, although nobody asked for that by
    /// `fabricctl`: without pins nobody can look at them and no other daemon can take them over.
    fn renew(&mut self) -> anyhow::Result<()> {
        if self.idle || self.reconciler.is_some() && self.instance.is_whole() {
            return Ok(());
        }
        self.watcher = None;
        if self.reconciler.take().is_some() {
            tracing::warn!("programs and maps are made anew, because their pins have gone");
        }
        self.instance.remove()?;
        self.load()
    }

    /// Loads programs and maps that are not there.
    fn load(&mut self) -> anyhow::Result<()> {
        self.reconciler = Some(Reconciler::new(self.instance.clone(), &self.settings)?);
        self.structure = Structure::default();
        self.idle = false;
        self.keep_watching()
    }

    fn update(&mut self, dirty: &Dirty) {
        if dirty.needs_structure(&self.network, &self.structure) {
            self.apply(Some(dirty));
            self.write_state();
            return;
        }
        let (macs, routes) = (self.macs(dirty), self.routes(dirty, &self.structure));
        let nothing = matches!(&macs, Macs::Some(macs) if macs.is_empty())
            && matches!(&routes, Routes::Some(routes) if routes.is_empty());
        if let Some(reconciler) = self.reconciler.as_mut().filter(|_| !nothing) {
            let start = Instant::now();
            let outcome = reconciler.apply_entries(&self.structure, macs, &routes);
            tracing::debug!(changes = outcome.changes, elapsed = ?start.elapsed(), "entries");
            if self.record(&outcome) {
                self.write_state();
            }
        }
    }

    /// The MACs that a change may have affected, if the structure is as it was.
    fn macs(&mut self, dirty: &Dirty) -> Macs {
        let Self { network, structure, left, .. } = self;
        let compile = |key| (key, left.compile_mac(network, structure, key));
        Macs::Some(dirty.macs.iter().copied().map(compile).collect())
    }

    /// The routes that a change may have affected, if routes compile as under the last structure.
    fn routes(&self, dirty: &Dirty, structure: &Structure) -> Routes {
        if dirty.all_routes {
            return Routes::All(compile_routes(&self.network, structure).collect());
        }
        let compile = |place| (place, compile_route(&self.network, structure, place));
        let places = dirty.places(&self.network, structure, &self.structure);
        Routes::Some(places.into_iter().map(compile).collect())
    }

    /// Compiles and applies everything.
    fn apply_all(&mut self) -> Outcome {
        self.apply(None)
    }

    /// Compiles and applies the structure, and of MACs and routes what `changed`, or all of them.
    /// Ports that turn out to be unusable are left out.
    fn apply(&mut self, changed: Option<&Dirty>) -> Outcome {
        if self.reconciler.is_none() {
            return Outcome::default();
        }
        let start = Instant::now();
        self.follow_detached();
        loop {
            let structure = compile_structure(&self.network, &self.policy);
            let routes = match changed {
                Some(dirty) if structure.routes_like(&self.structure) => {
                    self.routes(dirty, &structure)
                }
                _ => Routes::All(compile_routes(&self.network, &structure).collect()),
            };
            let macs_like = structure.macs_like(&self.structure);
            let before = std::mem::replace(&mut self.structure, structure);
            self.resolution.follow(&before, &self.structure);
            let macs = match changed {
                Some(dirty) if macs_like && !dirty.all_macs() => self.macs(dirty),
                _ => Macs::All(self.left.compile_fdb(&self.network, &self.structure)),
            };
            self.policy.sticky_routed = self.structure.routed();
            let Some(reconciler) = &mut self.reconciler else { return Outcome::default() };
            let compiled = start.elapsed();
            let outcome = reconciler.apply(&self.structure, macs, &routes);
            for ifindex in &outcome.new_ports {
                if let Some(watcher) = &self.watcher {
                    watcher.added(*ifindex);
                }
            }
            if outcome.unusable.is_empty() {
                if changed.is_none() {
                    // What is said already is not said again.
                    self.full.retain(|text| outcome.full.contains(text));
                }
                self.record(&outcome);
                if outcome.freed {
                    self.retries.freed(Instant::now());
                }
                self.retries.retain(|ifindex| self.policy.unusable.contains_key(&ifindex));
                let all = matches!(routes, Routes::All(_));
                let elapsed = start.elapsed();
                tracing::debug!(changes = outcome.changes, all, ?compiled, ?elapsed, "applied");
                return outcome;
            }
            for (ifindex, text) in &outcome.unusable {
                self.retries.failed(*ifindex, outcome.waiting.contains(ifindex), start);
                if self.warned.insert(*ifindex, text.clone()).as_ref() != Some(text) {
                    tracing::warn!("{text}");
                }
            }
            if outcome.freed {
                self.retries.freed(Instant::now());
            }
            self.policy.unusable.extend(outcome.unusable);
            // Nothing but ports was written: what is in the maps is what was there before.
            self.structure = before;
        }
    }

    /// Ends: leaves everything in place for the next daemon, or takes it off if the settings say
    /// so.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        if !self.settings.detach_on_exit {
            tracing::info!(
                "programs and maps stay; the kernel takes over in {} ms unless a daemon does",
                self.settings.heartbeat_timeout_ms
            );
            return Ok(());
        }
        self.watcher = None;
        if let Some(reconciler) = self.reconciler.take() {
            reconciler.detach_all()?;
            tracing::info!("programs and maps are off, the kernel forwards");
        }
        Ok(())
    }
}
