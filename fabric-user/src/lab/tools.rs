//! Running iproute2 and other programs, with errors that say which line failed where.
//!
//! What a program prints goes to a file in memory and never to a pipe: a daemon that it leaves
//! behind may keep its standard output for ever (`mgmtd` of FRR 10 does), and the end of a pipe
//! would never come.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use serde::de::DeserializeOwned;

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

/// A program that takes longer is stuck; on a busy machine the slowest one takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often somebody who waits for a program looks whether to stop.
const POLL: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// The full path of a program, when it is installed.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| PathBuf::from(folder).join(program)).find(|path| path.is_file())
}

/// The full path of a program, or an error that names its package.
pub(super) fn require(program: &str, package: &'static str) -> Result<PathBuf, LabError> {
    find(program).ok_or_else(|| LabError::Missing { program: program.to_owned(), package })
}

/// Where a program runs, and for how long.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// Its network namespace; the current one without.
    pub namespace: Option<&'a Netns>,
    /// The name of the machine that it sees; the machine's own without.
    pub hostname: Option<&'a str>,
    /// The program is ended when this is set.
    pub stop: &'a AtomicBool,
    /// The longest time that it may take.
    pub limit: Option<Duration>,
}

impl<'a> Setting<'a> {
    /// In a namespace, or in the current one.
    pub(crate) fn within(namespace: Option<&'a Netns>, stop: &'a AtomicBool) -> Self {
        Self { namespace, hostname: None, stop, limit: Some(PATIENCE) }
    }
}

/// Runs `ip` or `bridge` with one line per command, in a namespace or in the current one. Stops
/// at the first line that fails.
pub(super) fn batch(
    program: &str,
    lines: &[String],
    namespace: Option<&Netns>,
    stop: &AtomicBool,
) -> Result<(), LabError> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut command = Command::new(require(program, "iproute2")?);
    command.args(["-batch", "-"]);
    let setting = Setting::within(namespace, stop);
    let output = finish(&mut command, Some((lines.join("\n") + "\n").as_bytes()), setting)?;
    if output.status.success() {
        return Ok(());
    }
    let line = output
        .errors
        .lines()
        .find_map(|line| line.strip_prefix("Command failed -:"))
        .and_then(|number| number.trim().parse::<usize>().ok())
        .and_then(|number| lines.get(number.checked_sub(1)?));
    let said = output.errors.lines().filter(|line| !line.starts_with("Command failed"));
    let said = said.collect::<Vec<_>>().join("\n");
    Err(LabError::Command {
        command: format!("`{program} {}`", line.map_or("-batch", String::as_str)),
        place: place(namespace),
        message: output.why(&said),
    })
}

/// Runs a program to its end; its standard output. One that fails is an error.
pub(super) fn run(command: &mut Command, setting: Setting<'_>) -> Result<String, LabError> {
    let output = finish(command, None, setting)?;
    if output.status.success() {
        return Ok(output.text);
    }
    Err(LabError::Command {
        command: describe(command),
        place: place(setting.namespace),
        message: output.why(&output.errors),
    })
}

/// Runs a program that answers in JSON. An empty answer is an empty list.
pub(super) fn json<T: DeserializeOwned>(
    command: &mut Command,
    setting: Setting<'_>,
) -> Result<Vec<T>, LabError> {
    let text = run(command, setting)?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(&text).map_err(|error| LabError::Command {
        command: describe(command),
        place: place(setting.namespace),
        message: format!("its answer cannot be read: {error}"),
    })
}

/// What a program left.
pub(crate) struct Output {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// What it printed.
    pub(crate) text: String,
    /// What it complained of.
    pub(crate) errors: String,
}

impl Output {
    /// Why the program failed, on one line: what it said, or at least how it ended.
    fn why(&self, said: &str) -> String {
        match one_line(said) {
            said if said.is_empty() => self.status.to_string(),
            said => said,
        }
    }
}

/// Runs a program to its end, however it ends.
pub(crate) fn finish(
    command: &mut Command,
    input: Option<&[u8]>,
    setting: Setting<'_>,
) -> Result<Output, LabError> {
    let place = place(setting.namespace);
    let name = describe(command);
    let failed = |error: io::Error| LabError::Command {
        command: name.clone(),
        place: place.clone(),
        message: error.to_string(),
    };
    let text = scratch(&[]).map_err(failed)?;
    let errors = scratch(&[]).map_err(failed)?;
    command.stdin(match input {
        Some(content) => scratch(content).map_err(failed)?.into(),
        None => Stdio::null(),
    });
    command.stdout(text.try_clone().map_err(failed)?);
    command.stderr(errors.try_clone().map_err(failed)?);
    // A group of its own: Ctrl-C at the terminal is for this program, which ends that one.
    command.process_group(0);
    let child = match (setting.namespace, setting.hostname) {
        (None, _) => command.spawn(),
        (Some(namespace), None) => namespace.enter(|| command.spawn())?,
        (Some(namespace), Some(hostname)) => namespace.enter_as(hostname, || command.spawn())?,
    };
    let mut child = child.map_err(failed)?;
    let ending = wait(&mut child, setting.limit, setting.stop).map_err(failed)?;
    let errors = read(errors).map_err(failed)?;
    match ending {
        Ending::Ended(status) => Ok(Output { status, text: read(text).map_err(failed)?, errors }),
        Ending::Stopped => Err(LabError::Interrupted),
        Ending::TimedOut => Err(LabError::Stuck {
            command: name,
            place,
            seconds: setting.limit.unwrap_or_default().as_secs(),
            said: match one_line(&errors) {
                said if said.is_empty() => "it said nothing".to_owned(),
                said => format!("it said: {said}"),
            },
        }),
    }
}

