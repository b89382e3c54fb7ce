//! Whether everything is in order: the exit status, and why.

use std::process::ExitCode;

use super::health::Health;

/// What is said below the options.
pub(super) const AFTER_HELP: &str = "\
Exit status:
  0  good: what should be accelerated is
  1  degraded: something should be and is not, or a bypass or `detach --all` is on
  2  down: fabric-xdpd does not run or does not beat, or nothing is known

What the operator has left to the kernel, port by port (`exclude`, `ports`, `detach PORT`), and links
without a carrier degrade nothing.";

/// Whether everything is in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    /// Something that should be accelerated is not.
    Degraded(Vec<String>),
    /// Nothing is, or nothing looks after it.
    Down(Vec<String>),
}

impl Verdict {
    /// Of an instance that has maps. `faults` are ports that are not as they should be, `left` is the
    /// number of sentences about what is left to the kernel.
    pub(super) fn of(health: &Health, faults: &[String], left: usize) -> Self {
        let down = health.down();
        if !down.is_empty() {
            return Self::Down(down);
        }
        let mut why = health.degraded();
        why.extend_from_slice(faults);
        match left {
            0 => {}
            1 => why.push("one thing is not accelerated, see below".into()),
            n => why.push(format!("{n} things are not accelerated, see below")),
        }
        if why.is_empty() { Self::Good } else { Self::Degraded(why) }
    }

    pub(super) fn exit(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Good => 0,
            Self::Degraded(_) => 1,
            Self::Down(_) => 2,
        })
    }

    /// What is `health` in JSON.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Degraded(_) => "degraded",
            Self::Down(_) => "down",
        }
    }

    /// One sentence each.
    pub(super) const fn why(&self) -> &[String] {
        match self {
            Self::Good => &[],
            Self::Degraded(why) | Self::Down(why) => why.as_slice(),
        }
    }

    /// One line, and one more for each further reason.
    pub(super) fn text(&self) -> String {
        match self.why() {
            [] => format!("health     {}\n", self.name()),
            why => format!("health     {}: {}\n", self.name(), why.join("\n           ")),
        }
    }
}
