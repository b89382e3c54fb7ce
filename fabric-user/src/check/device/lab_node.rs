//! A node of a lab.

use std::sync::{Arc, atomic::AtomicBool};

use super::{Device, program};
use crate::{
    check::probe::{Probe, Ran},
    cli::instance::Chosen,
    facts::{self, Facts},
    lab::Netns,
};

/// A node by its namespace.
#[derive(Debug)]
pub(super) struct LabNode {
    pub(super) netns: Netns,
    /// Its instance of fabric-xdpd, if one should run.
    pub(super) instance: Option<String>,
    pub(super) stop: Arc<AtomicBool>,
}

impl LabNode {
    /// The command as it runs there: FRR of a node has its sockets under the namespace's name.
    fn words(&self, probe: &Probe) -> Vec<String> {
        let mut words = probe.command();
        if words.first().is_some_and(|it| it == "vtysh") {
            words.splice(1..1, ["-N".to_owned(), self.netns.name().to_owned()]);
        }
        words
    }
}

impl Device for LabNode {
    fn facts(&self) -> Result<Facts, String> {
        let collected = self.netns.enter(|| {
            let chosen = self.instance.as_deref().map(Chosen::at).transpose()?;
            facts::collect(chosen.as_ref(), None, None)
        });
        let collected = collected.map_err(|error| error.with_causes())?;
        collected.map_err(|error| format!("{error:#}"))
    }

    fn run(&self, probe: &Probe) -> Result<Ran, String> {
        program::run(&self.words(probe), probe.limit(), Some(&self.netns), &self.stop)
    }

    fn facts_command(&self) -> Option<String> {
        None
    }

    fn command(&self, probe: &Probe) -> String {
        program::spelled(&self.words(probe))
    }
}
