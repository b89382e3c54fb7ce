//! Network namespaces with a name: entering them from a thread, and running programs inside.
//!
//! A program is started from a thread that has entered the namespace. Unlike `ip netns exec` this
//! leaves the mounts alone, so that pinned BPF objects stay visible.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::mount::{UnmountFlags, unmount};
use rustix::system::sethostname;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::error::LabError;
use crate::kernel::netns::{Own, enter_new};

/// Where `ip netns` keeps its names.
const FOLDER: &str = "/run/netns";

/// A namespace that `ip netns` knows under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// The namespace of that name, whether it exists or not.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that keeps it alive and by which programs such as `nsenter` find it.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(FOLDER).join(&self.name)
    }

    /// Whether it exists.
    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Takes the name away; the namespace goes with it once nothing uses it. No error when there is no
    /// such name.
    pub fn delete(&self) -> std::io::Result<()> {
        // A name on which nothing is mounted was left by somebody who was ended meanwhile.
        let _ = unmount(self.path(), UnmountFlags::DETACH);
        match std::fs::remove_file(self.path()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Device and inode, which tell whether a process lives in this namespace.
    pub fn identity(&self) -> Option<(u64, u64)> {
        std::fs::metadata(self.path()).ok().map(|file| (file.dev(), file.ino()))
    }

    /// Runs `work` on a thread inside the namespace and waits for it. Programs and sockets that
    /// `work` opens belong to the namespace.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        self.enter_with(|| Ok(()), work)
    }

    /// Like [`Netns::enter`], and programs that `work` starts see `hostname` as the name of the
    /// machine: FRR tells it to its neighbours, and a shell shows it.
    pub fn enter_as<T: Send>(
        &self,
        hostname: &str,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, LabError> {
        let name_machine = || {
            enter_new(Own::HostName)?;
            Ok(sethostname(hostname.as_bytes())?)
        };
        self.enter_with(name_machine, work)
    }

    fn enter_with<T: Send>(
        &self,
        prepare: impl FnOnce() -> std::io::Result<()> + Send,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, LabError> {
        let failed =
            |source: std::io::Error| LabError::Namespace { namespace: self.name.clone(), source };
        let file = File::open(self.path()).map_err(failed)?;
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                    .map_err(Into::into)
                    .and_then(|()| prepare())
                    .map(|()| work())
            });
            match inside.join() {
                Ok(result) => result.map_err(failed),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}
