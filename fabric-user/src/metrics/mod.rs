//! Metrics for Prometheus: `GET /metrics` of the daemon.
//!
//! A thread of its own answers ([`server`]), in OpenMetrics or in Prometheus' text format ([`format`]). There is one
//! collector ([`source`]), which reads the pinned maps and lists the interfaces when somebody asks, through the same
//! code as `fabricctl` ([`crate::cli::sight`]), and beside them what the daemon's threads write on a [`Board`]: atomic
//! counters, and a copy of the state that stands in the state file too. So nothing of a scrape waits for the daemon's
//! loop, or the loop for it.
//!
//! Labels are names of ports, VNIs, VTEPs, reasons and maps, and in `_info` series those of bridges and VRFs; never MAC
//! addresses, addresses of hosts, or VNIs by VTEPs. Each family ([`family`]) has a bound, and says what is beyond it.

pub mod board;
pub mod exposition;
pub mod family;
mod format;
pub mod histogram;
mod interfaces;
mod listen;
pub mod metric;
mod server;
mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::kernel::pins::Instance;
pub use board::{Board, Happening};
pub use listen::Listen;

/// Serves the metrics of an instance, if that can be; what cannot be is logged in one sentence, and nothing else
/// suffers from it. The socket is in the caller's network namespace.
pub fn start(listen: Listen, instance: Instance, board: Arc<Board>) {
    match server::serve(listen.address(), source::Source::new(instance, board)) {
        Ok(address) => tracing::info!("metrics are served at http://{address}/metrics"),
        Err(error) => tracing::error!(
            "there are no metrics, because {listen} cannot be listened on ({error}); set `metrics` to another address and start fabric-xdpd again"
        ),
    }
}
