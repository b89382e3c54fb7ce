//! What can be wrong with a picture and its inventory, one sentence each.

use std::path::PathBuf;

/// A topology that cannot be built, and what to change in which file.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// A file could not be read.
    #[error(
        "cannot read {path}, of a topology that is a NAME.dot picture with a NAME.toml inventory beside it"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The picture is not DOT.
    #[error(
        "{file} line {line}, column {column}: {found} cannot stand here; a statement before it may lack its end"
    )]
    PictureSyntax {
        /// Name of the file.
        file: String,
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// What stands there.
        found: String,
    },
    /// The inventory is not TOML, or has a key that does not exist or is missing.
    #[error("{file} line {line}: {message}")]
    InventorySyntax {
        /// Name of the file.
        file: String,
        /// Line, counted from 1.
        line: usize,
        /// What the parser says, on one line.
        message: String,
    },
    /// Everything else: valid files that contradict themselves or each other.
    #[error("{file}: {message}")]
    Contradiction {
        /// Name of the file to change.
        file: String,
        /// What is wrong and what to do.
        message: String,
    },
}
