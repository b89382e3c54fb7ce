//! Addresses of interfaces (`RTM_NEWADDR`, `linux/if_addr.h`): only that one came or went. What they are
//! is in the local routing table.
//!
//! With an address the kernel removes, without a message, the IPv4 routes that have it as source, and with
//! an interface's last one all IPv4 routes over it (`fib_del_ifaddr`, `fib_disable_ip`); with its first one
//! it takes next hops into use again (`fib_sync_up`).

use super::{
    Event,
    attributes::{header, u32_},
    message::{Decoded, Lacks},
};

/// Decodes `ifaddrmsg` (family, prefix length, flags, scope, interface index: 8 bytes).
pub(super) fn decode(message: &[u8]) -> Decoded {
    let (head, _) = header::<8>(message).ok_or(Lacks("its header"))?;
    let ifindex =
        u32_(&head[4..]).filter(|index| *index != 0).ok_or(Lacks("an interface index"))?;
    Ok(Some(Event::AddressChanged { ifindex }))
}
