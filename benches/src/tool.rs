//! Calling iproute2 with many commands at once.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Runs `program -batch -` (`ip` or `bridge`) with one command per line.
///
/// # Errors
/// With the first thing that the program complains about.
pub fn batch(program: &str, commands: &str) -> Result<()> {
    let mut child = Command::new(program)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} of iproute2 does not start; is it installed?"))?;
    if let Some(mut input) = child.stdin.take() {
        // A program that stops reading says why; that is more useful than the broken pipe.
        let _ = input.write_all(commands.as_bytes());
    }
    let output =
        child.wait_with_output().with_context(|| format!("{program} cannot be awaited"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} refuses a command: {}", said.lines().next().unwrap_or("no reason given"));
    }
    Ok(())
}

/// Runs a program and returns what it prints.
///
/// # Errors
/// If it does not start or fails.
pub fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{program} does not start; is it installed?"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {} fails: {}", arguments.join(" "), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Writes a kernel setting, named with dots, if this kernel has it.
///
/// # Errors
/// If it is there and cannot be written.
pub fn sysctl(name: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    match fs::write(&path, value) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot set {name} to {value}"))
        }
        _ => Ok(()),
    }
}
