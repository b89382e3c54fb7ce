//! `fabricctl lab migrate`: moves a virtual machine.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::Which;
use crate::cli::print::{self, SCHEMA};
use crate::lab::Migration;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// The virtual machine.
    vm: String,
    /// The leaf that it moves to.
    node: String,
    /// Print JSON instead of a sentence.
    #[arg(long)]
    json: bool,
}

/// What is printed as JSON.
#[derive(serde::Serialize)]
struct Document<'a> {
    schema: u32,
    #[serde(flatten)]
    migration: &'a Migration,
}

pub(super) fn run(args: Args, cancel: Arc<AtomicBool>) -> anyhow::Result<ExitCode> {
    let report = args.which.open()?.heeding(cancel).migrate(&args.vm, &args.node)?;
    if args.json {
        print::json(&Document { schema: SCHEMA, migration: &report })?;
    } else {
        println!(
            "{} moved from {} {} to {} {}: changed links in {:.1} ms, announced after {:.1} ms",
            args.vm,
            report.from.switch,
            report.from.port,
            report.to.switch,
            report.to.port,
            Duration::from_micros(report.link_down_us).as_secs_f64() * 1e3,
            Duration::from_micros(report.announced_us).as_secs_f64() * 1e3,
        );
    }
    Ok(ExitCode::SUCCESS)
}
