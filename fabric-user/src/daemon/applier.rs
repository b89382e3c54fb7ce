//! News into the model, the model into the maps.

mod heart;
mod pass;
mod report;
mod requests;
mod sysctls;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use self::sysctls::{may_have_ipv6, read_arp_pvlan_of, read_has_ipv6, read_ipv6};
use super::{
    agenda::Agenda,
    follower::News,
    liveness::Watcher,
    premises::Premises,
    resolution::Resolution,
    retries::Retries,
    room::Room,
    sentence,
    snapshot::{Failed, Found, Purpose, Snapshot},
    sources::Sources,
    state::State,
};
use crate::{
    kernel::pins::Instance,
    metrics::Board,
    model::{
        Asked, Compiled, Dirty, DomainKey, FdbKey, Network, NexthopKey, Policy, Structure, VtepKey,
        compile_structure,
    },
    observe::{Asker, Batch, Event, LinkKind, ObserveError, Path, Source, SourceQuestion},
    reconcile::Reconciler,
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
    compiled: Compiled,
    full: BTreeSet<String>,
    room: Room,
    /// What was said about unusable ports, which are tried again.
    warned: BTreeMap<u32, String>,
    /// When they are.
    retries: Retries,
    /// What metrics tell beside the maps.
    pub(super) board: Arc<Board>,
    /// Interfaces that are left to the kernel by request, with their last names.
    detached: BTreeMap<u32, String>,
    resolution: Resolution,
    sources: Sources,
    /// Why nothing can be applied before everything was read and compared anew.
    broken: Option<String>,
    /// Why the heart does not beat although nothing is broken.
    heart: Option<String>,
    /// The state file cannot be written.
    is_mute: bool,
    /// Why chains of the legacy tools are not known.
    unread: Option<String>,
    /// What is to be read anew.
    agenda: Agenda,
    state: State,
    /// As they were last written, if they were.
    premises: Option<Premises>,
}

