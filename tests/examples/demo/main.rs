//! The main job, shown: a VLAN stretched over two sites, controlled by FRR, forwarded by XDP.
//!
//! Started by `cargo xtask demo`, which builds everything that this needs.

mod bypass;
mod convergence;
mod conversations;
mod counters;
mod ecmp;
mod maps;
mod migration;
mod report;
mod stage;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use fabric_user::lab::{Lab, LabError, Topology, interrupt};

use report::Report;
use stage::Stage;

/// How often somebody who waits looks whether to stop.
const POLL: Duration = Duration::from_millis(10);
/// How long the show may take to end by itself when it is interrupted.
const LEAVE: Duration = Duration::from_millis(1_500);

/// Builds two sites with real FRR, lets hosts talk, moves a VM between the sites, and reports.
#[derive(Debug, Parser)]
struct Arguments {
    /// Leave the lab running at the end and print what to try
    #[arg(long)]
    keep: bool,
    /// Where the report goes
    #[arg(long, value_name = "FILE", default_value = "target/demo/report.json")]
    report: PathBuf,
    /// The topology to show; it must have the hosts of the default one
    #[arg(long, value_name = "DOT", default_value = "topologies/two-sites.dot")]
    topology: PathBuf,
}

fn main() -> ExitCode {
    match run_until_interrupted(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            // As a shell says it of a program that a signal ended.
            let signal = interrupt::last().map(|last| 128 + last.signal);
            signal.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, Into::into)
        }
    }
}

/// Shows everything on a thread of its own, so that it can be left in the middle of anything.
fn run_until_interrupted(arguments: Arguments) -> anyhow::Result<bool> {
    let cancel = interrupt::watch()?;
    let show = {
        let cancel = Arc::clone(&cancel);
        thread::spawn(move || run(&arguments, &cancel))
    };
    while !show.is_finished() && !cancel.load(Ordering::Relaxed) {
        thread::sleep(POLL);
    }
    let deadline = Instant::now() + LEAVE;
    while !show.is_finished() {
        // A lab that is being built is taken down by who builds it, and is busy until then.
        match Lab::take_down(stage::NAME, &mut |_| {}) {
            Ok(true) => break,
            Err(LabError::Busy(_)) | Ok(false) if Instant::now() < deadline => thread::sleep(POLL),
            Ok(false) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let shown = show.is_finished().then(|| show.join());
    match shown {
        Some(Ok(Ok(kept))) => Ok(kept),
        // Whatever the show says of a lab that goes under its feet.
        _ if cancel.load(Ordering::Relaxed) => anyhow::bail!("interrupted; the lab is down"),
        Some(Ok(failed)) => failed,
        Some(Err(panic)) => std::panic::resume_unwind(panic),
        None => anyhow::bail!("the lab was taken down"),
    }
}

/// Shows everything; false if a promise is broken.
fn run(arguments: &Arguments, cancel: &Arc<AtomicBool>) -> anyhow::Result<bool> {
    let topology = Topology::load(&arguments.topology)?;
    let (mut stage, converged) = convergence::show(&topology, cancel)?;
    let unicast = conversations::show(&stage)?;
    let ecmp = ecmp::show(&stage)?;
    maps::show(&stage)?;
    let migration = migration::show(&stage)?;
    let bypass = bypass::show(&stage)?;
    let report = Report { converged_s: converged.as_secs_f64(), unicast, ecmp, migration, bypass };
    report.write(&arguments.report)?;
    let kept = report.print(&arguments.report);
    if arguments.keep {
        stage.keep();
        print_what_to_try(&stage);
    } else {
        stage.down()?;
    }
    Ok(kept)
}

fn print_what_to_try(stage: &Stage) {
    let lab = stage.lab.name();
    let instance = stage.lab.instance("leaf01");
    let fabricctl = stage.program("fabricctl");
    let fabricctl = fabricctl.display();
    println!("\nThe lab {lab} is still running. Try:");
    for (command, what) in [
        (format!("{fabricctl} lab status"), "BGP, EVPN and fabric-xdpd of every node"),
        (format!("{fabricctl} status --instance {instance}"), "ports, VNIs and VTEPs of leaf01"),
        (format!("{fabricctl} maps fdb --instance {instance}"), "where leaf01 sends which MAC"),
        (format!("{fabricctl} counters --watch --instance {instance}"), "what its packets do"),
        (format!("{fabricctl} lab exec app02 -- ping 10.200.0.16"), "from one site to the other"),
        (format!("{fabricctl} lab migrate app02 leaf04"), "move that VM"),
        (format!("{fabricctl} lab exec leaf01 -- vtysh"), "FRR of leaf01"),
        (format!("{fabricctl} lab down --name {lab}"), "take it all down"),
    ] {
        println!("  {command}\n      {what}");
    }
}
