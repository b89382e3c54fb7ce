//! The test binaries of `fabric-tests`, as files.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use super::{ROOT, UNIT};
use crate::{process, workspace};

/// Compiles all test binaries, also those for other kernels, and the programs that tests start.
///
/// One cargo keeps all processors busy, where several after each other wait each for its longest crate.
///
/// # Errors
/// If something does not compile; cargo has said why.
pub(super) fn build_all() -> Result<()> {
    let mut command = workspace::cargo();
    // By a pattern, which also those match that a plain `cargo test` leaves out.
    command.args(["test", "--no-run", "--lib", "--bins", "--test", "*"]);
    command.args(UNIT.iter().chain([&ROOT]).flat_map(|package| ["--package", package]));
    process::run(&mut command)
}

/// Builds the test binaries called `names` and returns where they are, in the same order.
///
/// # Errors
/// If one does not exist or does not compile; cargo has said why.
pub(crate) fn build(names: &[&str]) -> Result<Vec<PathBuf>> {
    let mut command = workspace::cargo();
    command.args(["test", "--no-run", "--message-format=json-render-diagnostics"]);
    command.args(["--package", ROOT]);
    command.args(names.iter().flat_map(|name| ["--test", name]));
    let output = command.stderr(Stdio::inherit()).output().context("cargo does not start")?;
    if !output.status.success() {
        bail!("the test binaries {} of {ROOT} cannot be built", names.join(", "));
    }
    let messages = String::from_utf8(output.stdout).context("cargo printed no valid text")?;
    let find = |name: &&str| {
        messages
            .lines()
            .find_map(|line| executable(line, name))
            .with_context(|| format!("cargo did not say where the test binary {name} is"))
    };
    names.iter().map(find).collect()
}

/// Where the test binary `name` is, if the JSON text `message` of cargo says so.
fn executable(message: &str, name: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let target = &message["target"];
    let is_test = target["kind"].as_array()?.iter().any(|kind| kind == "test");
    if !is_test || target["name"] != name {
        return None;
    }
    Some(message["executable"].as_str()?.into())
}

/// Whether the binary has a test with `filter` in its name.
///
/// # Errors
/// If it does not start.
pub(super) fn has_tests(binary: &Path, filter: Option<&str>) -> Result<bool> {
    let list = process::output(Command::new(binary).arg("--list").args(filter))?;
    Ok(list.lines().any(|line| line.ends_with(": test")))
}

/// The name of a test binary without the hash that cargo appends.
pub(crate) fn name(binary: &Path) -> String {
    let file = binary.file_stem().unwrap_or_default().to_string_lossy();
    file.rsplit_once('-').map_or(&*file, |(name, _)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"reason":"compiler-artifact","target":{"kind":["test"],
        "name":"packets"},"executable":"/target/debug/deps/packets-1f"}"#;

    #[test]
    fn the_place_of_a_test_binary_is_read_from_cargos_messages() {
        assert_eq!(
            executable(MESSAGE, "packets"),
            Some(PathBuf::from("/target/debug/deps/packets-1f"))
        );
    }

    #[test]
    fn messages_about_other_targets_are_passed_over() {
        assert_eq!(executable(MESSAGE, "vlan_aware"), None);
        assert_eq!(executable(&MESSAGE.replace(r#"["test"]"#, r#"["lib"]"#), "packets"), None);
        assert_eq!(executable("not JSON", "packets"), None);
    }

    #[test]
    fn a_binary_is_named_without_its_hash() {
        assert_eq!(name(Path::new("/target/debug/deps/vlan_aware-1f2e")), "vlan_aware");
    }
}
