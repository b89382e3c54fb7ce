//! `fabricctl attach`: ports are accelerated again. Which ones can be is the daemon's knowledge.

use std::process::ExitCode;

use anyhow::bail;
use serde::Serialize;

use super::{
    instance::{Choice, Chosen},
    print::{self, Of},
};
use crate::daemon::{Request, Response, ask};

/// Arguments of `fabricctl attach`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ports that were detached [default: everything that was]
    ports: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    choice: Choice,
}

/// What is printed as JSON, by `detach` as well.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    pub(super) done: &'a str,
}

/// Runs `fabricctl attach`.
///
/// # Errors
/// If no daemon runs, or it refuses.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let chosen = args.choice.resolve()?;
    match request(&chosen, &Request::Attach(args.ports.clone()))? {
        Some(done) => say(&chosen, &done, args.json)?,
        None => bail!(
            "fabric-xdpd does not run for instance {}; start it, it attaches all ports by itself",
            chosen.name()
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the daemon; `None` if none runs.
pub(super) fn request(chosen: &Chosen, request: &Request) -> anyhow::Result<Option<String>> {
    match ask(&chosen.run_file("sock"), request)? {
        None => Ok(None),
        Some(Response::Done(text)) => Ok(Some(text)),
        Some(Response::Failed(text)) => bail!("{text}"),
    }
}

/// Says what was done.
pub(super) fn say(chosen: &Chosen, done: &str, as_json: bool) -> std::io::Result<()> {
    if as_json {
        return print::json(&Of::new(chosen.name(), Document { done }));
    }
    print::text(&format!("{done}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_as_json_is_written_down() {
        let document = Document { done: "accelerated again: swp1" };
        crate::cli::golden::golden("attach", &Of::new("golden", document));
    }
}
