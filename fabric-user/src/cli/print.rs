//! Standard output: its width, a closed pipe, and looking again and again.

use std::{
    io::{self, BufWriter, IsTerminal as _, Write as _},
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::table::{Line, Look, Table, Widths};

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

/// The exit status of a command that has one to tell, whether anybody has read all that it has printed or not:
/// `fabricctl audit | head` has found what it has found.
///
/// # Errors
/// If it could not be printed for another reason.
pub(super) fn told(printed: io::Result<()>, status: ExitCode) -> anyhow::Result<ExitCode> {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(status),
    }
}

/// Number of what `docs/json.md` says. It changes with what would break programs that read it, not with
/// fields that are new.
pub(super) const SCHEMA: u32 = 1;

/// A document about an instance.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Of<'a, D> {
    schema: u32,
    instance: &'a str,
    #[serde(flatten)]
    document: D,
}

impl<'a, D> Of<'a, D> {
    pub(super) const fn new(instance: &'a str, document: D) -> Self {
        Self { schema: SCHEMA, instance, document }
    }
}

/// Writes a JSON document, indented.
///
/// # Errors
/// As [`text`].
pub(super) fn json(document: &impl Serialize) -> io::Result<()> {
    text(&format!("{}\n", serde_json::to_string_pretty(document)?))
}

/// Writes one of many JSON documents on a line of its own.
///
/// # Errors
/// As [`text`].
pub(super) fn json_line(document: &impl Serialize) -> io::Result<()> {
    text(&format!("{}\n", serde_json::to_string(document)?))
}

/// Writes what is wanted: the document, or the text for people.
///
/// # Errors
/// As [`text`].
pub(super) fn shown(
    style: Style,
    document: &impl Serialize,
    people: impl FnOnce() -> String,
) -> io::Result<()> {
    if style.json { json(document) } else { text(&people()) }
}

/// Rows of a page.
const PAGE: usize = 10_000;

/// Prints a table that can have a million rows, page by page.
pub(super) struct Printer<D> {
    /// The rows of the present page.
    page: Table,
    style: Style,
    /// The document without its rows.
    head: D,
    /// The field of the document that the rows are.
    field: &'static str,
    widths: Widths,
    /// Rows so far.
    rows: usize,
}

impl<D: Serialize> Printer<D> {
    /// `table` has no rows yet.
    pub(super) fn new(table: Table, style: Style, head: D, field: &'static str) -> Self {
        Self { page: table, style, head, field, widths: Widths::default(), rows: 0 }
    }

    /// Rows so far.
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// Prints a row, now or later.
    ///
    /// # Errors
    /// As [`text`].
    pub(super) fn row(&mut self, row: Line) -> anyhow::Result<()> {
        if self.page.rows().len() == PAGE {
            self.print()?;
        }
        self.page.push(row);
        self.rows += 1;
        Ok(())
    }

    fn print(&mut self) -> io::Result<()> {
        let page = &self.page;
        if self.style.json {
            let before = self.rows - page.rows().len();
            let mut out = String::new();
            if before == 0 {
                // The document stays open for its last field.
                let head = serde_json::to_string_pretty(&self.head)?;
                out = format!("{},\n  \"{}\": [", head.trim_end_matches("\n}"), self.field);
            }
            for (number, row) in page.rows().iter().enumerate() {
                out.push_str(if before + number == 0 { "\n    " } else { ",\n    " });
                out.push_str(row.json().get());
            }
            text(&out)?;
        } else if self.rows == 0 {
            text(&page.text(self.style.look()))?;
        } else {
            text(&page.page(self.style.look(), &mut self.widths))?;
        }
        self.page.clear();
        Ok(())
    }

    /// Prints what is left.
    ///
    /// # Errors
    /// As [`text`].
    pub(super) fn end(mut self) -> io::Result<()> {
        self.print()?;
        if !self.style.json {
            return Ok(());
        }
        text(if self.rows == 0 { "]\n}\n" } else { "\n  ]\n}\n" })
    }
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

/// Replaces what is on the terminal by a title and what it is about. Into a file or pipe, writes one after
/// the other. Neither is copied: there may be a million lines.
///
/// # Errors
/// As [`text`].
pub(super) fn repaint(title: &str, content: &str) -> io::Result<()> {
    /// Cursor home, clear to the end: without flicker, unlike clearing first.
    const HOME: &str = "\x1b[H";
    const CLEAR_LINE: &str = "\x1b[K";
    const CLEAR_BELOW: &str = "\x1b[J";
    let stdout = io::stdout().lock();
    let [home, clear_line, end] = match stdout.is_terminal() {
        true => [HOME, CLEAR_LINE, CLEAR_BELOW],
        false => ["", "", "\n"],
    };
    let mut out = BufWriter::with_capacity(SCREEN, stdout);
    write!(out, "{home}{title}{clear_line}\n{clear_line}\n")?;
    for line in content.lines() {
        writeln!(out, "{line}{clear_line}")?;
    }
    write!(out, "{end}")?;
    out.flush()
}

/// More bytes than a terminal shows at once, which so come at once.
const SCREEN: usize = 1 << 16;

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
