//! Waiting for a program that the user works with: it gets the signals that this one gets.

use std::io::{self, IsTerminal as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process, kill_process_group, test_kill_process_group};

use super::interrupt::{self, Interrupt};
use super::tools;

/// How long a program may take to end after a signal that was passed on to it.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How often somebody who waits for several programs looks at them.
const POLL: Duration = Duration::from_millis(10);

/// A program in the foreground, with what it starts.
#[derive(Debug)]
pub struct Foreground {
    /// Whether it shares this process's group, which is that of the terminal.
    has_terminal: bool,
}

impl Foreground {
    /// Has `command` start so that it can be waited for by [`Self::wait`]. At a terminal it stays in
    /// the terminal's group, so that it can read; elsewhere it gets a group of its own, so that
    /// signals reach all that it starts.
    pub fn prepare(command: &mut Command) -> Self {
        let has_terminal = io::stdin().is_terminal();
        if !has_terminal {
            command.process_group(0);
        }
        Self { has_terminal }
    }

    /// Waits for the program and passes signals on that [`interrupt::watch`] notices. Ctrl-C at a
    /// terminal has reached it already, and what it does then is its own matter: shells go on. Any
    /// other signal ends it within [`PATIENCE`].
    ///
    /// # Errors
    /// If the program cannot be waited for.
    pub fn wait(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let mut passed = 0;
        let mut deadline: Option<Instant> = None;
        loop {
            if let Some(status) = tools::sleep_until_ended(child)? {
                if let Some(deadline) = deadline {
                    self.end_rest(child, deadline);
                }
                return Ok(status);
            }
            if let Some(new) = interrupt::last().filter(|last| last.count != passed) {
                passed = new.count;
                if !(self.has_terminal && new.is_typed) {
                    self.pass_on(child, new);
                    deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
                }
            }
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                self.send(child, Signal::KILL);
            }
        }
    }

    /// Gives what the program has left behind the rest of its time, and ends it then.
    fn end_rest(&self, child: &Child, deadline: Instant) {
        let Some(group) = tools::pid(child).filter(|_| !self.has_terminal) else {
            return;
        };
        while test_kill_process_group(group).is_ok() && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
        // It fails when nothing is left.
        let _ = kill_process_group(group, Signal::KILL);
    }

    fn pass_on(&self, child: &Child, interrupt: Interrupt) {
        let signal = Signal::from_named_raw(interrupt.signal).unwrap_or(Signal::TERM);
        self.send(child, signal);
    }

    fn send(&self, child: &Child, signal: Signal) {
        let Some(pid) = tools::pid(child) else {
            return;
        };
        // It fails when the program has just ended, which is what was wanted.
        let _ = match self.has_terminal {
            true => kill_process(pid, signal),
            false => kill_process_group(pid, signal),
        };
    }
}
