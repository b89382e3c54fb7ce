//! What can be wrong with a picture and its inventory, one sentence each.

use std::fmt;
use std::path::PathBuf;

/// A topology that cannot be built, and what to change in which file.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// A file could not be read.
    #[error("cannot read {path}; {remedy}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What to do about it.
        remedy: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The files contradict their language, themselves or each other.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Complaint>),
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    /// Name of the file to change.
    pub file: String,
    /// Line of that file, counted from 1; none if nothing in it is wrong but something is missing.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Complaint {
    /// A complaint about a line.
    pub(super) fn at(
        file: &str,
        line: impl Into<Option<usize>>,
        message: impl Into<String>,
    ) -> Self {
        Self { file: file.to_owned(), line: line.into(), message: message.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{} line {line}: {}", self.file, self.message),
            None => write!(formatter, "{}: {}", self.file, self.message),
        }
    }
}
