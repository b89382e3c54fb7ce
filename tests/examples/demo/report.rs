//! The results: a file for machines, a table for people, and whether the promises are kept.

use std::{fs, path::Path};

use anyhow::Context as _;
use comfy_table::{Table, presets::NOTHING};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) converged_s: f64,
    pub(crate) unicast: UnicastReport,
    pub(crate) ecmp: EcmpReport,
    pub(crate) migration: MigrationReport,
    pub(crate) bypass: BypassReport,
}

#[derive(Debug, Serialize)]
pub(crate) struct UnicastReport {
    pub(crate) frames: u64,
    pub(crate) xdp_forwarded: u64,
    pub(crate) xdp_share: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct EcmpReport {
    pub(crate) paths: usize,
    pub(crate) flows: u64,
    pub(crate) share_max_over_mean: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct MigrationReport {
    pub(crate) gateway_ping: GatewayPing,
    pub(crate) peer_stream: PeerStream,
}

#[derive(Debug, Serialize)]
pub(crate) struct GatewayPing {
    pub(crate) interval_ms: u64,
    pub(crate) sent: u64,
    pub(crate) lost: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct PeerStream {
    pub(crate) interval_ms: u64,
    pub(crate) lost: u64,
    pub(crate) outage_ms: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct BypassReport {
    pub(crate) sent: u64,
    pub(crate) lost: u64,
}

/// One promise: what, measured, promised, kept.
type Promise = (&'static str, String, &'static str, bool);

impl Report {
    fn promises(&self) -> [Promise; 6] {
        let ping = &self.migration.gateway_ping;
        let outage = self.migration.peer_stream.outage_ms;
        let share = self.ecmp.share_max_over_mean;
        [
            (
                "gateway pings lost while the VM moved (100 ms)",
                format!("{} of {}", ping.lost, ping.sent),
                "at most 1",
                ping.lost <= 1,
            ),
            (
                "outage of the stream to the VM while it moved",
                format!("{outage:.0} ms"),
                "at most 300 ms",
                outage <= 300.0,
            ),
            (
                "unicast frames of established flows forwarded by XDP",
                format!("{:.3} %", self.unicast.xdp_share * 100.0),
                "at least 99.9 %",
                self.unicast.xdp_share >= 0.999,
            ),
            (
                "flows over both spines",
                format!("{} over {}", self.ecmp.flows, self.ecmp.paths),
                "at least 4096 over 2",
                self.ecmp.flows >= 4_096 && self.ecmp.paths == 2,
            ),
            (
                "fullest spine, of its fair share",
                format!("{share:.3}"),
                "at most 1.050",
                share <= 1.05,
            ),
            (
                "datagrams lost while the bypass went on and off",
                format!("{} of {}", self.bypass.lost, self.bypass.sent),
                "0",
                self.bypass.lost == 0,
            ),
        ]
    }

    /// Writes the file.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Prints the table; false if a promise is broken.
    pub(crate) fn print(&self, path: &Path) -> bool {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_header(["", "measured", "promised", ""]);
        let promises = self.promises();
        let kept = promises.iter().all(|(.., kept)| *kept);
        for (what, measured, promised, kept) in promises {
            let verdict = if kept { "kept" } else { "BROKEN" };
            table.add_row([what, measured.as_str(), promised, verdict]);
        }
        println!("\n{table}");
        println!("converged in {:.1} s; the figures are in {}", self.converged_s, path.display());
        kept
    }
}
