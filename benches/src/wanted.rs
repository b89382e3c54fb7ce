//! Which entries of a question are measured.

use anyhow::{Result, bail};

/// When an entry is measured without being named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Always.
    Quick,
    /// Unless `--quick` is given.
    Usual,
    /// Only with `--all`.
    All,
}

impl When {
    /// The last of those that a run with these options measures.
    #[must_use]
    pub const fn until(quick: bool, all: bool) -> Self {
        match (quick, all) {
            (true, _) => Self::Quick,
            (false, false) => Self::Usual,
            (false, true) => Self::All,
        }
    }
}

/// The entry of this name, or without one all of those `until` then. `about` is an entry's name and when
/// it is measured.
///
/// # Errors
/// If there is no such entry.
pub fn wanted<'e, E>(
    entries: &'e [E],
    name: Option<&str>,
    until: When,
    about: impl Fn(&E) -> (&'static str, When),
) -> Result<Vec<&'e E>> {
    let is_wanted = |entry: &&E| {
        let (this, when) = about(entry);
        name.map_or(when <= until, |name| name == this)
    };
    let wanted: Vec<_> = entries.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let names: Vec<_> = entries.iter().map(|entry| about(entry).0).collect();
        bail!("there is no such entry; take one of {}", names.join(", "));
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: [(&str, When); 3] = [("a", When::Quick), ("b", When::Usual), ("c", When::All)];

    fn names(name: Option<&str>, quick: bool, all: bool) -> Result<String> {
        let wanted = wanted(&ENTRIES, name, When::until(quick, all), |entry| *entry)?;
        Ok(wanted.iter().map(|entry| entry.0).collect())
    }

    #[test]
    fn a_name_chooses_its_entry_and_no_name_those_of_the_run() {
        assert_eq!(names(None, true, false).unwrap(), "a");
        assert_eq!(names(None, false, false).unwrap(), "ab");
        assert_eq!(names(None, false, true).unwrap(), "abc");
        assert_eq!(names(Some("c"), true, false).unwrap(), "c", "also if the run is shorter");
        let error = names(Some("d"), false, true).unwrap_err().to_string();
        assert_eq!(error, "there is no such entry; take one of a, b, c");
    }
}
