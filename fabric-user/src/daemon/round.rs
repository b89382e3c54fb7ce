//! One round: events into the model, the model into the maps.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    Liveness, Request, Response,
    liveness::Watcher,
    retries::Retries,
    state::State,
    survey::{Found, Purpose, Survey},
    sysctl,
};
use crate::{
    kernel::pins::Instance,
    model::{
        Dirty, LeftMacs, Network, NexthopKey, Pattern, Policy, Structure, compile_route,
        compile_routes, compile_structure, stale_hosts,
    },
    observe::Event,
    reconcile::{Macs, Outcome, Reconciler, Routes},
    settings::Settings,
};

/// Neighbours that the kernel is asked for at once.
const RESOLVED_AT_ONCE: usize = 256;

/// Everything that the daemon knows.
pub(super) struct Round {
    pub(super) settings: Settings,
    instance: Instance,
    /// `None` while everything is detached by request.
    reconciler: Option<Reconciler>,
    /// Is there as long as the reconciler is.
    watcher: Option<Watcher>,
    network: Network,
    policy: Policy,
    structure: Structure,
    left: LeftMacs,
    full: BTreeSet<String>,
    /// What was said about unusable ports, which are tried again.
    warned: BTreeMap<u32, String>,
    /// When they are.
    retries: Retries,
    detached: BTreeSet<String>,
    /// The neighbour that the kernel was asked for last.
    resolved: Option<NexthopKey>,
    state: State,
}

impl Round {
    /// Loads programs and maps and takes over what is there.
    pub(super) fn new(instance: Instance, settings: Settings) -> anyhow::Result<Self> {
        let reconciler = Reconciler::new(instance.clone(), &settings)?;
        let watcher = Watcher::start(&instance)?;
        let or_64 = |path| {
            let number = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
            number.unwrap_or(64)
        };
        let policy = Policy {
            allowed: settings.ports.clone(),
            denied: settings.exclude.clone(),
            default_ttl: or_64("/proc/sys/net/ipv4/ip_default_ttl"),
            default_hop_limit: or_64("/proc/sys/net/ipv6/conf/default/hop_limit"),
            multipath: sysctl::multipath(),
            // FRR may be down just now: a port without routes keeps its program all the same.
            sticky_routed: reconciler.routed(),
            ..Policy::default()
        };
        Ok(Self {
            settings,
            instance,
            reconciler: Some(reconciler),
            watcher: Some(watcher),
            network: Network::new(),
            policy,
            structure: Structure::default(),
            left: LeftMacs::default(),
            full: BTreeSet::new(),
            warned: BTreeMap::new(),
            retries: Retries::default(),
            detached: BTreeSet::new(),
            resolved: None,
            state: State { pid: std::process::id(), ..State::default() },
        })
    }

    /// Sign of life.
    pub(super) fn beat(&mut self) -> anyhow::Result<()> {
        if self.watcher.as_ref().is_some_and(|watcher| !watcher.is_alive()) {
            anyhow::bail!("the thread that watches links has ended; see the log above");
        }
        // Until it is known what was missed, the kernel knows better.
        if let Some(reconciler) = self.reconciler.as_mut().filter(|_| self.state.synced) {
            reconciler.beat()?;
            self.retry()?;
        }
        if self.counts() != (self.state.writes, self.state.liveness) {
            self.write_state();
        }
        Ok(())
    }

    /// Looks whether settings of the kernel have changed of which it does not tell.
    pub(super) fn look_at_sysctls(&mut self) -> anyhow::Result<()> {
        let multipath = sysctl::multipath();
        if multipath == self.policy.multipath {
            return Ok(());
        }
        tracing::info!(?multipath, "the kernel chooses among next hops by other fields now");
        self.policy.multipath = multipath;
        // Until something was read there is nothing to choose among.
        if self.state.synced {
            self.round(Some(&Dirty { underlay: true, ..Dirty::default() }))?;
            self.write_state();
        }
        Ok(())
    }

    /// Stores into the maps, by the main loop and by link events.
    fn counts(&self) -> (u64, Liveness) {
        let writes = self.reconciler.as_ref().map_or(0, Reconciler::writes);
        (writes, self.watcher.as_ref().map_or_else(Liveness::default, Watcher::report))
    }

