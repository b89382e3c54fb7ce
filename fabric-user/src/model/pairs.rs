//! Serialises a map as a list of pairs, since JSON objects have only strings as keys.

use serde::{Serialize, Serializer};

pub(super) fn serialize<'a, S, M, K, V>(map: &'a M, serializer: S) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    &'a M: IntoIterator<Item = (&'a K, &'a V)>,
    K: Serialize + 'a,
    V: Serialize + 'a,
{
    serializer.collect_seq(map)
}
