//! An answer of FRR as JSON. What differs between versions is met here or in the table's own file: keys that nobody
//! knows are ignored, and any key may be missing.

use serde::de::DeserializeOwned;

/// So many characters of a broken answer are shown, and so many bytes in front of the place.
const SHOWN: usize = 40;
const BEFORE: usize = 10;

/// Reads an answer. Where EVPN is off FRR up to 8.5 says nothing at all, and newer ones say `{}`, also where a list
/// should be: both are the default.
pub(super) fn read<T: DeserializeOwned + Default>(text: &str) -> serde_json::Result<T> {
    match text.trim() {
        "" | "{}" => Ok(T::default()),
        _ => serde_json::from_str(text),
    }
}

/// The text where an answer went wrong, on one line.
pub(super) fn near(text: &str, error: &serde_json::Error) -> String {
    let place = text.lines().nth(error.line().saturating_sub(1));
    // An answer that ends too early is wrong behind its last line.
    let line = place.or_else(|| text.lines().last()).unwrap_or_default();
    // The column is that of the last byte that was read.
    let at = line.floor_char_boundary(error.column().saturating_sub(1 + BEFORE));
    line.get(at..).unwrap_or_default().trim().chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn nothing_is_an_empty_table_and_a_broken_answer_is_shown_where_it_breaks() {
        type Numbers = BTreeMap<String, u32>;
        assert_eq!(read::<Numbers>("\n").expect("nothing"), Numbers::new());
        for (text, shown) in [
            ("% BGP instance not found\n", "% BGP instance not found"),
            ("{\n \"a\":1,\n \"b\":nan\n}", "nan"),
            ("{\n \"a\":1,\n", "\"a\":1,"),
        ] {
            let error = read::<Numbers>(text).expect_err("broken");
            assert!(near(text, &error).contains(shown), "{error}: {}", near(text, &error));
        }
    }
}
