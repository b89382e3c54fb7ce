//! `fabricctl lab graph`: draws a topology.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::{Which, topology_of};
use crate::cli::print;
use crate::lab::graph;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The picture (TOPOLOGY.dot or .clab.yml) [default: the lab that is up, as it is now].
    #[arg(conflicts_with = "name")]
    topology: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
    /// The file to write; `-` for standard output [default: TOPOLOGY.svg in this folder].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let topology = topology_of(args.topology.as_deref(), &args.which)?;
    // A picture says what was planned, a lab also what has become of it.
    let links = match &args.topology {
        Some(_) => Vec::new(),
        None => args.which.open()?.links().unwrap_or_else(|error| {
            let why = anyhow::Error::from(error);
            eprintln!("note: cables are drawn as they are planned, because {why:#}");
            Vec::new()
        }),
    };
    let picture = graph::svg(&topology, &links);
    let path = args.output.unwrap_or_else(|| format!("{}.svg", topology.name).into());
    if path.as_os_str() == "-" {
        print::text(&picture)?;
    } else {
        std::fs::write(&path, picture)
            .with_context(|| format!("cannot write {}", path.display()))?;
        print::text(&format!("wrote {}\n", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
