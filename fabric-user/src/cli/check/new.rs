//! `fabricctl check new`: writes a complete suite for a topology.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, bail};

use crate::{
    check::{Inventory, suite_for},
    cli::print,
    lab::{Topology, topology::Files},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The topology, TOPOLOGY.dot or .clab.yml with TOPOLOGY.toml beside it.
    topology: PathBuf,
    /// Write it there [default: TOPOLOGY.check.toml; - for standard output].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let topology = Topology::load(&args.topology)?;
    for note in &topology.notes {
        eprintln!("note: {note}");
    }
    let files = Files::of(&args.topology);
    let beside = files.picture.with_file_name(format!("{}.check.toml", files.name()));
    let path = args.output.clone().unwrap_or(beside);
    // Elsewhere the name alone does not lead to the picture.
    let picture = match path.parent() == files.picture.parent() {
        true => files.picture_name(),
        false => files.picture.canonicalize()?.display().to_string(),
    };
    let text = suite_for(&Inventory::of(topology), &picture);
    if path.as_os_str() == "-" {
        print::text(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is there already; change it, or remove it first", path.display())
        }
        opened => opened.with_context(|| format!("cannot write {}", path.display()))?,
    };
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    print::text(&format!(
        "wrote {}; `fabricctl check {}` checks it\n",
        path.display(),
        path.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
