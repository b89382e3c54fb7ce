//! `maps local_addresses`: how full the filter is. Addresses cannot be read back from it.

use fabric_common::schema::local_addresses::WORDS;
use serde_json::json;

use super::Source;
use crate::cli::{
    format::share,
    sheet::{Cell, Column, Sheet},
};

const COLUMNS: &[Column] = &[
    Column::number("bits_set", "BITS SET"),
    Column::number("bits", "OF"),
    Column::number("false_percent", "STRANGERS TAKEN FOR OWN"),
];

/// A stranger that is taken for the box itself costs a second look, and nothing else.
pub(super) fn sheet(source: &Source<'_>) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "");
    let (set, all) = (bits_set(source), WORDS as u64 * 64);
    let percent = set as f64 * 100.0 / all as f64;
    sheet.row([set.into(), all.into(), Cell::new(share(set, all), json!(percent))]);
    sheet
}

/// Number of bits that are set.
pub(super) fn bits_set(source: &Source<'_>) -> u64 {
    source.maps.local_addresses.get(0).words.iter().map(|word| u64::from(word.count_ones())).sum()
}
