//! Recorded observations: one JSON value per line.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::{Batch, Event, Listing};

/// A line of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// What follows was caused by this, in the recorder's words.
    Step(String),
    /// A complete dump.
    Listing(Listing),
    /// One change.
    Event(Event),
    /// Messages were lost.
    Lost,
}

/// Writes a recording.
pub struct Recorder<W: Write>(W);

impl<W: Write> Recorder<W> {
    /// A recorder that appends to `output`.
    pub fn new(output: W) -> Self {
        Self(output)
    }

    /// Writes one line.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn write(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, line)?;
        self.0.write_all(b"\n")
    }

    /// Writes what an observer returned.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub fn write_batch(&mut self, batch: &Batch) -> io::Result<()> {
        match batch {
            Batch::Events(events) => {
                events.iter().try_for_each(|event| self.write(&Line::Event(event.clone())))
            }
            Batch::Lost => self.write(&Line::Lost),
        }
    }
}

/// Reads a recording. Empty lines are skipped.
///
/// # Errors
/// If it cannot be read, or a line is no recorded observation; the message names the line.
pub fn read(input: impl BufRead) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (index, text) in input.lines().enumerate() {
        let text = text?;
        if text.trim().is_empty() {
            continue;
        }
        lines.push(serde_json::from_str(&text).map_err(|error| {
            let message = format!("line {} is no recorded observation: {error}", index + 1);
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?);
    }
    Ok(lines)
}
