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
    /// A prefix or a range: the rows inside it. An address: the rows that hold it.
    Span,
    Number,
    Name,
}

/// A key as rows are compared with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Text(String),
    Holding(Span),
    Inside(Span),
}

/// What rows must be like: one of the columns by their place, for each of these.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter(Vec<(Vec<usize>, Wanted)>);

impl Filter {
    /// The filter for what was asked for.
    ///
    /// # Errors
    /// If the map has no such column, or the key is not what its keys are like.
    pub(super) fn new(args: &Args, view: &View) -> anyhow::Result<Self> {
        let mut filter = Vec::new();
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
            filter.push((vec![place], Wanted::Text(text)));
        }
        if let Some(key) = &args.key {
            let places = view.lookup.iter().filter_map(|column| view.column(column)).collect();
            filter.push((places, view.key.parse(key)?));
        }
        Ok(Self(filter))
    }

    /// True if every row fits.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if the row is wanted.
    pub(super) fn fits(&self, row: &Line) -> bool {
        let fits = |(places, wanted): &(Vec<usize>, Wanted)| {
            places.iter().any(|place| wanted.fits(row.cell(*place)))
        };
        self.0.iter().all(fits)
    }
}

impl Wanted {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Text(wanted) => text == wanted,
            Self::Holding(wanted) => text.parse::<Span>().is_ok_and(|row| row.holds(wanted)),
            Self::Inside(wanted) => text.parse().is_ok_and(|row| wanted.holds(&row)),
        }
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
                    return Ok(Wanted::Holding(Span::of(address)));
                }
                match key.parse() {
                    Ok(span) => return Ok(Wanted::Inside(span)),
                    Err(_) => bail!("{key} is neither an address nor a prefix such as 10.0.0.0/8"),
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
        assert!(Key::Span.parse("10.0.0.0/33").is_err());
    }

    #[test]
    fn an_address_finds_what_holds_it_and_a_prefix_what_is_inside() {
        let address = Key::Span.parse("10.1.2.3").unwrap();
        assert!(address.fits("10.0.0.0/8") && address.fits("10.1.2.3/32"));
        assert!(!address.fits("10.1.2.4/32") && !address.fits("::/0"));
        let prefix = Key::Span.parse("10.1.0.0/16").unwrap();
        assert!(prefix.fits("10.1.0.0/16") && prefix.fits("10.1.9.0/24"));
        assert!(!prefix.fits("10.0.0.0/8") && !prefix.fits("10.2.0.0/24"));
    }
}
