//! FRR, the kernel and the maps have to say the same: which of them does not.

use std::collections::BTreeSet;

use super::finding::list;

/// What each of them says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sides {
    expected: BTreeSet<String>,
    said: Vec<(&'static str, BTreeSet<String>, bool)>,
}

impl Sides {
    /// With what they should say.
    pub(crate) fn expecting<T: ToString>(expected: impl IntoIterator<Item = T>) -> Self {
        let expected = expected.into_iter().map(|it| it.to_string()).collect();
        Self { expected, said: Vec::new() }
    }

    /// With what one of them says.
    #[must_use]
    pub(crate) fn with<T: ToString>(
        mut self,
        who: &'static str,
        said: impl IntoIterator<Item = T>,
    ) -> Self {
        self.said.push((who, said.into_iter().map(|it| it.to_string()).collect(), false));
        self
    }

    /// With what one of them says who may say more.
    #[must_use]
    pub(crate) fn with_at_least<T: ToString>(
        mut self,
        who: &'static str,
        said: impl IntoIterator<Item = T>,
    ) -> Self {
        self.said.push((who, said.into_iter().map(|it| it.to_string()).collect(), true));
        self
    }

    /// With what one of them says who may be absent.
    #[must_use]
    pub(crate) fn and<T: ToString>(
        self,
        who: &'static str,
        said: Option<impl IntoIterator<Item = T>>,
    ) -> Self {
        match said {
            Some(said) => self.with(who, said),
            None => self,
        }
    }

    /// What they should say.
    pub(crate) fn expected(&self) -> String {
        list(&self.expected)
    }

    /// Who says something else.
    pub(crate) fn differing(&self) -> Vec<&'static str> {
        let differs = self.said.iter().filter(|(_, said, more)| !self.agrees(said, *more));
        differs.map(|(who, ..)| *who).collect()
    }

    /// What they say, if one of them says something else: `FRR and kernel as expected; maps lack 10.0.1.12`.
    pub(crate) fn difference(&self) -> Option<String> {
        let mut agreed = Vec::new();
        let mut parts = Vec::new();
        for (who, said, more) in &self.said {
            let lacks: Vec<&String> = self.expected.difference(said).collect();
            let has: Vec<&String> = said.difference(&self.expected).collect();
            let verb = |one: &str, several: &str| {
                if *who == "maps" { several.to_owned() } else { one.to_owned() }
            };
            let mut phrase = Vec::new();
            if said.is_empty() && !self.expected.is_empty() {
                phrase.push(format!("{} nothing", verb("has", "have")));
            } else {
                if !lacks.is_empty() {
                    phrase.push(format!("{} {}", verb("lacks", "lack"), list(lacks)));
                }
                if !has.is_empty() && !more {
                    phrase.push(format!("{} also {}", verb("has", "have"), list(has)));
                }
            }
            match phrase.is_empty() {
                true => agreed.push(*who),
                false => parts.push(format!("{who} {}", phrase.join(" and "))),
            }
        }
        if parts.is_empty() {
            return None;
        }
        if !agreed.is_empty() {
            parts.insert(0, format!("{} as expected", agreed.join(" and ")));
        }
        Some(parts.join("; "))
    }

    fn agrees(&self, said: &BTreeSet<String>, more: bool) -> bool {
        if more { said.is_superset(&self.expected) } else { *said == self.expected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_differs_is_named_with_what_it_lacks_and_has() {
        let sides = Sides::expecting(["10.0.1.11", "10.0.1.12"])
            .with("FRR", ["10.0.1.11", "10.0.1.12"])
            .with("kernel", ["10.0.1.12", "10.0.1.11"])
            .with("maps", ["10.0.1.11", "10.0.9.9"]);
        let said = sides.difference().unwrap();
        assert_eq!(said, "FRR and kernel as expected; maps lack 10.0.1.12 and have also 10.0.9.9");
        assert_eq!(sides.differing(), ["maps"]);
    }

    #[test]
    fn who_may_say_more_does_not_differ_by_it_and_who_says_nothing_has_nothing() {
        let sides = Sides::expecting(["a"]).with_at_least("maps", ["a", "b"]);
        assert_eq!(sides.difference(), None);
        let sides = Sides::expecting(["a"]).with("kernel", Vec::<String>::new());
        assert_eq!(sides.difference().as_deref(), Some("kernel has nothing"));
    }
}
