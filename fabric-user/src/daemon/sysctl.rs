//! Facts of the network namespace that are files below `/proc/sys/net` and of whose changes the kernel
//! says nothing: they are read again and again.

use std::fs;

use crate::model::{HashPolicy, Multipath};

/// What the kernel tells flows apart by.
pub(super) fn multipath() -> Multipath {
    Multipath { v4: hash_policy("ipv4"), v6: hash_policy("ipv6") }
}

/// A kernel that was built without multipath routes, or without the family, has no such files.
fn hash_policy(family: &str) -> HashPolicy {
    let number = |name: &str| -> Option<u32> {
        let text = fs::read_to_string(format!("/proc/sys/net/{family}/{name}")).ok()?;
        text.trim().parse().ok()
    };
    let fields = number("fib_multipath_hash_fields").unwrap_or_default();
    number("fib_multipath_hash_policy")
        .map_or_else(HashPolicy::default, |n| HashPolicy::of(n, fields))
}
