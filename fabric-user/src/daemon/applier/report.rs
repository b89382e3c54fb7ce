//! What the daemon says of itself: the state file, and what found no room.

use std::{
    io,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use fabric_common::schema::ports::is_tunnel;

use super::{super::Liveness, Applier};
use crate::{
    daemon::{liveness::Watcher, premises::Premises},
    observe::{Link, LinkKind},
    reconcile::{Outcome, Reconciler},
};

impl Applier {
    /// Stores into the maps, by the main loop and by link events.
    pub(super) fn counts(&self) -> (u64, Liveness) {
        let writes = self.reconciler.as_ref().map_or(0, Reconciler::writes);
        (writes, self.watcher.as_ref().map_or_else(Liveness::default, Watcher::report))
    }

    /// Remembers and says what found no room; true if that is news.
    pub(super) fn record(&mut self, outcome: &Outcome) -> bool {
        let known = self.full.len();
        for text in &outcome.full {
            if self.full.insert(text.clone()) {
                tracing::warn!("{text}");
            }
        }
        self.full.len() > known
    }

    pub(super) fn write_state(&mut self) {
        let structure = self.compiled.structure();
        let name = |ifindex: &u32| self.network.name(*ifindex);
        let declined = structure.declined.iter();
        self.state.declined = declined.map(|(index, why)| (name(index), why.clone())).collect();
        let chosen = structure.declined.keys().filter(|ifindex| self.is_chosen(**ifindex));
        self.state.chosen = chosen.map(name).collect();
        (self.state.partly, self.state.left) = Default::default();
        for problem in &structure.problems {
            let Some(ifindex) = problem.ifindex else { continue };
            let of = match structure.ports.contains_key(&ifindex) {
                true => &mut self.state.partly,
                false => &mut self.state.left,
            };
            of.entry(name(&ifindex)).or_default().push(problem.text.clone());
        }
        self.state.detached = self.idle;
        self.state.trouble = self.broken.clone().or_else(|| self.heart.clone());
        let problems = structure.problems.iter().map(|p| p.text.clone());
        let macs = self.compiled.problems(&self.network).into_iter().map(|p| p.text);
        self.state.problems = problems.chain(macs).chain(self.full.iter().cloned()).collect();
        self.state.notes = structure.notes.iter().cloned().collect();
        (self.state.writes, self.state.liveness) = self.counts();
        self.state.unresolved = structure
            .unresolved
            .iter()
            .map(|hop| format!("{} on {}", hop.gateway, name(&hop.ifindex)))
            .collect();
        self.state.written =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.settings.metrics.is_some() {
            self.board.say(&self.state);
        }
        let path = self.settings.run_file("json");
        let written = self.state.write(&path).map_err(|error| (path, error));
        match written.and_then(|()| self.write_premises()) {
            Ok(()) => self.is_mute = false,
            Err(_) if self.is_mute => {}
            Err((path, error)) => {
                self.is_mute = true;
                tracing::warn!(
                    "cannot write {}, so fabricctl shows what was: {error}",
                    path.display()
                );
            }
        }
    }

    /// Writes what the model rests on beside the kernel's tables, where that has changed.
    fn write_premises(&mut self) -> Result<(), (PathBuf, io::Error)> {
        let is_written = |written: &Premises| {
            written.policy == self.policy
                && written.settings == self.settings
                && written.strayed == *self.network.strayed()
                && written.veth_peers == *self.network.veth_peers()
        };
        if self.premises.as_ref().is_some_and(is_written) {
            return Ok(());
        }
        let premises = Premises {
            settings: self.settings.clone(),
            policy: self.policy.clone(),
            strayed: self.network.strayed().clone(),
            veth_peers: self.network.veth_peers().clone(),
        };
        let path = self.settings.run_file("premises.json");
        premises.write(&path).map_err(|error| (path, error))?;
        self.premises = Some(premises);
        Ok(())
    }

    /// Whether an interface is left to the kernel because somebody wants that.
    fn is_chosen(&self, ifindex: u32) -> bool {
        let Some(link) = self.network.link(ifindex) else { return false };
        let lower = match link.kind {
            LinkKind::Vlan(_) => link.lower.and_then(|lower| self.network.link(lower)),
            _ => None,
        };
        let chosen = |link: &Link| self.policy.choice(link.ifindex, &link.name).is_some();
        // Whether a VLAN is allowed is decided by its port's name.
        match lower {
            Some(port) => chosen(port) || self.policy.choice_of_vlan(ifindex, &link.name).is_some(),
            None => chosen(link),
        }
    }

    /// What is accelerated, in one line.
    pub(in super::super) fn summary(&self) -> String {
        let s = self.structure();
        format!(
            "in sync: {} ports, {} bridge domains, {} VTEPs, {} MACs known",
            s.ports.keys().filter(|number| !is_tunnel(**number)).count(),
            s.domains.values().filter(|domain| !domain.only_sends).count(),
            s.vteps.len(),
            self.network.mac_count()
        )
    }
}
