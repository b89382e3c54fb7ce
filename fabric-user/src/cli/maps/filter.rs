//! Which rows of a map are wanted: `--vni`, `--bridge`, and the key.

use std::net::IpAddr;

use anyhow::bail;

use super::{Args, View};
use crate::{
    cli::{routes::Span, table::Line},
    observe::Mac,
};

/// What the key of a lookup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Mac,
    /// An address of either family.
    Host,
    /// An address, a prefix or a range: the rows of any of its addresses.
    Span,
    Number,
    Name,
}

/// A key as it is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A column says so.
    Text(String),
    /// Addresses, by which a view chooses its rows itself: a row need not be as the key is.
    Span(Span),
}

/// What rows must be like.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// One of the columns by their place says this, for each of these.
    texts: Vec<(Vec<usize>, String)>,
    span: Option<Span>,
}

impl Filter {
    /// The filter for what was asked for.
    ///
    /// # Errors
    /// If the map has no such column, or the key is not what its keys are like.
    pub(super) fn new(args: &Args, view: &View) -> anyhow::Result<Self> {
        let mut filter = Self::default();
        let narrowed =
            [("vni", args.vni.map(|vni| vni.to_string())), ("bridge", args.bridge.clone())];
        for (column, text) in narrowed {
            let Some(text) = text else { continue };
            let Some(place) = view.column(column) else {
                bail!(
                    "{} cannot be narrowed by --{column}; its entries do not have one",
                    view.name
                );
            };
            filter.texts.push((vec![place], text));
        }
        if let Some(key) = &args.key {
            filter.narrow(view, key)?;
        }
        Ok(filter)
    }

    /// The filter for a key alone.
    #[cfg(test)]
    pub(super) fn of_key(view: &View, key: &str) -> anyhow::Result<Self> {
        let mut filter = Self::default();
        filter.narrow(view, key)?;
        Ok(filter)
    }

    fn narrow(&mut self, view: &View, key: &str) -> anyhow::Result<()> {
        match view.key.parse(key)? {
            Wanted::Span(span) => self.span = Some(span),
            Wanted::Text(text) => {
                let places = view.lookup.iter().filter_map(|column| view.column(column));
                self.texts.push((places.collect(), text));
            }
        }
        Ok(())
    }

    /// The addresses whose rows are wanted.
    pub(super) const fn span(&self) -> Option<Span> {
        self.span
    }

    /// True if every row fits.
    pub(super) const fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.span.is_none()
    }

    /// True if the columns of the row say what they should.
    pub(super) fn fits(&self, row: &Line) -> bool {
        let fits = |(places, wanted): &(Vec<usize>, String)| {
            places.iter().any(|place| row.cell(*place) == wanted)
        };
        self.texts.iter().all(fits)
    }
}

impl Key {
    /// The key as the table has it.
    pub(super) fn parse(self, key: &str) -> anyhow::Result<Wanted> {
        let text = match self {
            Self::Mac => key.replace('-', ":").parse::<Mac>()?.to_string(),
            Self::Host => match key.parse::<IpAddr>() {
                Ok(address) => address.to_string(),
                Err(_) => bail!("{key} is not an IP address, by which this map is looked up"),
            },
            Self::Span => {
                if let Ok(address) = key.parse() {
                    return Ok(Wanted::Span(Span::of(address)));
                }
                match key.parse::<Span>() {
                    Ok(span) => return Ok(Wanted::Span(span)),
                    Err(error) => bail!("{key} {error}"),
                }
            }
            Self::Number => match key.parse::<u32>() {
                Ok(number) => number.to_string(),
                Err(_) => bail!("{key} is not a number, by which this map is looked up"),
            },
            Self::Name => key.to_owned(),
        };
        Ok(Wanted::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_the_tables_have_them_or_refused_with_the_form_that_is_right() {
        let text = |text: &str| Wanted::Text(text.into());
        assert_eq!(Key::Mac.parse("52-54-00-AA-BB-01").unwrap(), text("52:54:00:aa:bb:01"));
        assert_eq!(Key::Number.parse("0200").unwrap(), text("200"));
        assert_eq!(Key::Host.parse("2001:DB8::0001").unwrap(), text("2001:db8::1"));
        let error = Key::Host.parse("leaf01").unwrap_err().to_string();
        assert_eq!(error, "leaf01 is not an IP address, by which this map is looked up");
        assert!(Key::Mac.parse("nonsense").unwrap_err().to_string().contains("02:00:5e:00:00:01"));
    }

    #[test]
    fn addresses_are_a_span_or_refused_in_one_sentence() {
        let wanted = |text: &str| Wanted::Span(text.parse().unwrap());
        assert_eq!(Key::Span.parse("10.1.2.3").unwrap(), wanted("10.1.2.3/32"));
        assert_eq!(Key::Span.parse("10.1.2.3/16").unwrap(), wanted("10.1.0.0/16"));
        for (key, error) in [
            ("10.0.0.0/33", "10.0.0.0/33 is neither an address nor a prefix such as 10.0.0.0/8"),
            (
                "10.0.0.9-10.0.0.1",
                "10.0.0.9-10.0.0.1 ends before it begins; write the lower address first",
            ),
            ("10.0.0.1-::1", "10.0.0.1-::1 has addresses of two families; write two of one family"),
        ] {
            assert_eq!(Key::Span.parse(key).unwrap_err().to_string(), error);
        }
    }
}
