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
    pub(super) stop: Arc<AtomicBool>,
}

impl Device for Local {
    fn facts(&self) -> Result<Facts, String> {
        let collect = || {
            facts::collect(&Chosen::at(self.instance.as_deref().unwrap_or(INSTANCE))?, None, None)
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
