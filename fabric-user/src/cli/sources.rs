//! What commands read that are about all that a box knows: the box itself, or files of facts.

use std::path::{Path, PathBuf};

use super::instance::{Choice, Chosen};
use crate::facts::{Facts, FactsError};

/// Whom to ask on this box.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Sources {
    /// Folder of FRR's sockets [default: /run/frr, or /run/frr/NAMESPACE]
    #[arg(long, value_name = "FOLDER")]
    pub(super) frr: Option<PathBuf>,
    /// No fabric-xdpd is meant to run here: only the kernel and FRR are asked
    #[arg(long)]
    pub(super) no_fabric_xdpd: bool,
    #[command(flatten)]
    choice: Choice,
}

impl Sources {
    /// The instance to ask, if there is meant to be one.
    ///
    /// # Errors
    /// As [`Choice::resolve`].
    pub(super) fn chosen(&self) -> anyhow::Result<Option<Chosen>> {
        (!self.no_fabric_xdpd).then(|| self.choice.resolve()).transpose()
    }
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
