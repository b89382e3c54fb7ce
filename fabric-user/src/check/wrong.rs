//! What is wrong with a suite.

use std::{fmt, ops::Range};

/// One thing that is wrong, and where: a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Wrong {
    /// Name of the file, as it was given.
    pub(crate) file: String,
    /// Line and column, counted from 1; none if nothing in the file is wrong but something is missing.
    pub(crate) at: Option<(usize, usize)>,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

impl Wrong {
    /// About a place in a text.
    pub(crate) fn at(
        file: &str,
        text: &str,
        span: Option<Range<usize>>,
        message: impl Into<String>,
    ) -> Self {
        let at = span.map(|span| place(text, span.start));
        Self { file: file.to_owned(), at, message: message.into() }
    }

    /// About a file as a whole.
    pub(crate) fn of(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), at: None, message: message.into() }
    }
}

/// Line and column of an offset, counted from 1.
pub(crate) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.chars().rev().take_while(|it| *it != '\n').count() + 1;
    (line, column)
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}
