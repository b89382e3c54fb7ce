//! Names as a suite writes them: globs over the inventory.
//!
//! `app*` is every name that begins so, `@Site-01` everything in a site, `#web` everything in a network; with `!` in
//! front, what is left out. Several of them are a list.

use std::{fmt, net::IpAddr};

use glob::Pattern;
use serde::{Deserialize, Deserializer, de::Error as _};

/// One or several globs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names(Vec<Name>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    text: String,
    excludes: bool,
    of: Of,
    pattern: Pattern,
}

/// What a glob is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Name,
    Site,
    Network,
}

/// What a thing of the inventory is found by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known<'a> {
    pub(crate) name: &'a str,
    pub(crate) sites: Vec<&'a str>,
    pub(crate) networks: Vec<&'a str>,
}

impl Names {
    /// The things that are meant, in their order. `kind` is what one is called.
    ///
    /// # Errors
    /// If a glob matches none of them, or nothing is left of them: a sentence.
    pub(crate) fn pick<'a, T: Copy>(
        &self,
        kind: &str,
        all: &[T],
        known: impl Fn(T) -> Known<'a>,
    ) -> Result<Vec<T>, String> {
        for name in &self.0 {
            if !all.iter().any(|it| name.matches(&known(*it))) {
                let there: Vec<&str> = all.iter().map(|it| known(*it).name).collect();
                let there = if there.is_empty() { "none".into() } else { there.join(", ") };
                return Err(format!("\"{}\" matches no {kind}; there are {there}", name.text));
            }
        }
        let includes = self.0.iter().any(|name| !name.excludes);
        let is_meant = |it: &T| {
            let known = known(*it);
            let any = |excludes| {
                let mut of_sort = self.0.iter().filter(|name| name.excludes == excludes);
                of_sort.any(|name| name.matches(&known))
            };
            (any(false) || !includes) && !any(true)
        };
        let picked: Vec<T> = all.iter().copied().filter(is_meant).collect();
        match picked.is_empty() {
            true => Err(format!("{self} leaves no {kind}")),
            false => Ok(picked),
        }
    }

    /// These and no others, whatever they are made of.
    pub(crate) fn exactly<'a>(names: impl IntoIterator<Item = &'a String>) -> Self {
        let name = |text: &String| Name {
            text: text.clone(),
            excludes: false,
            of: Of::Name,
            pattern: Pattern::new(&Pattern::escape(text)).unwrap_or_default(),
        };
        Self(names.into_iter().map(name).collect())
    }

    /// The address, if it is one and nothing else.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match &self.0[..] {
            [name] => name.text.parse().ok(),
            _ => None,
        }
    }

    fn of(texts: Vec<String>) -> Result<Self, String> {
        let name = |text: String| {
            let (excludes, rest) =
                text.strip_prefix('!').map_or((false, &text[..]), |it| (true, it));
            let (of, rest) = match rest.as_bytes().first() {
                Some(b'@') => (Of::Site, &rest[1..]),
                Some(b'#') => (Of::Network, &rest[1..]),
                _ => (Of::Name, rest),
            };
            let pattern = Pattern::new(rest).map_err(|error| {
                format!(
                    "\"{text}\" is no glob: {}; write it as \"leaf*\", \"@SITE\" or \"#NETWORK\"",
                    error.msg
                )
            })?;
            Ok(Name { excludes, of, pattern, text: text.clone() })
        };
        if texts.is_empty() {
            return Err("an empty list names nothing; write \"*\" for everything".into());
        }
        texts.into_iter().map(name).collect::<Result<_, String>>().map(Self)
    }
}

impl Name {
    fn matches(&self, known: &Known<'_>) -> bool {
        match self.of {
            Of::Name => self.pattern.matches(known.name),
            Of::Site => known.sites.iter().any(|site| self.pattern.matches(site)),
            Of::Network => known.networks.iter().any(|network| self.pattern.matches(network)),
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(|name| format!("\"{}\"", name.text)).collect();
        f.write_str(&texts.join(", "))
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a name such as \"leaf*\", or a list of names")]
        enum Form {
            One(String),
            Several(Vec<String>),
        }
        let texts = match Form::deserialize(from)? {
            Form::One(text) => vec![text],
            Form::Several(texts) => texts,
        };
        Self::of(texts).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &str, &str); 4] = [
        ("leaf01", "a", "web"),
        ("leaf02", "a", "app"),
        ("leaf03", "b", "app"),
        ("spine01", "b", ""),
    ];

    fn pick(texts: &[&str]) -> Result<Vec<&'static str>, String> {
        let names = Names::of(texts.iter().map(|it| (*it).to_owned()).collect())?;
        let known = |(name, site, network): (&'static str, &'static str, &'static str)| Known {
            name,
            sites: vec![site],
            networks: vec![network],
        };
        Ok(names.pick("node", &ALL, known)?.into_iter().map(|it| it.0).collect())
    }

    #[test]
    fn names_sites_and_networks_add_up_and_exclamation_marks_take_away() {
        assert_eq!(pick(&["*"]).unwrap().len(), 4);
        assert_eq!(pick(&["@a", "spine*"]).unwrap(), ["leaf01", "leaf02", "spine01"]);
        assert_eq!(pick(&["#app", "!@b"]).unwrap(), ["leaf02"]);
        assert_eq!(pick(&["!leaf*"]).unwrap(), ["spine01"]);
    }

    #[test]
    fn what_matches_nothing_is_named_with_what_there_is() {
        assert_eq!(
            pick(&["leaf*", "laef*"]).unwrap_err(),
            "\"laef*\" matches no node; there are leaf01, leaf02, leaf03, spine01"
        );
        assert_eq!(pick(&["leaf*", "!leaf*"]).unwrap_err(), "\"leaf*\", \"!leaf*\" leaves no node");
        assert!(pick(&["leaf[0"]).unwrap_err().contains("is no glob"));
    }
}
