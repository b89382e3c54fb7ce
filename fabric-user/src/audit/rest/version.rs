//! Which NetBox it is, and what that means.

use std::{fmt, str::FromStr};

/// A version of NetBox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
}

impl Version {
    /// The oldest one whose tables are where this module looks for them.
    pub const OLDEST: Self = Self { major: 3, minor: 7 };

    const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Nobody has tried it: with its first number NetBox moves things.
    pub(super) fn is_untried(self) -> bool {
        self >= Self::new(5, 0)
    }

    /// `fields=` says which fields are wanted. Older ones ignore it.
    pub(super) fn has_fields(self) -> bool {
        self >= Self::new(4, 0)
    }

    /// `start=ID` gives pages that neither skip nor repeat rows while people edit.
    pub(super) fn has_cursor(self) -> bool {
        self >= Self::new(4, 6)
    }

    /// There are tokens of the second form.
    pub(super) fn has_bearer(self) -> bool {
        self >= Self::new(4, 5)
    }

    /// Tokens of the first form are gone.
    pub(super) fn lacks_plain_tokens(self) -> bool {
        self >= Self::new(5, 0)
    }
}

impl FromStr for Version {
    type Err = ();

    /// Takes `4.7`, `4.7.3`, `v4.7.3-beta1` and the like.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut numbers = text.trim().trim_start_matches('v').split(['.', '-', '+']);
        let mut number = || numbers.next()?.parse().ok();
        match (number(), number()) {
            (Some(major), Some(minor)) => Ok(Self { major, minor }),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_numbers_and_not_by_text() {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("4.10").unwrap() > version("4.7.3").unwrap());
        assert_eq!(version("v3.7.8-Docker-2.8"), Ok(Version::OLDEST));
        assert!(version("4.6.0").unwrap().has_cursor() && !version("4.5.9").unwrap().has_cursor());
        for text in ["", "4", "x.y", "70000.1"] {
            assert!(version(text).is_err(), "{text}");
        }
    }
}
