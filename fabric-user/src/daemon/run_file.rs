//! Files in `/run/fabric` in which the daemon tells others what it knows: JSON, replaced in one step, so that nobody
//! reads half of it.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// Why a run file is of no use.
#[derive(Debug, Error)]
pub enum RunFileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It holds something else.
    #[error(
        "{} is not understood: {source}; use the fabricctl that came with the running fabric-xdpd",
        .path.display()
    )]
    Form {
        /// The file.
        path: PathBuf,
        /// Where it is something else.
        source: serde_json::Error,
    },
}

/// Replaces the file. `mode` is who may read it, as of `chmod`; the process's mask takes from it.
///
/// # Errors
/// If the folder cannot be written.
pub(super) fn write(path: &Path, mode: u32, content: &impl Serialize) -> io::Result<()> {
    let mut next = OsString::from(path);
    next.push(".new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
    options.open(&next)?.write_all(&serde_json::to_vec(content)?)?;
    fs::rename(next, path)
}

/// Reads the file; `None` if there is none.
///
/// # Errors
/// If it cannot be read or understood.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RunFileError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(RunFileError::Read { path: path.to_owned(), source }),
    };
    let understood = serde_json::from_slice(&bytes);
    understood.map_err(|source| RunFileError::Form { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder of one test's own, which goes with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let name = format!("fabric-run-file-{test}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_with_its_mode_and_nothing_is_left_beside_it() {
        let folder = Folder::new("whole");
        let path = folder.0.join("main.premises.json");
        write(&path, 0o600, &vec![1, 2, 3]).unwrap();
        write(&path, 0o600, &vec![4]).unwrap();
        assert_eq!(read(&path).unwrap(), Some(vec![4]));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let names: Vec<_> =
            fs::read_dir(&folder.0).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(names, ["main.premises.json"]);
    }

    #[test]
    fn what_is_not_there_is_none_and_what_is_wrong_is_said_with_the_file() {
        let folder = Folder::new("wrong");
        let path = folder.0.join("main.json");
        assert_eq!(read::<Vec<u32>>(&path).unwrap(), None);
        fs::write(&path, "[1, 2").unwrap();
        let error = read::<Vec<u32>>(&path).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{} is not understood: EOF", path.display())),
            "{error}"
        );
        let error = read::<Vec<u32>>(&folder.0).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot read {}: ", folder.0.display())), "{error}");
    }
}
