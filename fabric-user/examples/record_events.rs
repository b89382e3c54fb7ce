//! Records what a scenario does to the network, for the model's tests.
//!
//! ```text
//! unshare --net target/debug/examples/record_events SCENARIO.sh RECORDING.jsonl
//! ```
//!
//! A scenario is a list of shell commands. Lines with a meaning for the recorder:
//! `# TEXT` starts a step of that name, `#dump` writes a complete dump, `#dump routing` one of
//! neighbours, routes and nexthops, `#lose COMMAND` runs a command whose messages are lost.

use std::{fs::File, io::BufWriter, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use fabric_user::observe::{
    Asker, Batch, Observer, Scope,
    recording::{Line, Recorder},
};

#[derive(Parser)]
struct Arguments {
    /// Shell commands, one per line.
    scenario: PathBuf,
    /// JSON lines.
    recording: PathBuf,
}

/// After this long without a message a command has had its effect.
const QUIET: Duration = Duration::from_millis(250);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let scenario = std::fs::read_to_string(&arguments.scenario)
        .with_context(|| format!("cannot read the scenario {}", arguments.scenario.display()))?;
    let output = File::create(&arguments.recording)
        .with_context(|| format!("cannot write {}", arguments.recording.display()))?;
    let mut recorder = Recorder::new(BufWriter::new(output));
    let mut observer = Observer::open()?;
    let mut asker = Asker::open()?;
    recorder.write(&Line::Listing(asker.dump(Scope::All)?))?;

    for line in scenario.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line == "#dump" {
            recorder.write(&Line::Listing(asker.dump(Scope::All)?))?;
        } else if line == "#dump routing" {
            recorder.write(&Line::Listing(asker.dump(Scope::Routing)?))?;
        } else if let Some(command) = line.strip_prefix("#lose ") {
            run(command)?;
            while follow(&mut observer).await?.is_some() {}
            recorder.write(&Line::Lost)?;
        } else if let Some(step) = line.strip_prefix("# ") {
            recorder.write(&Line::Step(step.into()))?;
        } else {
            run(line)?;
            while let Some(batch) = follow(&mut observer).await? {
                recorder.write_batch(&batch)?;
            }
        }
    }
    Ok(())
}

/// The next batch, unless it is quiet.
async fn follow(observer: &mut Observer) -> Result<Option<Batch>> {
    match tokio::time::timeout(QUIET, observer.next()).await {
        Ok(batch) => Ok(Some(batch?)),
        Err(_quiet) => Ok(None),
    }
}

fn run(command: &str) -> Result<()> {
    let status = Command::new("sh").args(["-ec", command]).status().context("cannot run sh")?;
    ensure!(status.success(), "`{command}` failed ({status})");
    Ok(())
}
