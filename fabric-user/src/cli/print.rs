//! Standard output: its width, a closed pipe, and looking again and again.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::sheet::Look;

/// How output looks; the same flags on every command that shows something.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Style {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Show indexes and other details
    #[arg(long, short)]
    pub(super) verbose: bool,
}

impl Style {
    /// How to print on the present standard output.
    pub(super) fn look(self) -> Look {
        Look { width: width(), verbose: self.verbose }
    }
}

/// Columns of the terminal, `None` if standard output is none.
fn width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// Writes to standard output.
///
/// # Errors
/// If it is closed, see [`is_broken_pipe`].
pub(super) fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes a JSON document: indented, or on one line if more will follow.
///
/// # Errors
/// As [`text`].
pub(super) fn json(value: &Value, one_of_many: bool) -> io::Result<()> {
    text(&if one_of_many { format!("{value}\n") } else { format!("{value:#}\n") })
}

/// True if the error is that nobody reads standard output any more.
#[must_use]
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|e| e.downcast_ref::<io::Error>());
    io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// Calls `look` every `interval` until Ctrl-C or SIGTERM, with true for the first time.
///
/// # Errors
/// If `look` fails or signals cannot be waited for.
pub(super) fn repeat(
    interval: Duration,
    mut look: impl FnMut(bool) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot wait for Ctrl-C")?;
    runtime.block_on(async {
        let mut ends = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        look(true)?;
        while !ended(&mut ends, interval).await {
            look(false)?;
        }
        Ok(())
    })
}

/// Waits; true if a signal came first.
async fn ended([interrupt, terminate]: &mut [Signal; 2], interval: Duration) -> bool {
    tokio::select! {
        _ = interrupt.recv() => true,
        _ = terminate.recv() => true,
        () = tokio::time::sleep(interval) => false,
    }
}

/// Replaces what is on the terminal. Into a file or pipe, writes one text after the other.
///
/// # Errors
/// As [`text`].
pub(super) fn repaint(content: &str) -> io::Result<()> {
    /// Cursor home, clear to the end: without flicker, unlike clearing first.
    const HOME: &str = "\x1b[H";
    const CLEAR_LINE: &str = "\x1b[K\n";
    const CLEAR_BELOW: &str = "\x1b[J";
    if io::stdout().is_terminal() {
        text(&format!("{HOME}{}{CLEAR_BELOW}", content.replace('\n', CLEAR_LINE)))
    } else {
        text(&format!("{content}\n"))
    }
}

/// Interval of `--watch`.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("write a number of seconds from 0.1 to 86400".into()),
    }
}

/// The time in UTC as `12:34:56Z`.
pub(super) fn time_of_day() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}Z", seconds % 60)
}
