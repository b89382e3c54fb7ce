//! What stands in a row and column of a [`super::sheet::Sheet`]: a text for people and a value for
//! programs.

use serde_json::{Value, json};

/// What stands in a row and column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) value: Value,
}

impl Cell {
    /// A text for people and a value for programs.
    pub(super) fn new(text: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { text: text.into(), value: value.into() }
    }

    /// Nothing: `-` and `null`.
    pub(super) fn none() -> Self {
        Self::new("-", Value::Null)
    }

    /// The JSON value.
    pub(super) const fn value(&self) -> &Value {
        &self.value
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { value: json!(text), text }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::new(number.to_string(), number)
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Self {
        u64::from(number).into()
    }
}

impl From<u16> for Cell {
    fn from(number: u16) -> Self {
        u64::from(number).into()
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Self {
        (number as u64).into()
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(content: Option<T>) -> Self {
        content.map_or_else(Self::none, Into::into)
    }
}
