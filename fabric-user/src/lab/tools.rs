//! Running iproute2 and other programs, with errors that say which line failed where.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::error::LabError;
use super::netns::Netns;

/// Where packages put programs that root uses; sudo and cron may leave them out of PATH.
const FOLDERS: [&str; 7] = [
    "/usr/lib/frr",
    "/usr/libexec/frr",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
];

/// The full path of a program, when it is installed.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| PathBuf::from(folder).join(program)).find(|path| path.is_file())
}

/// The full path of a program, or an error that names its package.
pub(super) fn require(program: &str, package: &'static str) -> Result<PathBuf, LabError> {
    find(program).ok_or_else(|| LabError::Missing { program: program.to_owned(), package })
}

/// Runs `ip` or `bridge` with one line per command, in a namespace or in the current one. Stops
/// at the first line that fails.
pub(super) fn batch(
    program: &str,
    lines: &[String],
    namespace: Option<&Netns>,
) -> Result<(), LabError> {
    if lines.is_empty() {
        return Ok(());
    }
    let path = require(program, "iproute2")?;
    let place = place(namespace);
    let work = || -> std::io::Result<Output> {
        let mut child = Command::new(&path)
            .args(["-batch", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that stopped at a bad line closes its end: its own message says more.
            let _ = stdin.write_all((lines.join("\n") + "\n").as_bytes());
        }
        child.wait_with_output()
    };
    let output = match namespace {
        Some(namespace) => namespace.enter(work)?,
        None => work(),
    };
    let failed = |command: String, message: String| LabError::Command {
        command,
        place: place.clone(),
        message,
    };
    let output = output.map_err(|error| failed(program.to_owned(), error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let line = stderr
        .lines()
        .find_map(|line| line.strip_prefix("Command failed -:"))
        .and_then(|number| number.trim().parse::<usize>().ok())
        .and_then(|number| lines.get(number.checked_sub(1)?));
    let message =
        stderr.lines().filter(|line| !line.starts_with("Command failed")).collect::<Vec<_>>();
    Err(failed(
        format!("`{program} {}`", line.map_or("-batch", String::as_str)),
        message.join("; "),
    ))
}

/// Runs a program to its end, in a namespace or in the current one; its standard output.
pub(super) fn run(command: &mut Command, namespace: Option<&Netns>) -> Result<String, LabError> {
    let output = match namespace {
        Some(namespace) => namespace.enter(|| command.output())?,
        None => command.output(),
    };
    check(command, output, &place(namespace))
}

/// Runs a program to its end in a namespace, under a host name; its standard output.
pub(super) fn run_as(
    command: &mut Command,
    namespace: &Netns,
    hostname: &str,
) -> Result<String, LabError> {
    let output = namespace.enter_as(hostname, || command.output())?;
    check(command, output, &place(Some(namespace)))
}

fn check(
    command: &Command,
    output: std::io::Result<Output>,
    place: &str,
) -> Result<String, LabError> {
    let failed = |message: String| LabError::Command {
        command: describe(command),
        place: place.to_owned(),
        message,
    };
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        return Err(failed(if text.is_empty() { output.status.to_string() } else { text }));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    format!("`{}`", words.join(" "))
}

fn place(namespace: Option<&Netns>) -> String {
    namespace
        .map_or_else(|| "the root namespace".to_owned(), |it| format!("namespace {}", it.name()))
}
