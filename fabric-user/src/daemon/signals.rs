//! What signals ask for.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that would end a process and that mean nothing here. Not among them: SIGQUIT and those of
/// a crash, after which somebody wants to see the core.
const MEANINGLESS: [i32; 10] = [
    libc::SIGUSR2,
    libc::SIGPIPE,
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGIO,
    libc::SIGPWR,
    libc::SIGSTKFLT,
    libc::SIGXCPU,
    libc::SIGXFSZ,
];

/// What somebody wants by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// SIGTERM, SIGINT.
    End,
    /// SIGHUP: read the settings anew.
    Reload,
    /// SIGUSR1: compare kernel and maps at once.
    Audit,
}

/// The signals of this process.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user1: Signal,
}

impl Signals {
    /// From now on no signal ends the process that is not meant to.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let of = |kind| signal(kind).context("cannot handle signals");
        for number in MEANINGLESS.into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX()) {
            // Who listened once keeps the signal from doing what it does by default.
            drop(of(SignalKind::from_raw(number))?);
        }
        Ok(Self {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
            hang_up: of(SignalKind::hangup())?,
            user1: of(SignalKind::user_defined1())?,
        })
    }

    /// Waits for one that means something. Cancel-safe.
    pub(super) async fn next(&mut self) -> Wish {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Wish::End,
            _ = self.interrupt.recv() => Wish::End,
            _ = self.hang_up.recv() => Wish::Reload,
            _ = self.user1.recv() => Wish::Audit,
        }
    }
}