impl Applier {
    /// Loads programs and maps and takes over what is there.
    pub(super) fn new(
        instance: Instance,
        settings: Settings,
        agenda: Agenda,
    ) -> anyhow::Result<Self> {
        let reconciler = Reconciler::new(instance.clone(), &settings)?;
        let board = Arc::new(Board::default());
        let watcher = Watcher::start(&instance, &board)?;
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
            compiled: Compiled::default(),
            full: BTreeSet::new(),
            room: Room::default(),
            warned: BTreeMap::new(),
            retries: Retries::default(),
            board,
            detached: BTreeMap::new(),
            resolution: Resolution::default(),
            sources: Sources::default(),
            broken: None,
            heart: None,
            is_mute: false,
            unread: None,
            agenda,
            state: State { pid: std::process::id(), ..State::default() },
            premises: None,
        };
        this.read_sysctls();
        Ok(this)
    }

    /// What the maps hold.
    fn structure(&self) -> &Structure {
        self.compiled.structure()
    }

    /// The maps are as the kernel's tables are.
    pub(super) const fn is_synced(&self) -> bool {
        self.state.synced
    }

    /// Neighbours to ask the kernel for at this moment.
    pub(super) fn next_to_resolve(&mut self) -> BTreeSet<NexthopKey> {
        let uses = self.reconciler.as_ref().map(Reconciler::uses);
        let is_used = |hop: &NexthopKey| uses.as_ref().is_some_and(|is_used| is_used(hop));
        self.resolution.next(Instant::now(), &self.network, self.compiled.structure(), is_used)
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
        if self.state.synced && self.room.is_due(now) {
            self.apply(&Dirty::everything());
        }
    }

    /// Moves buckets that have become idle.
    pub(super) fn rebalance(&mut self) {
        let Some(reconciler) = self.reconciler.as_mut().filter(|_| self.broken.is_none()) else {
            return;
        };
        match reconciler.rebalance() {
            Ok(changes) => tracing::debug!(changes, "buckets of resilient groups moved"),
            // The next beat says so.
            Err(error) => tracing::debug!(%error, "buckets of resilient groups stay"),
        }
    }

    /// Takes in what the follower has heard or read; the oldest of what it tells was `heard` then.
    pub(super) fn take(&mut self, news: News, heard: Instant) {
        match news {
            News::Batch(Batch::Events(events)) => self.events(events, heard),
            News::Batch(Batch::Lost) => self.lost(),
            News::Snapshot(snapshot) => self.take_snapshot(snapshot),
            News::Failed(Failed { purpose: Purpose::Audit, error }, wait) => {
                tracing::warn!(
                    "no audit now, the next one comes in {wait:?}: {}",
                    sentence(&error)
                );
            }
            News::Failed(Failed { error, .. }, _) => self.fail(&error),
        }
    }

    /// Messages were lost: what is in the model may be wrong.
    fn lost(&mut self) {
        tracing::warn!("the kernel dropped messages, reading everything anew");
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
        self.structure().views.iter().any(|view| !view.v4.is_empty())
    }

    /// All remote VTEPs, each address of an underlay once.
    pub(super) fn vteps(&self) -> Vec<VtepKey> {
        let mut all: Vec<VtepKey> = self.structure().vteps.keys().copied().collect();
        all.sort_unstable_by_key(|key| self.asked(*key));
        all.dedup_by_key(|key| self.asked(*key));
        all
    }

    /// What the kernel is asked about to know the way to a VTEP: the VRF to look in, if it is one, and the address.
    pub(super) fn asked(&self, vtep: VtepKey) -> Asked {
        self.structure().asked(vtep)
    }

    /// Forgets what the kernel has learned about ways that it is not asked about any more.
    pub(super) fn forget_ways(&mut self) {
        let structure = self.compiled.structure();
        let asked: BTreeSet<Asked> =
            structure.vteps.keys().map(|vtep| structure.asked(*vtep)).collect();
        self.policy.learned.retain(|way, _| asked.contains(way));
    }

    /// What the kernel has learned about the ways to some VTEPs.
    pub(super) fn learn(&mut self, answers: Vec<(Asked, Option<Path>)>) {
        let mut changed = false;
        for (asked, path) in answers {
            let learned = &mut self.policy.learned;
            let before = match path {
                Some(path) => learned.insert(asked, path),
                None => learned.remove(&asked),
            };
            changed |= before != path;
        }
        if changed && self.state.synced {
            self.apply(&Dirty::policy());
        }
    }

    /// Asks the kernel from which addresses it sends, before anything is compared for the first time: else tunnels
    /// that the daemon before has left in the maps would not be wanted until the answers have come.
    fn ask_sources(&mut self) {
        let questions = compile_structure(&self.network, &self.policy).questions;
        // What is not answered now the next turn asks, as at any time.
        let unanswered = |error: ObserveError| {
            tracing::debug!(%error, "the kernel does not say from where it sends");
        };
        let mut asker = match Asker::open() {
            Ok(asker) => asker,
            Err(error) => return unanswered(error),
        };
        for question in questions {
            match asker.source(question) {
                Ok(source) => self.policy.sources.extend(source.map(|it| (question, it))),
                Err(error) => unanswered(error),
            }
        }
    }

    /// What to ask the kernel at this moment about the addresses from which it sends.
    pub(super) fn next_sources(&mut self) -> Vec<SourceQuestion> {
        self.sources.next(self.compiled.structure())
    }

    /// The answers.
    pub(super) fn take_sources(&mut self, answers: Vec<(SourceQuestion, Option<Source>)>) {
        let sources = &mut self.policy.sources;
        let mut changed = false;
        for (question, source) in answers {
            let before = match source {
                Some(source) => sources.insert(question, source),
                None => sources.remove(&question),
            };
            changed |= before != source;
        }
        let asked = &self.compiled.structure().questions;
        sources.retain(|question, _| asked.contains(question));
        if changed && self.state.synced {
            self.apply(&Dirty::policy());
        }
    }

    /// Applies changes of which the kernel has told, after some of which others follow untold.
    fn events(&mut self, events: Vec<Event>, heard: Instant) {
        events.iter().for_each(|event| self.count(event));
        let dirty = self.observe(events);
        if dirty.sources {
            self.sources.changed();
        }
        for (is_stale, what) in [
            (dirty.routing_stale, Purpose::Routing),
            (dirty.bridges_stale, Purpose::BridgesByVlan),
            (dirty.netfilter_stale, Purpose::Netfilter),
        ] {
            if is_stale {
                self.agenda.is_stale(what);
            }
        }
        if self.apply(&dirty) > 0 {
            self.board.apply.observe(heard.elapsed());
        }
    }

    /// Counts what the kernel tells, and addresses that are elsewhere by it.
    fn count(&self, event: &Event) {
        self.board.message(event);
        let Event::BridgeMac(entry) = event else { return };
        let domain = DomainKey { bridge: entry.bridge, vlan: entry.vlan };
        let before = self.network.bridge_mac(FdbKey { domain, mac: entry.mac });
        if before.is_some_and(|station| station.port != entry.port) {
            let port = self.network.link(entry.port);
            let to_vtep = port.is_some_and(|port| matches!(port.kind, LinkKind::Vxlan(_)));
            self.board.moved(to_vtep);
        }
    }

    /// Takes events into the model, and says what they affect.
    fn observe(&mut self, events: Vec<Event>) -> Dirty {
        let mut dirty = Dirty::default();
        for event in events {
            self.look_at_link(&event, &mut dirty);
            self.network.apply_to(event, &mut dirty);
        }
        dirty
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
                self.policy.set_has_ipv6(*ifindex, true);
                self.warned.remove(ifindex);
                self.retries.retain(|known| known != *ifindex);
            }
            Event::Link(link) => {
                self.retries.changed(link.ifindex);
                read_arp_pvlan_of(&mut self.policy, link);
                if may_have_ipv6(link) {
                    dirty.underlay |= read_ipv6(&mut self.policy, link.ifindex, &link.name);
                }
                // Of some routes that come and go with it the kernel tells nobody.
                let has_changed = read_has_ipv6(&mut self.policy, link);
                dirty.underlay |= has_changed;
                dirty.routing_stale |= has_changed;
            }
            _ => {
                for ifindex in event.may_switch_ipv6() {
                    if let Some(link) = self.network.link(ifindex) {
                        let has_changed = read_has_ipv6(&mut self.policy, link);
                        dirty.underlay |= has_changed;
                        dirty.routing_stale |= has_changed;
                    }
                }
            }
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
        self.apply(&Dirty::policy());
    }

    /// Takes a snapshot for the truth. After one of all there is, everything is compared; after another
    /// one what has changed with it.
    fn take_snapshot(&mut self, snapshot: Snapshot) {
        let Snapshot { purpose, found, since, .. } = snapshot;
        match found {
            Found::Routing(mut events) => {
                events.extend(since);
                let dirty = self.network.replace_routing(events);
                self.apply(&dirty);
            }
            Found::Bridges(mut events) => {
                events.extend(since);
                // What has happened since has put on the agenda what follows when it was told, and the
                // links of a dump, which are no news, are not read for their own sake.
                let dirty = self.observe(events);
                self.apply(&dirty);
            }
            Found::Netfilter(events) => {
                // Of what happened since, all was applied when it did: another dump follows where chains
                // have changed once more.
                let dirty = self.network.replace_netfilter(events);
                self.apply(&dirty);
            }
            Found::All(mut network) => {
                for event in since {
                    network.apply(event);
                }
                network.inherit(&self.network);
                self.network = *network;
                match self.compare(purpose) {
                    Ok(()) => self.write_state(),
                    Err(error) => self.break_off(&error),
                }
            }
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
