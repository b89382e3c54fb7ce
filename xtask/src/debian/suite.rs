//! Packages of another release of Debian than this machine's. Nothing of it is installed, and this
//! machine's own sources and package lists stay as they are.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::{apt_get, download, mirror, names};
use crate::process::output;

/// A part of the archive, with package lists of its own.
pub(crate) struct Suite {
    /// By these apt's programs see it instead of this machine's sources.
    options: Vec<String>,
}

impl Suite {
    /// The suite called `name` on the mirror that this machine's apt uses, signed by a key of
    /// `keyring`. Its package lists are kept in `folder`.
    ///
    /// # Errors
    /// If the mirror does not have it, or the keyring not its key.
    pub(crate) fn open(name: &str, keyring: &str, folder: &Path) -> Result<Self> {
        for part in ["lists/partial", "archives/partial"] {
            fs::create_dir_all(folder.join(part))
                .with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let (sources, mirror) = (folder.join("sources.list"), mirror()?);
        fs::write(&sources, format!("deb [signed-by={keyring}] {mirror} {name} main\n"))?;
        let options = [
            format!("Dir::Etc::sourcelist={}", sources.display()),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::lists={}", folder.join("lists").display()),
            format!("Dir::Cache={}", folder.display()),
        ];
        let suite = Self { options: options.into() };
        output(&mut suite.of(apt_get("update")))
            .with_context(|| format!("{mirror} has no package lists of {name} for us"))?;
        Ok(suite)
    }

    /// As [`super::matching`].
    pub(crate) fn matching(&self, pattern: &str) -> Result<Vec<String>> {
        let mut search = self.of(Command::new("apt-cache"));
        Ok(names(&output(search.args(["search", "--names-only", pattern]))?))
    }

    /// As [`super::unpack`].
    pub(crate) fn unpack(&self, packages: &[&str], folder: &Path) -> Result<()> {
        download(self.of(apt_get("download")), packages, folder)
    }

    fn of(&self, mut apt: Command) -> Command {
        apt.args(self.options.iter().flat_map(|option| ["-o", option]));
        apt
    }
}
