//! `fabricctl lab exec`: runs a program in a node.

use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail};

use super::{ENDED_BY_SIGNAL, Which, exit_code};
use crate::lab::Foreground;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// The node.
    node: String,
    /// The command and its arguments, after `--`.
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(super) fn run(args: Args, cancel: Arc<AtomicBool>) -> anyhow::Result<ExitCode> {
    let lab = args.which.open()?.heeding(cancel);
    let Some((program, arguments)) = args.command.split_first() else {
        bail!("no command was given; write it after --");
    };
    let mut command = Command::new(program);
    if program == "vtysh" {
        // FRR of a node keeps its sockets under the namespace's name.
        command.args(["-N", lab.node(&args.node)?.netns().name()]);
    }
    let foreground = Foreground::prepare(&mut command);
    let mut child = lab.spawn(&args.node, command.args(arguments))?;
    let status = foreground.wait(&mut child).context("cannot wait for the command")?;
    let code = status.code().unwrap_or_else(|| {
        ENDED_BY_SIGNAL + std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0)
    });
    Ok(exit_code(code))
}
