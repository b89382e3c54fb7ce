//! Daemon, heartbeat and bypass: does Fabric forward at this moment?

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::{
    cli::{
        format::{count, duration},
        instance::Chosen,
        view::View,
    },
    daemon::state::State,
    kernel::clock,
};

/// What is known of the daemon.
#[derive(Clone, Debug, Default)]
pub(super) struct Daemon {
    /// The process that listens on the control socket.
    pub(super) process: Option<u32>,
    /// Its last word, or that of the one before.
    pub(super) state: Option<State>,
    /// How long ago that was written.
    pub(super) written: Option<Duration>,
}

/// What is known of the daemon, for programs.
#[derive(Debug, Serialize)]
pub(super) struct DaemonDocument {
    running: bool,
    process: Option<u32>,
    synced: Option<bool>,
    audits: Option<u64>,
    audit_corrections: Option<u64>,
    resyncs: Option<u64>,
    trouble: Option<String>,
    written: Option<u64>,
}

/// The heartbeat, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Heartbeat {
    left_ms: Option<i64>,
    timeout_ms: u64,
}

impl Heartbeat {
    pub(super) fn of(view: &View) -> Self {
        let settings = &view.contents.settings;
        let timeout = clock::time(settings.timeout_jiffies.into(), settings.hz);
        Self { left_ms: view.heartbeat_ms(), timeout_ms: timeout.as_millis() as u64 }
    }
}

/// The whole.
#[derive(Clone, Debug)]
pub(super) struct Health {
    pub(super) daemon: Daemon,
    /// See [`View::heartbeat`].
    heartbeat: Option<Result<Duration, Duration>>,
    timeout: Duration,
    bypass: bool,
}

impl Daemon {
    pub(super) fn of(chosen: &Chosen) -> Self {
        let state = chosen.state();
        let written = state.as_ref().and_then(|state| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
            now.checked_sub(Duration::from_secs(state.written))
        });
        Self { process: chosen.daemon(), state, written }
    }

    /// One line.
    pub(super) fn text(&self) -> String {
        let Some(process) = self.process else {
            let last = self.written.map(|ago| format!("; its last word is {} old", duration(ago)));
            return format!("does not run{}", last.unwrap_or_default());
        };
        let Some(state) = self.state.as_ref().filter(|state| state.pid == process) else {
            return format!("runs (process {process}), starting");
        };
        let sync = if state.synced { "in sync" } else { "reading everything anew" };
        let corrected = match state.audit_corrections {
            0 => "nothing corrected".into(),
            n => format!("{} corrected", entries(n as usize)),
        };
        let resyncs = match state.resyncs {
            0 => String::new(),
            n => format!(", {} after lost messages", count(n as usize, "resync")),
        };
        let audits = count(state.audits as usize, "audit");
        format!("runs (process {process}), {sync}; {audits}, {corrected}{resyncs}")
    }

    pub(super) fn document(&self) -> DaemonDocument {
        let state = self.state.as_ref();
        DaemonDocument {
            running: self.process.is_some(),
            process: self.process,
            synced: state.map(|state| state.synced && Some(state.pid) == self.process),
            audits: state.map(|state| state.audits),
            audit_corrections: state.map(|state| state.audit_corrections),
            resyncs: state.map(|state| state.resyncs),
            trouble: self.trouble(),
            written: state.map(|state| state.written),
        }
    }

    /// What keeps the present daemon from doing its work.
    pub(super) fn trouble(&self) -> Option<String> {
        let state = self.state.as_ref().filter(|state| Some(state.pid) == self.process)?;
        state.trouble.as_ref().map(|trouble| format!("fabric-xdpd tries again: {trouble}"))
    }
}

fn entries(number: usize) -> String {
    if number == 1 { "1 entry".into() } else { format!("{number} entries") }
}

impl Health {
    pub(super) fn of(view: &View, daemon: Daemon) -> Self {
        let settings = &view.contents.settings;
        Self {
            daemon,
            heartbeat: view.heartbeat(),
            timeout: clock::time(settings.timeout_jiffies.into(), settings.hz),
            bypass: settings.bypass != 0,
        }
    }

    /// Why nothing is accelerated, or nobody looks after it.
    pub(super) fn down(&self) -> Vec<String> {
        let mut why = Vec::new();
        if self.daemon.process.is_none() {
            why.push("fabric-xdpd does not run".into());
        }
        match self.heartbeat {
            None => why.push("there is no heartbeat yet".into()),
            Some(Err(over)) => why.push(format!("the heartbeat expired {} ago", duration(over))),
            Some(Ok(_)) => {}
        }
        why.extend(self.daemon.trouble().filter(|_| !why.is_empty()));
        why
    }

    /// Why not everything is as it should be, as far as it is not about single ports.
    pub(super) fn degraded(&self) -> Vec<String> {
        let mut why = Vec::new();
        if self.bypass {
            why.push("the bypass is on".into());
        }
        match &self.daemon.state {
            Some(state) if Some(state.pid) == self.daemon.process => match self.daemon.trouble() {
                Some(trouble) => why.push(trouble),
                None if !state.synced => why.push("fabric-xdpd reads everything anew".into()),
                None => {}
            },
            _ => why.push("fabric-xdpd is starting".into()),
        }
        why
    }

    /// Three lines.
    pub(super) fn text(&self) -> String {
        const KERNEL: &str = "the kernel carries the traffic";
        let heartbeat = match self.heartbeat {
            None => format!("none yet: {KERNEL}"),
            Some(Ok(left)) => format!("{} left of {}", duration(left), duration(self.timeout)),
            Some(Err(over)) => format!("expired {} ago: {KERNEL}", duration(over)),
        };
        let bypass = if self.bypass {
            format!("on: {KERNEL}; `fabricctl bypass off` ends that")
        } else {
            "off".into()
        };
        format!("daemon     {}\nheartbeat  {heartbeat}\nbypass     {bypass}\n", self.daemon.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::view::tests::leaf;

    #[test]
    fn an_expired_heartbeat_and_the_bypass_both_mean_that_the_kernel_forwards() {
        let mut view = leaf();
        assert_eq!(view.idle(), None);
        view.contents.settings.bypass = 1;
        assert_eq!(view.idle(), Some("bypass is on"));
        view.contents.settings.bypass = 0;
        view.contents.settings.deadline -= 76 * 250;
        assert_eq!(view.idle(), Some("the heartbeat has expired"));
        let expired = Health::of(&view, Daemon::default());
        assert!(expired.text().contains("expired 1 m 15 s ago: the kernel carries the traffic"));
        assert_eq!(Heartbeat::of(&view).left_ms, Some(-75_000));
        view.contents.settings.deadline = 0;
        assert_eq!(view.idle(), Some("there is no heartbeat yet"));
    }

    #[test]
    fn the_word_of_an_earlier_daemon_is_not_taken_for_that_of_the_present_one() {
        let state = State { pid: 7, synced: true, audits: 1, ..State::default() };
        let mut daemon = Daemon { process: Some(7), state: Some(state), written: None };
        assert_eq!(daemon.text(), "runs (process 7), in sync; 1 audit, nothing corrected");
        daemon.process = Some(8);
        assert_eq!(daemon.text(), "runs (process 8), starting");
        assert_eq!(daemon.document().synced, Some(false));
        daemon = Daemon { process: None, written: Some(Duration::from_secs(30)), ..daemon };
        assert_eq!(daemon.text(), "does not run; its last word is 30 s old");
    }
}
