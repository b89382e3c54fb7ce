//! Daemon, heartbeat and bypass: does Fabric forward at this moment?

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::{
    cli::{
        clock,
        format::{count, duration},
        instance::Chosen,
        view::View,
    },
    daemon::state::State,
};

/// What is known of the daemon.
#[derive(Clone, Debug, Default)]
pub(super) struct Daemon {
    /// The process that listens on the control socket.
    pub(super) process: Option<u32>,
    /// Its last word, or that of the one before.
    pub(super) state: Option<State>,
    /// How long ago that was written.
    written: Option<Duration>,
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

    pub(super) fn json(&self) -> Value {
        let state = self.state.as_ref();
        json!({
            "running": self.process.is_some(),
            "process": self.process,
            "synced": state.map(|s| s.synced && Some(s.pid) == self.process),
            "audits": state.map(|s| s.audits),
            "audit_corrections": state.map(|s| s.audit_corrections),
            "resyncs": state.map(|s| s.resyncs),
            "trouble": self.trouble(),
            "written": state.map(|s| s.written),
        })
    }

    /// What keeps the present daemon from doing its work.
    pub(super) fn trouble(&self) -> Option<String> {
        let state = self.state.as_ref().filter(|state| Some(state.pid) == self.process)?;
        state.trouble.as_ref().map(|trouble| format!("fabric-xdpd tries again: {trouble}"))
    }

    /// What is left to the kernel, and the neighbours that are not resolved.
    pub(super) fn complaints(&self) -> (Vec<String>, Vec<String>) {
        let state = self.state.clone().unwrap_or_default();
        (state.problems, state.unresolved)
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

    /// Why the programs hand everything to the kernel, if they do.
    pub(super) const fn idle(&self) -> Option<&'static str> {
        match self.heartbeat {
            _ if self.bypass => Some("bypass is on"),
            None => Some("there is no heartbeat yet"),
            Some(Err(_)) => Some("the heartbeat has expired"),
            Some(Ok(_)) => None,
        }
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

    pub(super) fn json(&self) -> Value {
        let left = self.heartbeat.map(|beat| match beat {
            Ok(left) => left.as_millis() as i64,
            Err(over) => -(over.as_millis() as i64),
        });
        json!({
            "daemon": self.daemon.json(),
            "heartbeat": { "left_ms": left, "timeout_ms": self.timeout.as_millis() as u64 },
            "bypass": self.bypass,
            "forwarding": self.idle().is_none(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(heartbeat: Option<Result<Duration, Duration>>, bypass: bool) -> Health {
        let timeout = Duration::from_secs(10);
        Health { daemon: Daemon::default(), heartbeat, timeout, bypass }
    }

    #[test]
    fn an_expired_heartbeat_and_the_bypass_both_mean_that_the_kernel_forwards() {
        let alive = Some(Ok(Duration::from_secs(9)));
        assert_eq!(health(alive, false).idle(), None);
        assert_eq!(health(alive, true).idle(), Some("bypass is on"));
        let expired = health(Some(Err(Duration::from_secs(75))), false);
        assert_eq!(expired.idle(), Some("the heartbeat has expired"));
        assert!(expired.text().contains("expired 1 m 15 s ago: the kernel carries the traffic"));
        assert_eq!(expired.json()["heartbeat"]["left_ms"], json!(-75_000));
        assert_eq!(health(None, false).json()["forwarding"], json!(false));
    }

    #[test]
    fn the_word_of_an_earlier_daemon_is_not_taken_for_that_of_the_present_one() {
        let state = State { pid: 7, synced: true, audits: 1, ..State::default() };
        let mut daemon = Daemon { process: Some(7), state: Some(state), written: None };
        assert_eq!(daemon.text(), "runs (process 7), in sync; 1 audit, nothing corrected");
        daemon.process = Some(8);
        assert_eq!(daemon.text(), "runs (process 8), starting");
        assert_eq!(daemon.json()["synced"], json!(false));
        daemon = Daemon { process: None, written: Some(Duration::from_secs(30)), ..daemon };
        assert_eq!(daemon.text(), "does not run; its last word is 30 s old");
    }
}
