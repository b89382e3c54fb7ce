//! The interfaces of the daemon's namespace, listed beside the answer: the kernel lists them under a lock that a driver
//! may hold for long, and metrics are wanted then above all.

use std::time::Duration;

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use crate::cli::Interfaces;

/// How long an answer waits for a new list before it goes by the last one.
const PATIENCE: Duration = Duration::from_millis(500);

/// The last list, and the one that is being made.
#[derive(Debug, Default)]
pub(super) struct Listed {
    last: Interfaces,
    running: Option<JoinHandle<anyhow::Result<Interfaces>>>,
}

impl Listed {
    /// The interfaces as they are, or as they were if the kernel does not say.
    pub(super) async fn get(&mut self) -> Interfaces {
        let running = self.running.get_or_insert_with(|| spawn_blocking(Interfaces::list));
        if let Ok(ended) = timeout(PATIENCE, running).await {
            self.running = None;
            match ended.map_err(anyhow::Error::from).flatten() {
                Ok(interfaces) => self.last = interfaces,
                Err(error) => tracing::debug!(%error, "metrics go by an older list of interfaces"),
            }
        }
        self.last.clone()
    }
}
