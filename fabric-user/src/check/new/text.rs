//! TOML as a person would write it, with comments.

use std::fmt::Write as _;

/// A text that grows.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    pub(super) fn line(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    pub(super) fn field(&mut self, key: &str, value: &str) {
        self.line(&format!("{key} = {value}"));
    }

    /// A table of a kind, after an empty line and a comment.
    pub(super) fn table(&mut self, comment: &str, kind: &str, fields: &[(&str, String)]) {
        self.head(comment, &format!("[[{kind}]]"), fields);
    }

    /// A table that there is once.
    pub(super) fn entry(&mut self, comment: &str, path: &str, fields: &[(&str, String)]) {
        self.head(comment, &format!("[{path}]"), fields);
    }

    fn head(&mut self, comment: &str, head: &str, fields: &[(&str, String)]) {
        self.line("");
        if !comment.is_empty() {
            self.line(&format!("# {comment}"));
        }
        self.line(head);
        for (key, value) in fields {
            self.field(key, value);
        }
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// A string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A list of strings.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(quoted).collect();
    format!("[{}]", names.join(", "))
}
