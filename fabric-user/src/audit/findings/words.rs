//! Parts of sentences.

use std::collections::BTreeSet;
use std::fmt::Display;

/// Names that are spelled out.
const SPELLED: usize = 4;

/// `a, b and c`; of many some and how many more.
pub(in crate::audit) fn list<T: Display>(all: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = all.into_iter().map(|one| one.to_string()).collect();
    match &all[..] {
        [] => "none".into(),
        [one] => one.clone(),
        _ if all.len() > SPELLED => {
            format!("{} and {} more", all[..SPELLED].join(", "), all.len() - SPELLED)
        }
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

/// The same, each once and sorted.
pub(super) fn set<T: Display + Ord>(all: impl IntoIterator<Item = T>) -> String {
    list(all.into_iter().collect::<BTreeSet<T>>())
}

/// `1 host`, `2 hosts`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_a_part_of_a_sentence_however_long() {
        assert_eq!(list(["a"]), "a");
        assert_eq!(list(["a", "b", "c"]), "a, b and c");
        assert_eq!(list(1..=9), "1, 2, 3, 4 and 5 more");
        assert_eq!(set(["b", "a", "b"]), "a and b");
    }
}
