//! One daemon per instance.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
};

use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock};

use crate::settings::Settings;

/// Held as long as the daemon lives; the kernel releases it however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the instance's lock.
    ///
    /// # Errors
    /// If another daemon has it.
    pub(super) fn take(settings: &Settings) -> anyhow::Result<Self> {
        let folder = &settings.run_folder;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let path = settings.run_file("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            file.read_to_string(&mut holder).unwrap_or_default();
            bail!(
                "fabric-xdpd runs already for instance {:?} (process {}); stop it first, or start this one with another --instance",
                settings.instance,
                holder.trim()
            );
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}
