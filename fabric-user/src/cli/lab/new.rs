//! `fabricctl lab new`: writes a first inventory for a picture.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use super::say_notes;
use crate::cli::print;
use crate::lab::topology::{Files, Topology, first, picture};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The picture: PICTURE.dot, or a containerlab file PICTURE.clab.yml.
    picture: PathBuf,
}

/// Writes the inventory beside the picture, if the two are a topology: what is wrong with the picture is
/// said now.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let files = Files::of(&args.picture);
    let (text, file) = (files.read_picture()?, files.picture_name());
    let inventory = first::inventory(&picture::parse(&text, &file), &file);
    let topology = Topology::of(&files.name(), &file, &text, &inventory)?;
    say_notes(&topology);
    let path = &files.inventory;
    let written = File::create_new(path).and_then(|mut file| file.write_all(inventory.as_bytes()));
    match written {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is there already; change it, or remove it first", path.display())
        }
        written => written.with_context(|| format!("cannot write {}", path.display()))?,
    }
    let picture = files.picture.display();
    print::text(&format!(
        "wrote {}; `fabricctl lab up {picture}` builds the lab\n",
        path.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
