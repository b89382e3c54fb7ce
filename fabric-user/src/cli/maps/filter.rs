//! Which rows of a map are wanted: `--vni`, `--bridge`, and the key.

use std::net::IpAddr;

use anyhow::bail;
use serde_json::Value;

use super::{Args, Dump};
use crate::{
    cli::{
        routes::holds,
        sheet::{Cell, Sheet},
    },
    observe::{Mac, Prefix},
};

/// What the key of a lookup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Mac,
    /// An address of either family.
    Host,
    /// A prefix: the rows inside it. An address: the rows that hold it.
    Prefix,
    Number,
    Name,
}

/// A key as rows are compared with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Text(String),
    Holding(IpAddr),
    Inside(Prefix),
}

/// What rows must be like.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// Values of columns.
    values: Vec<(usize, Value)>,
    /// The columns of which one has to fit the key.
    key: Option<(Vec<usize>, Wanted)>,
}

impl Filter {
    /// The filter for what was asked for; `sheet` tells the columns.
    ///
    /// # Errors
    /// If the map has no such column, or the key is not what its keys are like.
    pub(super) fn new(args: &Args, dump: &Dump, sheet: &Sheet) -> anyhow::Result<Self> {
        let mut filter = Self::default();
        let narrowed =
            [("vni", args.vni.map(Value::from)), ("bridge", args.bridge.clone().map(Value::from))];
        for (column, value) in narrowed {
            let Some(value) = value else { continue };
            let Some(place) = sheet.column(column) else {
                bail!(
                    "{} cannot be narrowed by --{column}; its entries do not have one",
                    dump.name
                );
            };
            filter.values.push((place, value));
        }
        if let Some(key) = &args.key {
            let places = dump.lookup.iter().filter_map(|column| sheet.column(column)).collect();
            filter.key = Some((places, dump.key.parse(key)?));
        }
        Ok(filter)
    }

    /// True if every row fits.
    pub(super) const fn is_empty(&self) -> bool {
        self.values.is_empty() && self.key.is_none()
    }

    /// True if the row is wanted.
    pub(super) fn fits(&self, row: &[Cell]) -> bool {
        let values = self.values.iter().all(|(place, value)| row[*place].value() == value);
        let key = self.key.as_ref().is_none_or(|(places, wanted)| {
            places.iter().any(|place| wanted.fits(row[*place].text()))
        });
        values && key
    }
}

impl Wanted {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Text(wanted) => text == wanted,
            Self::Holding(address) => prefix(text).is_some_and(|row| holds(row, *address)),
            Self::Inside(wanted) => prefix(text)
                .is_some_and(|row| row.length >= wanted.length && holds(*wanted, row.address)),
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
            Self::Prefix => {
                if let Ok(address) = key.parse() {
                    return Ok(Wanted::Holding(address));
                }
                match prefix(key) {
                    Some(prefix) => return Ok(Wanted::Inside(prefix)),
                    None => bail!("{key} is neither an address nor a prefix such as 10.0.0.0/8"),
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

/// An address and its length.
fn prefix(text: &str) -> Option<Prefix> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    (length <= most).then_some(Prefix { address, length })
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
        assert!(Key::Prefix.parse("10.0.0.0/33").is_err());
    }

    #[test]
    fn an_address_finds_what_holds_it_and_a_prefix_what_is_inside() {
        let address = Key::Prefix.parse("10.1.2.3").unwrap();
        assert!(address.fits("10.0.0.0/8") && address.fits("10.1.2.3/32"));
        assert!(!address.fits("10.1.2.4/32") && !address.fits("::/0"));
        let prefix = Key::Prefix.parse("10.1.0.0/16").unwrap();
        assert!(prefix.fits("10.1.0.0/16") && prefix.fits("10.1.9.0/24"));
        assert!(!prefix.fits("10.0.0.0/8") && !prefix.fits("10.2.0.0/24"));
    }
}
