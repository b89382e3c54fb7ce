//! Facts of the network namespace that are files below `/proc/sys/net` and of whose changes the kernel
//! says nothing: they are read again and again. An error is no answer: what was known still holds.

use std::{fs, io};

use crate::model::{HashPolicy, Multipath};

/// What the kernel tells flows apart by.
pub(super) fn multipath() -> io::Result<Multipath> {
    Ok(Multipath { v4: hash_policy("ipv4")?, v6: hash_policy("ipv6")? })
}

/// TTL of packets for which nobody sets one.
pub(super) fn default_ttl() -> io::Result<u8> {
    Ok(number("ipv4/ip_default_ttl")?.and_then(|ttl| ttl.try_into().ok()).unwrap_or(64))
}

/// Hop limit of packets for which nobody sets one, not even the interface.
pub(super) fn default_hop_limit() -> io::Result<u8> {
    Ok(hop_limit6("all")?.unwrap_or(64))
}

/// Hop limit of IPv6 packets by an interface for which nobody sets one; a router's advertisement may
/// have changed it. None if it does not speak IPv6.
pub(super) fn hop_limit6(interface: &str) -> io::Result<Option<u8>> {
    let limit = number(&format!("ipv6/conf/{interface}/hop_limit"))?;
    Ok(limit.and_then(|limit| limit.try_into().ok()))
}

/// MTU of IPv6 packets on an interface, which a router's advertisement or an operator may have lowered;
/// none if it does not speak IPv6.
pub(super) fn mtu6(interface: &str) -> io::Result<Option<u32>> {
    number(&format!("ipv6/conf/{interface}/mtu"))
}

/// Whether the kernel takes and sends IPv6 packets on an interface. Without the file it has no IPv6 there, as where
/// the MTU is less than 1280 bytes.
pub(super) fn has_ipv6(interface: &str) -> io::Result<bool> {
    Ok(number(&format!("ipv6/conf/{interface}/disable_ipv6"))? == Some(0))
}

/// Whether chains for IPv4, and those for IPv6, see what bridges forward; none without br_netfilter, where
/// no bridge's own option has an effect either.
pub(super) fn bridge_nf() -> io::Result<Option<[bool; 2]>> {
    let v4 = number("bridge/bridge-nf-call-iptables")?;
    let v6 = number("bridge/bridge-nf-call-ip6tables")?;
    Ok(v4.zip(v6).map(|(v4, v6)| [v4 != 0, v6 != 0]))
}

/// Whether the kernel answers ARP on an interface (`all`: on each) for hosts of the same network there.
pub(super) fn arp_pvlan(interface: &str) -> io::Result<bool> {
    let value = number(&format!("ipv4/conf/{interface}/proxy_arp_pvlan"))?;
    Ok(value.is_some_and(|value| value != 0))
}

/// Whether learned path MTUs count for forwarded IPv4 packets.
pub(super) fn forwards_by_path_mtu() -> io::Result<bool> {
    Ok(number("ipv4/ip_forward_use_pmtu")?.is_some_and(|value| value != 0))
}

/// A kernel that was built without multipath routes, or without the family, has no such files.
fn hash_policy(family: &str) -> io::Result<HashPolicy> {
    let number = |name: &str| number(&format!("{family}/{name}"));
    let fields = number("fib_multipath_hash_fields")?.unwrap_or_default();
    let policy = number("fib_multipath_hash_policy")?;
    Ok(policy.map_or_else(HashPolicy::default, |number| HashPolicy::of(number, fields)))
}

/// The number in a file; none if the kernel has no such file.
fn number(name: &str) -> io::Result<Option<u32>> {
    match fs::read_to_string(format!("/proc/sys/net/{name}")) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
