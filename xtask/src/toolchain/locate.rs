//! Where the toolchain that compiles the BPF programs is.
//!
//! `cargo xtask setup` puts a toolchain where this file says, and the build script of
//! `fabric-user` looks there: it includes this very file, so that both always agree. It
//! therefore uses nothing but the standard library.

use std::{
    env,
    ffi::OsStr,
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The bpf-linker release that the programs are linked with.
pub(crate) const BPF_LINKER_VERSION: &str = "0.13.0";

/// The toolchain's marker: the last file that a set-up writes into a toolchain's folder.
const MARKER: &str = "complete";

/// What the marker holds; a folder with another text was made by another version of the set-up.
pub(crate) fn marker_text() -> String {
    format!("layout 1, bpf-linker {BPF_LINKER_VERSION}\n")
}

/// Fabric's cache folder: `$XDG_CACHE_HOME/fabric`, or `~/.cache/fabric`.
///
/// `None` when neither variable holds an absolute path.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("fabric"))
}

/// A toolchain that can compile for `bpfel-unknown-none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BpfToolchain {
    /// Debian's rustc-web with its `core` for BPF, unpacked into a folder of the cache.
    Cached {
        /// The folder; holds `usr/bin/rustc` and `bin/bpf-linker`.
        root: PathBuf,
    },
    /// rustup's nightly with the component rust-src; `core` is compiled on the way.
    Nightly {
        /// nightly's own folder; holds `bin/cargo` and `bin/rustc`.
        sysroot: PathBuf,
        /// The bpf-linker to link with.
        linker: PathBuf,
    },
}

impl BpfToolchain {
    /// The folder of the cached toolchain below Fabric's cache folder.
    pub(crate) fn cached_root(cache: &Path) -> PathBuf {
        cache.join("toolchain")
    }

    /// The marker of the cached toolchain in `root`.
    pub(crate) fn marker(root: &Path) -> PathBuf {
        root.join(MARKER)
    }

    /// Finds a toolchain: the cached one first, then nightly with rust-src and a bpf-linker.
    pub(crate) fn find() -> Option<Self> {
        Self::find_cached().or_else(Self::find_nightly)
    }

    /// The cached toolchain, if a set-up of this version has completed it.
    pub(crate) fn find_cached() -> Option<Self> {
        let root = Self::cached_root(&cache_folder()?);
        let complete = fs::read_to_string(Self::marker(&root)).ok()? == marker_text();
        complete.then_some(Self::Cached { root })
    }

    /// rustup's nightly, if it has the component rust-src and a bpf-linker is on the PATH.
    pub(crate) fn find_nightly() -> Option<Self> {
        let output = Command::new("rustup")
            .args(["run", "nightly", "rustc", "--print", "sysroot"])
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        let sysroot = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
        let source = sysroot.join("lib/rustlib/src/rust/library/core");
        let linker = on_path("bpf-linker")?;
        (source.is_dir() && sysroot.join("bin/cargo").is_file())
            .then_some(Self::Nightly { sysroot, linker })
    }

    /// The bpf-linker that belongs to this toolchain.
    pub(crate) fn linker(&self) -> PathBuf {
        match self {
            Self::Cached { root } => root.join("bin/bpf-linker"),
            Self::Nightly { linker, .. } => linker.clone(),
        }
    }

    /// The folder that `LD_LIBRARY_PATH` has to name for rustc and bpf-linker to start, if any.
    pub(crate) fn library_folder(&self) -> Option<PathBuf> {
        let Self::Cached { root } = self else {
            return None;
        };
        fs::read_dir(root.join("usr/lib"))
            .ok()?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().ends_with("-linux-gnu"))
    }
}

impl fmt::Display for BpfToolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cached { root } => write!(f, "Debian's rustc for BPF in {}", root.display()),
            Self::Nightly { sysroot, .. } => {
                write!(f, "rustup's nightly with rust-src in {}", sysroot.display())
            }
        }
    }
}

/// A `program` that sees nothing of the cargo build it is called from: no compiler flags,
/// wrappers, profiles or targets, only what cargo needs for the network, the job server and the
/// terminal.
pub(crate) fn without_build_environment(program: impl AsRef<OsStr>) -> Command {
    const KEPT: [&str; 8] = [
        "CARGO_HOME",
        "CARGO_MAKEFLAGS",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
        "RUSTUP_",
    ];
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let of_the_build = text.starts_with("CARGO") || text.starts_with("RUST");
        if of_the_build && !KEPT.iter().any(|kept| text.starts_with(kept)) {
            command.env_remove(&name);
        }
    }
    // Empty, not only removed: a wrapper may also stand in the user's cargo settings.
    command.env("RUSTC_WRAPPER", "");
    command
}

/// The first executable file called `name` in the folders of `PATH` or in those of the
/// administrator's programs, which a user's `PATH` may lack.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| {
            file.metadata()
                .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
        })
}
