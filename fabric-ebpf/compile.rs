// Compiles a binary of this crate for the kernel and leaves it in `OUT_DIR`. Included by the build
// scripts that embed one, next to `xtask/src/toolchain/locate.rs` as the module `locate`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::locate::{BpfToolchain, without_build_environment};

/// Compiles `binary` with `features` into `OUT_DIR/<object>`, which depends on `inputs` (relative
/// to the workspace) besides this crate and fabric-common. Errors go to cargo.
pub(crate) fn run(binary: &str, features: &[&str], object: &str, inputs: &[&str]) {
    if let Err(message) = compile(binary, features, object, inputs) {
        // Cargo fails on this line and shows it, and nothing of the script's other output.
        println!("cargo::error={message}");
    }
}

fn compile(binary: &str, features: &[&str], object: &str, inputs: &[&str]) -> Result<(), String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let workspace = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("..");
    watch(&workspace, inputs);

    let toolchain = BpfToolchain::find().ok_or(
        "the BPF programs cannot be compiled because their toolchain is missing; \
         run `cargo xtask setup` once",
    )?;
    println!("cargo::rerun-if-changed={}", toolchain.linker().display());

    if variable("CARGO_CFG_TARGET_ENDIAN")? != "little" {
        return Err(
            "Fabric needs a little-endian machine: its programs compare addresses of packets \
                    as little-endian numbers"
                .into(),
        );
    }
    let target = "bpfel-unknown-none";
    let arch = variable("CARGO_CFG_TARGET_ARCH")?;
    // Its own target folder: the outer cargo holds the lock of the usual one.
    let target_folder = out.join("fabric-ebpf-target");
    let mut cargo = cargo_build(&toolchain, &variable("CARGO")?, target, &arch);
    cargo
        .current_dir(workspace.join("fabric-ebpf"))
        .args(["--quiet", "--bin", binary])
        .arg("--target-dir")
        .arg(&target_folder);
    for feature in features {
        cargo.args(["--features", feature]);
    }
    let output = cargo
        .output()
        .map_err(|error| format!("cargo did not start to compile the BPF programs: {error}"))?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        // Line by line, because a newline would end cargo's error.
        messages.lines().for_each(|line| println!("cargo::error={line}"));
        return Err(format!("the BPF programs in fabric-ebpf do not compile with {toolchain}"));
    }
    messages
        .lines()
        .filter(|line| line.starts_with("warning"))
        .for_each(|line| println!("cargo::warning=fabric-ebpf: {line}"));

    let compiled = target_folder.join(target).join("release").join(binary);
    fs::copy(&compiled, out.join(object))
        .map_err(|error| format!("{} cannot be embedded: {error}", compiled.display()))?;
    Ok(())
}

/// `cargo build --release` with `toolchain` for `target`, with the flags that the programs need.
///
/// `outer` is the cargo that runs this script and serves where the toolchain has none; `arch` is
/// the architecture whose kernel will run the programs, in rustc's spelling.
fn cargo_build(toolchain: &BpfToolchain, outer: &str, target: &str, arch: &str) -> Command {
    let mut command = match toolchain {
        BpfToolchain::Cached { root } => {
            let mut command = without_build_environment(outer);
            command.env("RUSTC", root.join("usr/bin/rustc"));
            command
        }
        BpfToolchain::Nightly { sysroot, .. } => {
            let mut command = without_build_environment(sysroot.join("bin/cargo"));
            command.env("RUSTC", sysroot.join("bin/rustc"));
            command
        }
    };
    match toolchain.library_folder() {
        Some(folder) => command.env("LD_LIBRARY_PATH", folder),
        None => command.env_remove("LD_LIBRARY_PATH"),
    };
    // What aya-ebpf uses of rustc is unstable, and Debian's rustc is a stable one.
    command.env("RUSTC_BOOTSTRAP", "1");
    command.args(["build", "--release", "--target", target]);
    if matches!(toolchain, BpfToolchain::Nightly { .. }) {
        command.args(["-Z", "build-std=core"]);
    }
    // Debug information becomes BTF. The CPU is given to rustc, from which bpf-linker gets it and
    // then refuses a second one; the features are for bpf-linker alone.
    let flags = [
        format!("--cfg=bpf_target_arch=\"{arch}\""),
        "-Cdebuginfo=2".to_owned(),
        "-Ctarget-cpu=v3".to_owned(),
        format!("-Clinker={}", toolchain.linker().display()),
        "-Clink-arg=--btf".to_owned(),
        "-Clink-arg=--cpu-features=+alu32,+allows-misaligned-mem-access".to_owned(),
    ];
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    command
}

/// Tells cargo what the object depends on.
fn watch(workspace: &Path, inputs: &[&str]) {
    for name in ["XDG_CACHE_HOME", "HOME"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let crates = [
        "Cargo.toml",
        "fabric-common/Cargo.toml",
        "fabric-common/src",
        "fabric-ebpf/.cargo",
        "fabric-ebpf/Cargo.lock",
        "fabric-ebpf/Cargo.toml",
        "fabric-ebpf/build.rs",
        "fabric-ebpf/compile.rs",
        "fabric-ebpf/src",
    ];
    for input in crates.iter().chain(inputs).map(|input| workspace.join(input)) {
        // Cargo takes a file that is not there for one that always changes.
        if input.exists() {
            println!("cargo::rerun-if-changed={}", input.display());
        }
    }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo does not set {name} for the build script"))
}
