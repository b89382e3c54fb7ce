//! `fabricctl lab new`: writes a first inventory for a picture.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
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
    match write_new(path, &inventory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is there already; change it, or remove it first", path.display())
        }
        written => written.with_context(|| format!("cannot write {}", path.display()))?,
    }
    let picture = files.picture.display();
    let lab = files.lab_name();
    let name = if lab == files.name() { String::new() } else { format!(" --name {lab}") };
    print::text(&format!(
        "wrote {}; `fabricctl lab up {picture}{name}` builds the lab\n",
        path.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a file that is not there yet, all of it or nothing.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}", std::process::id()));
    // A link, unlike a renamed file, takes no other's place.
    let written = fs::write(&unfinished, text).and_then(|()| fs::hard_link(&unfinished, path));
    let removed = fs::remove_file(&unfinished);
    written.and(removed)
}
