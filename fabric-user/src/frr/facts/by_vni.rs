//! Tables of all VNIs in one answer: `{"VNI": {"numMacs": 2, "KEY": {…}, "KEY": {…}}}`, where MACs are one level
//! deeper, below `macs`. Whatever is no key is a number of entries, or something that nobody knows.

use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::answer;

/// Entries with the VNI and the key of each, in the order of the answer.
pub(super) type Entries<K, T> = Vec<(u32, K, T)>;

/// Below this key stand MACs.
const MACS: &str = "macs";

/// Reads the answer at once into what is to be, without a tree between: it has some 500 bytes for each MAC.
pub(super) fn read<K: FromStr, T: DeserializeOwned>(
    text: &str,
) -> serde_json::Result<Entries<K, T>> {
    answer::read(text).map(|Table(entries)| entries)
}

struct Table<K, T>(Entries<K, T>);

impl<K, T> Default for Table<K, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, K: FromStr, T: DeserializeOwned> Deserialize<'de> for Table<K, T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut table = Self::default();
        from.deserialize_map(Level { vni: None, entries: &mut table.0 })?;
        Ok(table)
    }
}

/// One level of the answer: of all VNIs, or of one.
struct Level<'a, K, T> {
    vni: Option<u32>,
    entries: &'a mut Entries<K, T>,
}

impl<'de, K: FromStr, T: DeserializeOwned> DeserializeSeed<'de> for Level<'_, K, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, K: FromStr, T: DeserializeOwned> Visitor<'de> for Level<'_, K, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a table by VNI")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<(), A::Error> {
        while let Some(key) = all.next_key::<String>()? {
            let below = match self.vni {
                None => key.parse().ok(),
                Some(vni) if key == MACS => Some(vni),
                Some(vni) => {
                    match key.parse() {
                        Ok(key) => self.entries.push((vni, key, all.next_value()?)),
                        Err(_) => skip(&mut all)?,
                    }
                    continue;
                }
            };
            match below {
                Some(vni) => {
                    all.next_value_seed(Level { vni: Some(vni), entries: &mut *self.entries })?;
                }
                None => skip(&mut all)?,
            }
        }
        Ok(())
    }
}

fn skip<'de, A: MapAccess<'de>>(all: &mut A) -> Result<(), A::Error> {
    all.next_value::<IgnoredAny>()?;
    Ok(())
}
