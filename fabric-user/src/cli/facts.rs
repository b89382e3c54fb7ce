//! `fabricctl facts`: everything that this box knows, for programs and for later.

use std::process::ExitCode;

use super::{
    format::count,
    print::{self, Style},
    sources::Sources,
};
use crate::facts::{Facts, collect};

/// Arguments of `fabricctl facts`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --json it says how much of each there is. A file of facts can be looked at on any machine:
`fabricctl verify --facts FILE`.")]
pub(super) struct Args {
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    style: Style,
}

/// Runs `fabricctl facts`.
///
/// # Errors
/// If the kernel cannot be asked, or nobody reads standard output any more.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let facts = collect(args.sources.chosen()?.as_ref(), args.sources.frr.as_deref(), None)?;
    if args.style.json {
        // One line: it is for programs, and can be as long as all routes of the internet.
        print::json_line(&facts)?;
    } else {
        print::text(&text(&facts))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(facts: &Facts) -> String {
    let place = facts.namespace.as_ref().map(|name| format!(", network namespace {name}"));
    let mut text = format!(
        "box      {}{}, Linux {}\nkernel   {}\n",
        facts.host,
        place.unwrap_or_default(),
        facts.kernel,
        count(facts.network.len(), "object")
    );
    if let Some(fabric) = &facts.fabric {
        let held = &fabric.held;
        let counts = [
            count(held.ports.len(), "port"),
            count(held.domains.len(), "bridge domain"),
            count(held.macs.len(), "MAC"),
            count(held.vteps.len(), "VTEP"),
            count(held.nexthops.len(), "next hop"),
            count(held.routes.len(), "route"),
        ];
        text.push_str(&format!("maps     {}\n", counts.join(", ")));
    }
    for missing in &facts.missing {
        text.push_str(&format!("missing  {missing}\n"));
    }
    text
}
