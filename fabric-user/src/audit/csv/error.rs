//! Why a file is no table of NetBox: one sentence each.

use std::io;

use thiserror::Error;

/// Why a file is no table of NetBox.
#[derive(Debug, Error)]
pub enum CsvError {
    /// It cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(String, #[source] io::Error),
    /// A folder has no prefixes.
    #[error("{0} has no prefixes.csv, or netbox_prefixes.csv as NetBox calls it")]
    NoPrefixes(String),
    /// It is too long.
    #[error("{0} has more than {1} MiB; export less at a time, by a filter of the page")]
    Large(String, u64),
    /// It is no text.
    #[error("{0} is no text in UTF-8; export it again, and let no other program save it")]
    Encoding(String),
    /// It is empty.
    #[error("{0} is empty; export it again")]
    Empty(String),
    /// Rows have other numbers of cells than the header.
    #[error("{0}, line {1}: the row has {2} cells and the header {3}; is a quote missing?")]
    Cells(String, u64, u64, u64),
    /// Something else is wrong with it.
    #[error("{0} is no CSV: {1}")]
    Form(String, csv::Error),
    /// It lacks columns.
    #[error(
        "{file} lacks {lacks}; it has {has}: export it with the interface in English, or say what \
         the columns are called by --columns {example}"
    )]
    Columns {
        /// The file.
        file: String,
        /// The columns, in words.
        lacks: String,
        /// Those that are there, in words.
        has: String,
        /// What could be written.
        example: String,
    },
    /// A cell is not understood.
    #[error("{file}, line {line}: {column} is `{cell}`, which is {no}")]
    Cell {
        /// The file.
        file: String,
        /// The line where the row begins, from 1.
        line: u64,
        /// The column.
        column: String,
        /// What stands there.
        cell: String,
        /// What it is not.
        no: &'static str,
    },
    /// Its values are in another language.
    #[error(
        "no status in {0} is one that NetBox has in English (`{1}` is among them); export it with \
         the interface in English"
    )]
    Language(String, String),
}
