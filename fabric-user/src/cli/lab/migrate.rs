//! `fabricctl lab migrate`: moves a virtual machine.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::{Document, Which};
use crate::cli::print;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// The virtual machine.
    vm: String,
    /// The leaf or server that it moves to.
    node: String,
    /// Print JSON instead of a sentence.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args, cancel: Arc<AtomicBool>) -> anyhow::Result<ExitCode> {
    let report = args.which.open()?.heeding(cancel).migrate(&args.vm, &args.node)?;
    if args.json {
        print::json(&Document::new(&report))?;
    } else {
        print::text(&format!(
            "{} moved from {} {} to {} {}: changed links in {:.1} ms, announced after {:.1} ms\n",
            args.vm,
            report.from.switch,
            report.from.port,
            report.to.switch,
            report.to.port,
            Duration::from_micros(report.link_down_us).as_secs_f64() * 1e3,
            Duration::from_micros(report.announced_us).as_secs_f64() * 1e3,
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