/// How waiting for a program ended.
pub(super) enum Ending {
    /// It has ended.
    Ended(ExitStatus),
    /// It was ended, with its process group, because it was time to stop.
    Stopped,
    /// It was ended, with its process group, because it took too long.
    TimedOut,
}

/// Waits for a program that leads a process group.
pub(super) fn wait(
    child: &mut Child,
    limit: Option<Duration>,
    stop: &AtomicBool,
) -> io::Result<Ending> {
    let start = Instant::now();
    loop {
        if let Some(status) = sleep_until_ended(child)? {
            return Ok(Ending::Ended(status));
        }
        let ending = match limit {
            _ if stop.load(Ordering::Relaxed) => Ending::Stopped,
            Some(limit) if start.elapsed() > limit => Ending::TimedOut,
            _ => continue,
        };
        end_group(child);
        child.wait()?;
        return Ok(ending);
    }
}

/// Waits a moment for a child to end.
pub(super) fn sleep_until_ended(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    if let Some(pid) = pid(child) {
        let descriptor = pidfd_open(pid, PidfdFlags::empty())?;
        match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&POLL)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    child.try_wait()
}

/// Ends a child that has not been waited for, and its process group.
pub(super) fn end_group(child: &Child) {
    if let Some(pid) = pid(child) {
        // It fails when all of them have ended.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

pub(super) fn pid(child: &Child) -> Option<Pid> {
    Pid::from_raw(child.id().cast_signed())
}

/// A file in memory that holds a text.
fn scratch(content: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("fabric-lab", MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}

fn read(mut file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn one_line(text: &str) -> String {
    text.trim().replace('\n', "; ")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::interrupt::NEVER;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// A process that was left behind goes when the test ends.
    struct LeftBehind(Option<Pid>);

    impl Drop for LeftBehind {
        fn drop(&mut self) {
            if let Some(pid) = self.0 {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
    }

    #[test]
    fn a_daemon_that_keeps_its_output_does_not_keep_its_starter_waiting() {
        let mut command = shell("setsid sleep 600 & echo $!; echo a word >&2");
        let setting = Setting { limit: None, ..Setting::within(None, &NEVER) };
        let text = run(&mut command, setting).expect("the starter ends");
        let daemon = LeftBehind(text.trim().parse().ok().and_then(Pid::from_raw));
        let pid = daemon.0.expect("it told its number");
        rustix::process::test_kill_process(pid).expect("the daemon goes on");
    }

    #[test]
    fn a_program_that_is_stuck_is_ended_and_named_with_what_it_said() {
        let setting =
            Setting { limit: Some(Duration::from_millis(1)), ..Setting::within(None, &NEVER) };
        let mut command = shell("echo waiting for godot >&2; sleep 600");
        // It may be ended before it has said anything.
        match run(&mut command, setting) {
            Err(error @ LabError::Stuck { .. }) => {
                assert!(error.to_string().contains("sleep 600"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_fails_without_a_word_is_told_by_how_it_ended() {
        let setting = Setting::within(None, &NEVER);
        let error = run(&mut shell("kill -TERM $$"), setting).expect_err("it fails");
        assert!(error.to_string().contains("signal: 15"), "{error}");
        let error = batch("false", &["link show".to_owned()], None, &NEVER).expect_err("it fails");
        assert!(error.to_string().contains("exit status: 1"), "{error}");
    }

    #[test]
    fn a_program_ends_when_it_is_time_to_stop() {
        let stop = AtomicBool::new(true);
        let result = run(&mut shell("sleep 600"), Setting::within(None, &stop));
        assert!(matches!(result, Err(LabError::Interrupted)), "{result:?}");
    }

    #[test]
    fn more_output_than_a_pipe_holds_arrives_and_so_does_the_input() {
        let setting = Setting::within(None, &NEVER);
        let text = run(&mut shell("head -c 300000 /dev/zero | tr '\\0' x"), setting);
        assert_eq!(text.expect("it succeeds").len(), 300_000);
        let mut command = Command::new("cat");
        let output = finish(&mut command, Some(b"one\ntwo\n"), setting).expect("it runs");
        assert_eq!(output.text, "one\ntwo\n");
    }
}