    /// Neighbours for which the kernel has to be asked: those that nothing has resolved yet, and
    /// those whose entry is stale, because XDP sends past the kernel and so never confirms one.
    /// When there are too many for once, the next call goes on behind the last one.
    pub(super) fn next_to_resolve(&mut self) -> Vec<NexthopKey> {
        let stale = |hop: &&NexthopKey| self.network.neighbour(**hop).is_some_and(|n| n.is_stale());
        let watched = self.structure.watched.iter().filter(stale);
        let mut all: BTreeSet<NexthopKey> =
            self.structure.unresolved.iter().chain(watched).copied().collect();
        all.extend(stale_hosts(&self.network, &self.structure));
        let later = all.iter().filter(|hop| Some(**hop) > self.resolved);
        let earlier = all.iter().filter(|hop| Some(**hop) <= self.resolved);
        let chosen: Vec<_> = later.chain(earlier).take(RESOLVED_AT_ONCE).copied().collect();
        self.resolved = chosen.last().copied();
        chosen
    }

    /// True if buckets of resilient groups wait for being idle.
    pub(super) fn is_unbalanced(&self) -> bool {
        self.reconciler.as_ref().is_some_and(Reconciler::is_unbalanced)
    }

    /// Moves buckets that have become idle.
    pub(super) fn rebalance(&mut self) -> anyhow::Result<()> {
        if let Some(reconciler) = &mut self.reconciler {
            let outcome = reconciler.rebalance()?;
            tracing::debug!(changes = outcome.changes, "buckets of resilient groups moved");
        }
        Ok(())
    }

    /// Messages were lost: what is in the model may be wrong.
    pub(super) fn lost(&mut self) {
        self.state.synced = false;
        self.state.resyncs += 1;
    }

    /// Applies changes; what has to be read anew a moment later.
    pub(super) fn events(&mut self, events: Vec<Event>) -> anyhow::Result<Vec<Purpose>> {
        let mut dirty = Dirty::default();
        for event in events {
            self.look_at_link(&event);
            self.network.apply_to(event, &mut dirty);
        }
        self.update(&dirty)?;
        let stale =
            [(dirty.routing_stale, Purpose::Routing), (dirty.bridges_stale, Purpose::Bridges)];
        Ok(stale.into_iter().filter_map(|(is_stale, what)| is_stale.then_some(what)).collect())
    }

    /// What an event says of a port, as of an interface.
    fn look_at_link(&mut self, event: &Event) {
        match event {
            Event::LinkGone { ifindex } => {
                if let Some(reconciler) = &mut self.reconciler {
                    reconciler.doubt(*ifindex);
                }
                // The next interface of this index is another one.
                self.policy.unusable.remove(ifindex);
                self.warned.remove(ifindex);
                self.retries.retain(|known| known != *ifindex);
            }
            Event::Link(link) => self.retries.changed(link.ifindex),
            _ => {}
        }
    }

    /// Tries ports again that could not be used, if it is time.
    fn retry(&mut self) -> anyhow::Result<()> {
        let due = self.retries.due(Instant::now());
        if due.is_empty() {
            return Ok(());
        }
        for ifindex in due {
            self.policy.unusable.remove(&ifindex);
        }
        self.round(Some(&Dirty::default()))?;
        self.write_state();
        Ok(())
    }

    /// Whether there are bridges whose frames Fabric forwards.
    pub(super) fn has_bridges(&self) -> bool {
        !self.structure.domains.is_empty()
    }

    /// Takes a survey for the truth. After one of all there is, everything is compared; after another
    /// one what has changed with it.
    pub(super) fn take(&mut self, survey: Survey) -> anyhow::Result<()> {
        let Survey { purpose, found, since } = survey;
        match found {
            Found::Routing(mut events) => {
                events.extend(since);
                let dirty = self.network.replace_routing(events);
                self.round(Some(&dirty))?;
            }
            Found::Bridges(mut events) => {
                events.extend(since);
                self.events(events)?;
                return Ok(());
            }
            Found::All(mut network) => {
                for event in since {
                    network.apply(event);
                }
                self.network = *network;
                self.compare(purpose)?;
            }
        }
        self.write_state();
        Ok(())
    }

