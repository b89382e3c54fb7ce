//! Values that FRR writes as a number or as text, with words such as `None`, `unknown` or `n/a` where there is none.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::Deserializer;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Words that stand for no value (`zl3vni_vxlan_if_name`, `zl3vni_rmac2str` and others).
const NONE: [&str; 6] = ["None", "none", "unknown", "Unknown", "n/a", "-"];

/// A value of whatever reads as one; nothing of what does not.
pub(super) fn value<'de, T: FromStr, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    from.deserialize_any(Loose(PhantomData))
}

/// `true`, or `"Yes"` as older versions write it.
pub(super) fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let word: Option<String> = value(from)?;
    Ok(word.is_some_and(|word| ["true", "Yes", "yes", "1"].contains(&word.as_str())))
}

struct Loose<T>(PhantomData<T>);

impl<'de, T: FromStr> Visitor<'de> for Loose<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let text = text.trim();
        Ok(if NONE.contains(&text) { None } else { text.parse().ok() })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(number.to_string().parse().ok())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(number.to_string().parse().ok())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(number.to_string().parse().ok())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(flag.to_string().parse().ok())
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
        while all.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
        while all.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
