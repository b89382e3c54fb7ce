//! What a kind is about, from what its parser knows.

use std::fmt::Write as _;

use super::{
    kinds::{self, Entry},
    shape::{Absent, Field},
    suite::Common,
};

/// Columns of a terminal.
const WIDTH: usize = 100;

/// All kinds, a line each.
pub(crate) fn kinds() -> String {
    let width = kinds::KINDS.iter().map(|it| it.shape.word.len()).max().unwrap_or_default();
    let line = |entry: &Entry| {
        let about = entry.shape.about.trim();
        // The first sentence.
        let first = about.split_once(". ").map_or(about, |(first, _)| first).trim_end_matches('.');
        wrapped(&format!("{:width$}  ", entry.shape.word), first)
    };
    kinds::KINDS.iter().map(line).collect()
}

/// A kind with its fields and an example; none of that name.
pub(crate) fn explain(word: &str) -> Option<String> {
    let Entry { shape, within, disrupts, .. } = kinds::named(word)?;
    let mut text = wrapped("", shape.about.trim());
    text.push_str("\nfields\n");
    // What breaks something is not tried again.
    let fits = |field: &&Field| !disrupts || !["within", "for"].contains(&field.name());
    let common = Common::SHAPE.fields.iter().filter(fits);
    let fields: Vec<&Field> = shape.fields.iter().chain(common).collect();
    let width = fields.iter().map(|it| it.name().len()).max().unwrap_or_default();
    for field in fields {
        let about = field.about.trim();
        let default = match (field.absent, field.name(), within) {
            (Absent::Required, ..) => " Required.".to_owned(),
            (Absent::Or(value), ..) => format!(" Default: {value}."),
            (Absent::None, "within", Some(within)) => {
                format!(" Default: \"{}\".", humantime::format_duration(*within))
            }
            (Absent::None, ..) => String::new(),
        };
        text.push_str(&wrapped(
            &format!("  {:width$}  ", field.name()),
            &format!("{about}{default}"),
        ));
    }
    // Writing to a String cannot fail.
    let _ = write!(text, "\nexample\n");
    for line in shape.example.lines() {
        let _ = writeln!(text, "{}", format!("  {line}").trim_end());
    }
    Some(text)
}

/// Words in lines of a terminal, the first behind a head and the others indented as much.
fn wrapped(head: &str, words: &str) -> String {
    let indent = head.chars().count();
    let (mut text, mut column) = (head.to_owned(), indent);
    for (index, word) in words.split_whitespace().enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > WIDTH {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        } else if index > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_explained_with_all_its_fields_and_no_line_is_too_long() {
        for entry in kinds::KINDS {
            let text = explain(entry.shape.word).unwrap();
            for field in entry.shape.fields {
                assert!(
                    text.contains(&format!("\n  {} ", field.name())),
                    "{}: {text}",
                    field.name()
                );
            }
            let example = text.split_once("\nexample\n").unwrap().0;
            assert!(example.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
            assert!(kinds().contains(&format!("{} ", entry.shape.word)));
        }
        assert_eq!(explain("nothing"), None);
    }
}
