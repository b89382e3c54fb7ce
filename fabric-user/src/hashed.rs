//! Hash tables of what there can be a million of.
//!
//! With a hasher that is several times as quick as the standard library's and still has a seed of its
//! own for each table: whoever fills a network with MAC addresses cannot choose those that collide.

use foldhash::fast::RandomState;

/// See [`std::collections::HashMap`].
pub type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;
/// See [`std::collections::HashSet`].
pub type HashSet<K> = std::collections::HashSet<K, RandomState>;