    /// Compares everything, and counts what an audit had to correct.
    fn compare(&mut self, purpose: Purpose) -> anyhow::Result<()> {
        // What could not be attached may be free by now.
        self.policy.unusable.clear();
        if purpose != Purpose::Audit {
            self.full_round()?;
            self.state.synced = true;
            return Ok(());
        }
        let corrections = self.full_round()?.changes as u64;
        self.state.audits += 1;
        self.state.audit_corrections += corrections;
        if corrections > 0 {
            tracing::warn!(corrections, "the audit corrected entries");
        }
        Ok(())
    }

    fn update(&mut self, dirty: &Dirty) -> anyhow::Result<()> {
        if dirty.needs_structure(&self.network, &self.structure) {
            self.round(Some(dirty))?;
            self.write_state();
            return Ok(());
        }
        let (macs, routes) = (self.macs(dirty), self.routes(dirty, &self.structure));
        let nothing = matches!(&macs, Macs::Some(macs) if macs.is_empty())
            && matches!(&routes, Routes::Some(routes) if routes.is_empty());
        if let Some(reconciler) = self.reconciler.as_mut().filter(|_| !nothing) {
            let start = Instant::now();
            let outcome = reconciler.apply_entries(&self.structure, macs, &routes);
            tracing::debug!(changes = outcome.changes, elapsed = ?start.elapsed(), "entries");
            if self.note(&outcome) {
                self.write_state();
            }
        }
        Ok(())
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
    fn full_round(&mut self) -> anyhow::Result<Outcome> {
        self.round(None)
    }

    /// Compiles and applies the structure, and of MACs and routes what `changed`, or all of them.
    /// Ports that turn out to be unusable are left out.
    fn round(&mut self, changed: Option<&Dirty>) -> anyhow::Result<Outcome> {
        if self.reconciler.is_none() {
            return Ok(Outcome::default());
        }
        let start = Instant::now();
        loop {
            let structure = compile_structure(&self.network, &self.policy);
            let routes = match changed {
                Some(dirty) if structure.routes_like(&self.structure) => {
                    self.routes(dirty, &structure)
                }
                _ => Routes::All(compile_routes(&self.network, &structure).collect()),
            };
            let macs_like = structure.domains == self.structure.domains
                && structure.circuits == self.structure.circuits
                && structure.vteps.keys().eq(self.structure.vteps.keys());
            let before = std::mem::replace(&mut self.structure, structure);
            let macs = match changed {
                Some(dirty) if macs_like && !dirty.all_macs() => self.macs(dirty),
                _ => Macs::All(self.left.compile_fdb(&self.network, &self.structure)),
            };
            self.policy.sticky_routed = self.structure.routed();
            let Some(reconciler) = &mut self.reconciler else { return Ok(Outcome::default()) };
            let compiled = start.elapsed();
            let outcome = reconciler.apply(&self.structure, macs, &routes)?;
            for ifindex in &outcome.new_ports {
                if let Some(watcher) = &self.watcher {
                    watcher.added(*ifindex);
                }
            }
            if outcome.unusable.is_empty() {
                if changed.is_none() {
                    self.full.clear();
                }
                self.note(&outcome);
                if outcome.freed {
                    self.retries.freed(start);
                }
                self.retries.retain(|ifindex| self.policy.unusable.contains_key(&ifindex));
                let all = matches!(routes, Routes::All(_));
                let elapsed = start.elapsed();
                tracing::debug!(changes = outcome.changes, all, ?compiled, ?elapsed, "round");
                return Ok(outcome);
            }
            for (ifindex, text) in &outcome.unusable {
                self.retries.failed(*ifindex, outcome.waiting.contains(ifindex), start);
                if self.warned.insert(*ifindex, text.clone()).as_ref() != Some(text) {
                    tracing::warn!("{text}");
                }
            }
            self.policy.unusable.extend(outcome.unusable);
            // Nothing but ports was written: what is in the maps is what was there before.
            self.structure = before;
        }
    }

    /// Remembers and says what found no room; true if that is news.
    fn note(&mut self, outcome: &Outcome) -> bool {
        let known = self.full.len();
        for text in &outcome.full {
            if self.full.insert(text.clone()) {
                tracing::warn!("{text}");
            }
        }
        self.full.len() > known
    }

    fn write_state(&mut self) {
        let name = |ifindex: &u32| self.network.name(*ifindex);
        let declined = self.structure.declined.iter().map(|(ifindex, why)| {
            let name = name(ifindex);
            let why = if self.detached.contains(&name) {
                format!("detached by request; `fabricctl attach {name}` ends that")
            } else {
                why.clone()
            };
            (name, why)
        });
        self.state.declined = declined.collect();
        let problems = self.structure.problems.iter().map(|p| p.text.clone());
        let macs = self.left.problems(&self.network).into_iter().map(|p| p.text);
        self.state.problems = problems.chain(macs).chain(self.full.iter().cloned()).collect();
        self.state.notes = self.structure.notes.iter().cloned().collect();
        (self.state.writes, self.state.liveness) = self.counts();
        self.state.unresolved = self
            .structure
            .unresolved
            .iter()
            .map(|hop| format!("{} on {}", hop.gateway, name(&hop.ifindex)))
            .collect();
        self.state.written =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if let Err(error) = self.state.write(&self.settings.run_file("json")) {
            tracing::warn!(%error, "cannot write the state file");
        }
    }

    /// What is accelerated, in one line.
    pub(super) fn summary(&self) -> String {
        let s = &self.structure;
        format!(
            "in sync: {} ports, {} bridge domains, {} VTEPs, {} MACs known",
            s.ports.len(),
            s.domains.len(),
            s.vteps.len(),
            self.network.mac_count()
        )
    }

    /// Does what somebody asked on the socket.
    pub(super) fn control(&mut self, request: Request) -> Response {
        let done = match request {
            Request::Detach(names) if names.is_empty() => self.detach_all(),
            Request::Detach(names) => self.change_detached(&names, true),
            Request::Attach(names) => self.attach(&names),
        };
        self.write_state();
        done.map_or_else(|error| Response::Failed(format!("{error:#}")), Response::Done)
    }

    fn detach_all(&mut self) -> anyhow::Result<String> {
        self.watcher = None;
        if let Some(reconciler) = self.reconciler.take() {
            reconciler.detach_all()?;
        }
        self.structure = Structure::default();
        Ok("all programs and maps are off; `fabricctl attach` puts them back".into())
    }

    fn attach(&mut self, names: &[String]) -> anyhow::Result<String> {
        if !names.is_empty() {
            if self.reconciler.is_none() {
                anyhow::bail!(
                    "everything is detached; `fabricctl attach` without a port puts it back"
                );
            }
            return self.change_detached(names, false);
        }
        if self.reconciler.is_none() {
            self.reconciler = Some(Reconciler::new(self.instance.clone(), &self.settings)?);
            self.watcher = Some(Watcher::start(&self.instance)?);
        }
        self.detached.clear();
        self.after_change("all ports are in use again")
    }

    /// Detaches or attaches all of `names`, or none if one of them cannot be meant.
    fn change_detached(&mut self, names: &[String], detach: bool) -> anyhow::Result<String> {
        for name in names {
            if detach && !self.network.links().any(|link| link.name == *name) {
                anyhow::bail!("there is no interface {name}");
            }
            if !detach && !self.detached.contains(name) {
                anyhow::bail!("port {name} was not detached");
            }
        }
        for name in names {
            if detach {
                self.detached.insert(name.clone());
            } else {
                self.detached.remove(name);
            }
        }
        let list = names.join(", ");
        self.after_change(&if detach {
            format!("left to the kernel: {list}")
        } else {
            format!("in use again: {list}")
        })
    }

    fn after_change(&mut self, text: &str) -> anyhow::Result<String> {
        let detached = self.detached.iter().map(Pattern::new);
        self.policy.denied = self.settings.exclude.iter().cloned().chain(detached).collect();
        self.policy.unusable = BTreeMap::new();
        self.full_round()?;
        self.beat()?;
        Ok(text.into())
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
