//! Asking FRR of a node.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::daemons;
use super::error::LabError;
use super::running::Lab;
use crate::frr::vty::{Vty, Wait};

/// A daemon that takes longer is stuck; on a busy machine it takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// When to stop asking, for somebody who has no time limit of their own.
pub(super) fn patience() -> Instant {
    Instant::now() + PATIENCE
}

impl Lab {
    /// Runs a `show ... json` command. An empty answer, which FRR gives for a feature that is off, is
    /// the type's default. A daemon that cannot answer is not asked, and none later than `deadline`.
    pub(super) fn ask<T: DeserializeOwned + Default>(
        &self,
        node: &str,
        daemon: &'static str,
        command: &str,
        deadline: Instant,
    ) -> Result<T, LabError> {
        let netns = self.node(node)?.netns().clone();
        let failed = |message: String| LabError::Vty {
            daemon,
            node: node.to_owned(),
            command: command.to_owned(),
            message,
        };
        match daemons::frr_process(netns.name(), daemon) {
            None => return Err(failed("it does not run".to_owned())),
            Some(process) if process.is_suspended() => {
                return Err(failed("it is suspended".to_owned()));
            }
            Some(_) => {}
        }
        let path = daemons::vty_socket(netns.name(), daemon);
        let wait = Wait::until(deadline.min(patience()), self.cancel());
        let answer = Vty::connect(&path, wait).and_then(|mut vty| vty.ask(command, wait));
        let text = match answer {
            Err(_) if self.cancel().load(Ordering::Relaxed) => return Err(LabError::Interrupted),
            text => text.map_err(|error| failed(error.to_string()))?,
        };
        if text.trim().is_empty() {
            return Ok(T::default());
        }
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
    }
}
