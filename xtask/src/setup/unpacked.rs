//! Packages of Debian whose programs tests run. They are only unpacked, so that no service of theirs is there to start.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::{Report, State};
use crate::debian;

/// Packages in a folder of the cache.
pub(super) struct Unpacked {
    /// Name of the folder.
    name: &'static str,
    /// The packages, with those that they need and a machine may lack.
    packages: &'static [&'static str],
    /// What tests run of them, below the folder.
    programs: &'static [&'static str],
    /// How much is downloaded.
    size: &'static str,
}

/// Prometheus with its promtool.
pub(super) const PROMETHEUS: Unpacked = Unpacked {
    name: "prometheus",
    packages: &["prometheus"],
    programs: &["usr/bin/prometheus", "usr/bin/promtool"],
    size: "20 MB",
};

/// The server of `fabricctl check --ssh`.
pub(super) const SSHD: Unpacked = Unpacked {
    name: "openssh",
    packages: &["openssh-server", "libwrap0"],
    programs: &["usr/sbin/sshd"],
    size: "1 MB",
};

/// Written last; another text is that of another version of the set-up.
const MARKER: &str = "layout 1\n";

impl Unpacked {
    /// Finds them or unpacks them.
    pub(super) fn set_up(&self, cache: &Path, report: &Report) -> Result<()> {
        let folder = cache.join(self.name);
        let state = match fs::read_to_string(folder.join("complete")) {
            Ok(text) if text == MARKER => State::Found,
            _ => {
                self.unpack(&folder, report)
                    .with_context(|| format!("{} cannot be set up", self.name))?;
                State::Installed
            }
        };
        report.item(state, self.name, &folder.display().to_string());
        Ok(())
    }

    fn unpack(&self, folder: &Path, report: &Report) -> Result<()> {
        let partial = folder.with_extension("partial");
        for stale in [&partial, folder] {
            if stale.exists() {
                fs::remove_dir_all(stale)?;
            }
        }
        report.step(self.name, &format!("downloading it (about {})", self.size));
        debian::unpack(self.packages, &partial)?;
        for program in self.programs {
            let path = partial.join(program);
            path.metadata().with_context(|| format!("the package has no {program}"))?;
        }
        fs::write(partial.join("complete"), MARKER)?;
        Ok(fs::rename(&partial, folder)?)
    }
}
