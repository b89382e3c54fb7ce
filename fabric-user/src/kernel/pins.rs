//! Where things are pinned: one folder per instance below the BPF file system.
//!
//! ```text
//! /sys/fs/bpf/fabric/INSTANCE/maps/vVERSION/MAP
//! /sys/fs/bpf/fabric/INSTANCE/links/IFINDEX      (no names: they may contain dots, and change)
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use fabric_common::schema::{MAPS, VERSION};
use rustix::{
    fs::{Mode, statfs},
    mount::{MountFlags, mount},
};
use thiserror::Error;

/// Mount point of the BPF file system.
pub const BPF_FS: &str = "/sys/fs/bpf";
/// `BPF_FS_MAGIC` of `linux/magic.h`.
const BPF_FS_MAGIC: u64 = 0xcafe_4a11;

/// Why pins cannot be used.
#[derive(Debug, Error)]
pub enum PinError {
    /// The instance name cannot be a folder of the BPF file system.
    #[error(
        "instance name {0:?} is not usable: take 1 to 64 letters, digits, '-' or '_', as bpffs allows no dots"
    )]
    BadInstance(String),
    /// The BPF file system is missing and could not be mounted.
    #[error(
        "cannot mount the BPF file system on {BPF_FS}: {0}; run as root or mount it by `mount -t bpf bpf {BPF_FS}`"
    )]
    Mount(#[source] rustix::io::Errno),
    /// A file operation failed.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// One set of programs, links and maps; usually one per host, one per namespace in a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    name: String,
}

impl Instance {
    /// An instance by name.
    ///
    /// # Errors
    /// If bpffs cannot have a folder of that name.
    pub fn new(name: &str) -> Result<Self, PinError> {
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 64 || !name.chars().all(valid) {
            return Err(PinError::BadInstance(name.into()));
        }
        Ok(Self { name: name.into() })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder that holds everything of this instance.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        Path::new(BPF_FS).join("fabric").join(&self.name)
    }

    /// The folder of the maps of this build's schema version.
    #[must_use]
    pub fn maps(&self) -> PathBuf {
        self.folder().join("maps").join(format!("v{VERSION}"))
    }

    /// The pin of a map.
    #[must_use]
    pub fn map(&self, name: &str) -> PathBuf {
        self.maps().join(name)
    }

    /// The folder of the links.
    #[must_use]
    pub fn links(&self) -> PathBuf {
        self.folder().join("links")
    }

    /// The pin of the link of an interface.
    #[must_use]
    pub fn link(&self, ifindex: u32) -> PathBuf {
        self.links().join(ifindex.to_string())
    }

    /// Interface indexes that have a pinned link.
    ///
    /// # Errors
    /// If the folder is there but cannot be read.
    pub fn linked(&self) -> Result<Vec<u32>, PinError> {
        let names = names(&self.links())?;
        Ok(names.iter().filter_map(|n| n.parse().ok()).collect())
    }

    /// True if this instance has pinned maps.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.map("settings").exists()
    }

    /// True if all maps are pinned.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        MAPS.iter().all(|map| self.map(map.name).exists())
    }

    /// Makes the folders, private to root.
    ///
    /// # Errors
    /// If bpffs cannot be mounted or written.
    pub fn create(&self) -> Result<(), PinError> {
        mount_bpf_fs()?;
        for folder in [self.maps(), self.links()] {
            let action = "cannot create the folder";
            fs::create_dir_all(&folder).map_err(|source| PinError::Io {
                action,
                path: folder.clone(),
                source,
            })?;
        }
        let top = Path::new(BPF_FS).join("fabric");
        rustix::fs::chmod(&top, Mode::RWXU).map_err(|e| PinError::Io {
            action: "cannot restrict access to",
            path: top.clone(),
            source: e.into(),
        })
    }

    /// Removes maps of other schema versions, once nothing refers to them any more.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn remove_other_versions(&self) -> Result<(), PinError> {
        let parent = self.folder().join("maps");
        for name in names(&parent)? {
            if name != format!("v{VERSION}") {
                remove_tree(&parent.join(name))?;
            }
        }
        Ok(())
    }

    /// Removes everything: links first, so that programs stop before their maps go.
    ///
    /// # Errors
    /// If a file cannot be removed; what was removed stays removed.
    pub fn remove(&self) -> Result<(), PinError> {
        remove_tree(&self.links())?;
        remove_tree(&self.folder())?;
        // The common folder goes with its last instance.
        let _still_used = fs::remove_dir(Path::new(BPF_FS).join("fabric"));
        Ok(())
    }
}

/// All instances that have pins.
///
/// # Errors
/// If the folder is there but cannot be read.
pub fn instances() -> Result<Vec<Instance>, PinError> {
    let mut list: Vec<_> = names(&Path::new(BPF_FS).join("fabric"))?
        .iter()
        .filter_map(|name| Instance::new(name).ok())
        .collect();
    list.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(list)
}

/// Mounts bpffs where systemd would, unless it is there. True if it had to.
///
/// # Errors
/// If it is missing and cannot be mounted.
pub fn mount_bpf_fs() -> Result<bool, PinError> {
    let mounted = statfs(BPF_FS).is_ok_and(|s| s.f_type as u64 == BPF_FS_MAGIC);
    if mounted {
        return Ok(false);
    }
    tracing::info!("mounting the BPF file system on {BPF_FS}");
    mount("bpf", BPF_FS, "bpf", MountFlags::empty(), Some(c"mode=0700"))
        .map_err(PinError::Mount)?;
    Ok(true)
}

fn names(folder: &Path) -> Result<Vec<String>, PinError> {
    let error = |source| PinError::Io { action: "cannot read", path: folder.into(), source };
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|e| Ok(e.map_err(error)?.file_name().to_string_lossy().into_owned()))
            .collect(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(error(e)),
    }
}

fn remove_tree(path: &Path) -> Result<(), PinError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(PinError::Io { action: "cannot remove", path: path.into(), source: e })
        }
        _ => Ok(()),
    }
}
