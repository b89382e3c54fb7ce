//! Running other programs, with one sentence when they fail.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Runs `command` on this terminal.
///
/// # Errors
/// If it does not start or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = name(command);
    let status = command.status().with_context(|| format!("{name} does not start"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

/// `command`, with everything that it starts, ending when this process ends, whatever ends it.
///
/// Only root may have that; without, it is the command alone that ends.
pub(crate) fn bound_to_us(command: &Command) -> Command {
    let mut bound = Command::new("setpriv");
    bound.args(["--pdeathsig", "KILL"]);
    if am_root() {
        // A process namespace ends with its first process, and that one with us.
        bound.args(["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]);
    }
    bound.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(name, value),
            None => bound.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        bound.current_dir(folder);
    }
    bound
}

/// Goes on as `command`: the same process, with the same signals.
///
/// # Errors
/// If it does not start; else this does not return.
pub(crate) fn become_it(command: &mut Command) -> Result<()> {
    let name = name(command);
    Err(command.exec()).with_context(|| format!("{name} does not start"))
}

/// Runs `command` and returns what it prints.
///
/// # Errors
/// If it does not start or does not succeed; the error holds the last thing it said.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = name(command);
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("{name} does not start"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed ({}): {}", output.status, reason(&said));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{name} printed no valid text"))
}

/// What tells most of all that a failed program said: its first error, else its last line.
fn reason(said: &str) -> &str {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    lines()
        .find(|line| line.starts_with("E:") || line.to_ascii_lowercase().starts_with("error"))
        .or_else(|| lines().next_back())
        .unwrap_or("it said nothing")
}

/// The program and its first argument, which is the subcommand of most.
fn name(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    match command.get_args().next().map(|argument| argument.to_string_lossy()) {
        Some(argument) if !argument.starts_with('-') => format!("`{program} {argument}`"),
        _ => format!("`{program}`"),
    }
}

/// Whether this process may install packages and make network namespaces.
pub(crate) fn am_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0)
}

/// `PATH` with `folder` in front.
pub(crate) fn path_with(folder: &Path) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [folder.to_owned()].into_iter().chain(env::split_paths(&path));
    env::join_paths(folders).unwrap_or(path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_returns_what_the_program_printed() {
        assert_eq!(output(Command::new("echo").arg("leaf01")).unwrap(), "leaf01\n");
    }

    #[test]
    fn a_failing_program_is_named_with_its_first_error() {
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo before >&2; echo E: no such package >&2; echo after >&2; exit 3"]);
        let message = output(&mut command).unwrap_err().to_string();
        assert_eq!(message, "`sh` failed (exit status: 3): E: no such package");
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let message = run(Command::new("/nowhere/vtysh").arg("show")).unwrap_err().to_string();
        assert_eq!(message, "`vtysh show` does not start");
    }

    #[test]
    fn a_folder_is_put_in_front_of_the_path() {
        let path = path_with(Path::new("/opt/fabric/bin"));
        assert!(path.to_string_lossy().starts_with("/opt/fabric/bin:"));
    }
}
