//! This box.

use std::sync::{Arc, atomic::AtomicBool};

use super::{Device, program};
use crate::{
    check::probe::{Probe, Ran},
    cli::instance::Chosen,
    facts::{self, Facts},
};

/// The name of an instance unless the suite says another one.
const INSTANCE: &str = "default";

/// This box by its instance of fabric-xdpd.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) instance: Option<String>,
    /// Whether one is meant to run.
    pub(super) fabric_xdpd: bool,
    pub(super) stop: Arc<AtomicBool>,
}

impl Device for Local {
    fn facts(&self) -> Result<Facts, String> {
        let collect = || {
            let instance = self.instance.as_deref().unwrap_or(INSTANCE);
            let chosen = self.fabric_xdpd.then(|| Chosen::at(instance)).transpose()?;
            facts::collect(chosen.as_ref(), None, None)
        };
        collect().map_err(|error| format!("{error:#}"))
    }

    fn run(&self, probe: &Probe) -> Result<Ran, String> {
        program::run(&probe.command(), probe.limit(), None, &self.stop)
    }

    fn facts_command(&self) -> Option<String> {
        None
    }
}
