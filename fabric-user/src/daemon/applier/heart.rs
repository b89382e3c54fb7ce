//! The sign of life, and what ends it.

use anyhow::Context as _;

use super::{
    super::{liveness::Watcher, sentence, snapshot::Purpose},
    Applier,
};
use crate::metrics::Happening;

impl Applier {
    /// Sign of life, unless it is not known that the maps are right: then the kernel knows better.
    pub(in super::super) fn beat(&mut self) {
        if self.broken.is_none() && !self.idle && !self.instance.is_whole() {
            let folder = self.instance.folder();
            self.break_off(&anyhow::anyhow!("somebody removed pins below {}", folder.display()));
        }
        self.look_at_sysctls();
        if self.broken.is_none() {
            self.retry();
        }
        // What bridges change without a message.
        if !self.compiled.structure().domains.is_empty() {
            self.agenda.now(Purpose::Bridges);
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
    pub(super) fn keep_watching(&mut self) -> anyhow::Result<()> {
        if self.watcher.as_ref().is_some_and(Watcher::is_alive) {
            return Ok(());
        }
        if self.watcher.take().is_some() {
            tracing::error!("the thread that watches links has ended, starting it again");
        }
        let watcher =
            Watcher::start(&self.instance, &self.board).context("links cannot be watched")?;
        self.watcher = Some(watcher);
        Ok(())
    }

    /// The view of the network, or the maps, are not what they should be, and everything has to be read
    /// and compared anew, which somebody has put on the agenda. Nothing is applied and the heart does not beat
    /// until then.
    pub(super) fn fail(&mut self, error: &anyhow::Error) {
        let text = sentence(error);
        if self.broken.as_ref() != Some(&text) {
            tracing::error!("reading everything anew: {text}");
        }
        self.broken = Some(text);
        self.board.happened(Happening::Failure);
        self.state.synced = false;
        self.write_state();
    }

    /// As [`Self::fail`] where nobody has done that yet.
    pub(super) fn break_off(&mut self, error: &anyhow::Error) {
        self.agenda.retry(Purpose::Sync);
        self.fail(error);
    }
}
