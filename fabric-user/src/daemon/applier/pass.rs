//! One pass: what a change has made different is compiled and written.

use std::{mem, time::Instant};

use super::{
    super::snapshot::Purpose,
    Applier,
    sysctls::{may_have_ipv6, read_ipv6},
};
use crate::{
    model::{Changes, Compiled, Dirty},
    reconcile::{Outcome, Reconciler},
};

impl Applier {
    /// Compares everything, and counts what an audit had to correct.
    pub(super) fn compare(&mut self, purpose: Purpose) -> anyhow::Result<()> {
        self.renew()?;
        self.read_sysctls();
        for link in self.network.links().filter(|link| may_have_ipv6(link)) {
            read_ipv6(&mut self.policy, link.ifindex, &link.name);
        }
        // What could not be attached may be free by now.
        self.policy.unusable.clear();
        if self.policy.sources.is_empty() && self.network.has_sources_to_ask() {
            self.ask_sources();
        }
        let corrections = self.pass(&Dirty::everything()) as u64;
        self.broken = None;
        self.board.compared();
        let was_synced = mem::replace(&mut self.state.synced, true);
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
    pub(super) fn load(&mut self) -> anyhow::Result<()> {
        self.reconciler = Some(Reconciler::new(self.instance.clone(), &self.settings)?);
        self.compiled = Compiled::default();
        self.idle = false;
        self.keep_watching()
    }

    /// As [`Self::pass`], unless the maps have to wait for the snapshot that makes them good. Number of changes.
    pub(super) fn apply(&mut self, dirty: &Dirty) -> usize {
        if self.broken.is_none() { self.pass(dirty) } else { 0 }
    }

    /// Compiles and applies what a change has made different. Ports that turn out to be unusable are left
    /// out. Number of changes in the maps.
    pub(super) fn pass(&mut self, dirty: &Dirty) -> usize {
        if self.reconciler.is_none() {
            return 0;
        }
        let start = Instant::now();
        self.follow_detached();
        loop {
            let changes = self.compiled.update(&self.network, &self.policy, dirty);
            let Some(reconciler) = self.reconciler.as_mut().filter(|_| !changes.is_empty()) else {
                return 0;
            };
            let (compiled, is_all) = (start.elapsed(), changes.is_all());
            let Changes { before, routes, macs, answers } = changes;
            let structure = self.compiled.structure();
            let Some(before) = before else {
                let outcome = reconciler.apply_entries(structure, &routes, macs, &answers);
                let elapsed = start.elapsed();
                tracing::debug!(changes = outcome.changes, ?compiled, ?elapsed, "entries");
                if self.record(&outcome) {
                    self.write_state();
                }
                return outcome.changes;
            };
            self.resolution.follow(&before.structure, structure);
            self.sources.changed();
            self.policy.sticky_routed = structure.routed();
            self.policy.sticky_local.clone_from(&structure.local);
            let outcome = reconciler.apply(structure, &routes, macs, &answers);
            for (port, interface) in &outcome.new_ports {
                if let Some(watcher) = &self.watcher {
                    watcher.added(*port, *interface);
                }
            }
            self.leave_out(&outcome, start);
            if outcome.unusable.is_empty() {
                if is_all {
                    // What is said already is not said again.
                    self.full.retain(|text| outcome.full.contains(text));
                }
                self.record(&outcome);
                self.retries.retain(|ifindex| self.policy.unusable.contains_key(&ifindex));
                let elapsed = start.elapsed();
                tracing::debug!(changes = outcome.changes, is_all, ?compiled, ?elapsed, "applied");
                self.write_state();
                return outcome.changes;
            }
            // Nothing but ports was written: what is in the maps is what was there before.
            self.compiled.restore(before);
        }
    }

    /// Ports that cannot be used are the kernel's until they are tried again. Those that wait for a slot also
    /// have what the same pass has freed.
    pub(super) fn leave_out(&mut self, outcome: &Outcome, since: Instant) {
        for (ifindex, text) in &outcome.unusable {
            self.retries.failed(*ifindex, outcome.waiting.contains(ifindex), since);
            if self.warned.insert(*ifindex, text.clone()).as_ref() != Some(text) {
                tracing::warn!("{text}");
            }
        }
        self.policy.unusable.extend(outcome.unusable.clone());
        if outcome.freed {
            self.retries.freed(Instant::now());
        }
    }
}
