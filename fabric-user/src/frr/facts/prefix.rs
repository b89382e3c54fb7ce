//! A prefix as text, `10.0.0.0/24`: as FRR writes it and as facts are read by people.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

use crate::observe::Prefix;

/// What a text says.
pub(super) fn parse(text: &str) -> Option<Prefix> {
    let (address, length) = text.split_once('/')?;
    Some(Prefix { address: address.parse().ok()?, length: length.parse().ok()? })
}

pub(super) fn serialize<S: Serializer>(prefix: &Prefix, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(prefix)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Prefix, D::Error> {
    let text = String::deserialize(from)?;
    parse(&text).ok_or_else(|| D::Error::custom(format!("\"{text}\" is no prefix")))
}
