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
