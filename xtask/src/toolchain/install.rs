//! Puts a BPF-capable rustc and bpf-linker into the cache folder.
//!
//! Debian's rustc-web brings `core` compiled for BPF, which neither rustup's stable nor its
//! nightly has, and the LLVM that bpf-linker links with. Unpacked, not installed: that needs no
//! root and conflicts with no other rustc.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::locate::{BPF_LINKER_VERSION, BpfToolchain, marker_text, without_build_environment};
use crate::{debian, process::output};

/// Installs the toolchain below `cache`, Fabric's cache folder. `say` is told each long step.
///
/// An interrupted run leaves a folder `toolchain.partial`, which the next one throws away.
///
/// # Errors
/// If this machine's Debian has no rustc for BPF, if the network is not there, or if bpf-linker
/// does not compile.
pub(crate) fn install(cache: &Path, say: impl Fn(&str)) -> Result<BpfToolchain> {
    let packages = packages()?;
    let root = BpfToolchain::cached_root(cache);
    let partial = root.with_extension("partial");
    let replaced = root.with_extension("replaced");
    for stale in [&partial, &replaced] {
        remove(stale)?;
    }

    say("downloading Debian's rustc for BPF and LLVM (140 MB)");
    let names: Vec<&str> = packages.names.iter().map(String::as_str).collect();
    debian::unpack(&names, &partial)?;

    say(&format!("compiling bpf-linker {BPF_LINKER_VERSION} (about a minute)"));
    compile_linker(&partial, &packages.llvm)?;

    // Most of the disk space went to what only the compilation of bpf-linker needed.
    for spent in ["usr/include", "usr/share", "linker-target"] {
        remove(&partial.join(spent))?;
    }
    remove(&partial.join(format!("usr/lib/llvm-{}", packages.llvm)))?;

    fs::write(BpfToolchain::marker(&partial), marker_text())
        .context("the toolchain's marker cannot be written")?;
    if root.exists() {
        fs::rename(&root, &replaced)?;
    }
    fs::rename(&partial, &root)
        .with_context(|| format!("{} cannot be moved into place", partial.display()))?;
    remove(&replaced)?;
    BpfToolchain::find_cached().context("the toolchain that was just installed is not found")
}

/// Debian's rustc and `core` for BPF; what they depend on follows from them.
const RUSTC: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];

/// What to download.
struct Packages {
    names: Vec<String>,
    /// LLVM's major version, as in `libllvm22`.
    llvm: String,
}

/// Works out the package names, which hold the versions of rustc and of LLVM.
fn packages() -> Result<Packages> {
    const ALTERNATIVE: &str = "use rustup's nightly instead: run `rustup toolchain install nightly \
         --component rust-src` and put bpf-linker (github.com/aya-rs/bpf-linker) on the PATH";
    if !debian::is_here() {
        bail!("a BPF toolchain can be installed by itself only on Debian; {ALTERNATIVE}");
    }
    for package in RUSTC {
        if debian::field(package, "Version")?.is_none() {
            bail!("this Debian has no package {package}; {ALTERNATIVE}");
        }
    }
    let mut names = debian::with_dependencies(&RUSTC, |package, installed| {
        // Rust and LLVM in this folder even if they are installed, for their versions must fit
        // each other; of the rest the libraries that the machine lacks.
        let wanted = package.contains("rust") || package.starts_with("libllvm");
        wanted || (package.starts_with("lib") && !installed)
    })?;
    let llvm = names
        .iter()
        .find_map(|name| llvm_version(name))
        .with_context(|| format!("Debian's rustc needs no LLVM of a known name; {ALTERNATIVE}"))?
        .to_owned();
    // Only its static and import libraries are needed, and none of what it depends on.
    names.push(format!("llvm-{llvm}-dev"));
    Ok(Packages { names, llvm })
}

/// `22` for `libllvm22`.
fn llvm_version(package: &str) -> Option<&str> {
    package
        .strip_prefix("libllvm")
        .filter(|version| !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()))
}

fn compile_linker(root: &Path, llvm: &str) -> Result<()> {
    let libraries = library_folder(root)?;
    let prefix = root.join("usr/lib").join(format!("llvm-{llvm}"));
    let flags =
        [format!("-L{}", prefix.join("lib").display()), format!("-L{}", libraries.display())];
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut install = without_build_environment(cargo);
    install
        .args(["install", "bpf-linker", "--locked", "--version", BPF_LINKER_VERSION])
        .args(["--no-default-features", "--features", &format!("llvm-{llvm}")])
        .arg("--root")
        .arg(root)
        .arg("--target-dir")
        .arg(root.join("linker-target"))
        // Away from the workspace, whose cargo settings are not meant for others' crates.
        .current_dir(root)
        .env("LLVM_PREFIX", prefix)
        .env("LD_LIBRARY_PATH", &libraries)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    output(&mut install).context("bpf-linker cannot be compiled; check the network")?;

    let linker = root.join("bin/bpf-linker");
    output(Command::new(linker).arg("--version").env("LD_LIBRARY_PATH", libraries))?;
    Ok(())
}

fn library_folder(root: &Path) -> Result<PathBuf> {
    BpfToolchain::Cached { root: root.to_owned() }
        .library_folder()
        .with_context(|| format!("{} holds no libraries", root.join("usr/lib").display()))
}

/// Removes a folder that may not be there.
fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_llvm_version_is_read_from_the_name_of_its_library() {
        assert_eq!(llvm_version("libllvm22"), Some("22"));
    }

    #[test]
    fn a_package_that_is_not_llvm_itself_gives_no_version() {
        assert_eq!(llvm_version("libllvm-ocaml-dev"), None);
        assert_eq!(llvm_version("libllvm"), None);
        assert_eq!(llvm_version("llvm-22-dev"), None);
    }
}
