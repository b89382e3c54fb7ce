//! Compiles the BPF programs of `fabric-ebpf` and leaves the object in `OUT_DIR`, from where
//! `src/kernel/object.rs` embeds it.

// The one place that knows where the toolchain is, shared with `cargo xtask setup`.
#[path = "../xtask/src/toolchain/locate.rs"]
mod locate;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use locate::{BpfToolchain, without_build_environment};

/// The only binary of `fabric-ebpf`; it holds every program.
const BINARY: &str = "fabric";

fn main() {
    if let Err(message) = build() {
        // Cargo fails on this line and shows it, and nothing of the script's other output.
        println!("cargo::error={message}");
    }
}

fn build() -> Result<(), String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let workspace = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("..");
    let programs = workspace.join("fabric-ebpf");
    watch(&workspace);

    let toolchain = BpfToolchain::find().ok_or(
        "the BPF programs cannot be compiled because their toolchain is missing; \
         run `cargo xtask setup` once",
    )?;
    println!("cargo::rerun-if-changed={}", toolchain.linker().display());

    let target = match variable("CARGO_CFG_TARGET_ENDIAN")?.as_str() {
        "big" => "bpfeb-unknown-none",
        _ => "bpfel-unknown-none",
    };
    let arch = variable("CARGO_CFG_TARGET_ARCH")?;
    // Its own target folder: the outer cargo holds the lock of the usual one.
    let target_folder = out.join("fabric-ebpf-target");
    let mut cargo = cargo_build(&toolchain, &variable("CARGO")?, target, &arch);
    cargo
        .current_dir(&programs)
        .args(["--quiet", "--bin", BINARY])
        .arg("--target-dir")
        .arg(&target_folder);
    if env::var_os("CARGO_FEATURE_BPF_LOG").is_some() {
        cargo.args(["--features", "log"]);
    }
    let output = cargo
        .output()
        .map_err(|error| format!("cargo did not start to compile the BPF programs: {error}"))?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        // Line by line, because a newline would end cargo's error.
        messages
            .lines()
            .for_each(|line| println!("cargo::error={line}"));
        return Err(format!(
            "the BPF programs in fabric-ebpf do not compile with {toolchain}"
        ));
    }
    messages
        .lines()
        .filter(|line| line.starts_with("warning"))
        .for_each(|line| println!("cargo::warning=fabric-ebpf: {line}"));

    let object = target_folder.join(target).join("release").join(BINARY);
    fs::copy(&object, out.join("fabric-ebpf.o"))
        .map_err(|error| format!("{} cannot be embedded: {error}", object.display()))?;
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
fn watch(workspace: &Path) {
    for name in ["XDG_CACHE_HOME", "HOME"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let inputs = [
        "Cargo.toml",
        "fabric-common/Cargo.toml",
        "fabric-common/src",
        "fabric-ebpf/.cargo",
        "fabric-ebpf/Cargo.lock",
        "fabric-ebpf/Cargo.toml",
        "fabric-ebpf/build.rs",
        "fabric-ebpf/src",
    ];
    for input in inputs.map(|input| workspace.join(input)) {
        // Cargo takes a file that is not there for one that always changes.
        if input.exists() {
            println!("cargo::rerun-if-changed={}", input.display());
        }
    }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo does not set {name} for the build script"))
}
