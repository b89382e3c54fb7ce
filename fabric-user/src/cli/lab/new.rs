//! `fabricctl lab new`: writes a first inventory for a picture.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use super::load;
use crate::lab::topology::{Files, TopologyError, first, picture};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The picture: PICTURE.dot, or a containerlab file PICTURE.clab.yml.
    picture: PathBuf,
}

/// Writes the inventory beside the picture. It is loaded before anything says that it is there: what is
/// wrong with the picture is said now.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let files = Files::of(&args.picture);
    let text = files.read_picture()?;
    let name = files.picture_name();
    let picture = picture::parse(&text, &name);
    if !picture.complaints.is_empty() {
        return Err(TopologyError::Wrong(picture.complaints).into());
    }
    let path = &files.inventory;
    let mut file = match std::fs::File::create_new(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} is there already; change it, or remove it first", path.display())
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot write {}", path.display()));
        }
    };
    let written = file
        .write_all(first::inventory(&picture, &name).as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
        .and_then(|()| load(&files.picture));
    if let Err(error) = written {
        // What cannot be loaded is of no use, and would be in the way of the next try.
        let _ = std::fs::remove_file(path);
        return Err(error);
    }
    println!(
        "wrote {}; `fabricctl lab up {}` builds the lab",
        path.display(),
        files.picture.display()
    );
    Ok(ExitCode::SUCCESS)
}
