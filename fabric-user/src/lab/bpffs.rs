//! The BPF file system, where fabricd pins its maps and links.

use std::path::Path;

use rustix::fs::statfs;
use rustix::mount::{MountFlags, mount};

use super::error::LabError;

const PATH: &str = "/sys/fs/bpf";
/// `BPF_FS_MAGIC` of linux/magic.h.
const MAGIC: i64 = 0xcafe_4a11;

/// Mounts it where it is not mounted; true when it had to.
pub(super) fn mount_if_missing() -> Result<bool, LabError> {
    let mounted = statfs(PATH).is_ok_and(|info| i64::from(info.f_type) == MAGIC);
    if mounted {
        return Ok(false);
    }
    mount("bpf", PATH, "bpf", MountFlags::empty(), Some(c"mode=0700")).map_err(|errno| {
        LabError::file("mount the BPF file system at", Path::new(PATH))(errno.into())
    })?;
    Ok(true)
}
