//! What commands read that are about all that a box knows: the box itself, or files of facts.

use std::path::{Path, PathBuf};

use super::instance::Choice;
use crate::facts::{Facts, FactsError};

/// Whom to ask on this box.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Sources {
    /// Folder of FRR's sockets [default: /run/frr, or /run/frr/NAMESPACE]
    #[arg(long, value_name = "FOLDER")]
    pub(super) frr: Option<PathBuf>,
    #[command(flatten)]
    pub(super) choice: Choice,
}

/// Facts in a file that may have been given a name for the box, `[NAME=]FILE`; with that name.
///
/// # Errors
/// If the file cannot be read, or is something else.
pub(super) fn named(text: &str) -> Result<(Option<&str>, Facts), FactsError> {
    let (name, path) = match text.split_once('=') {
        // A file may have any name.
        Some((name, path)) if !Path::new(text).exists() => (Some(name), path),
        _ => (None, text),
    };
    Ok((name, Facts::read(Path::new(path))?))
}
