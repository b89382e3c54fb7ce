//! Addresses of interfaces (`RTM_NEWADDR`, `linux/if_addr.h`): to the daemon only that one came or went. What they
//! are is in the local routing table.
//!
//! With an address the kernel removes, without a message, the IPv4 routes that have it as source, and with
//! an interface's last one all IPv4 routes over it (`fib_del_ifaddr`, `fib_disable_ip`); with its first one
//! it takes next hops into use again (`fib_sync_up`).

use super::{
    Event, Prefix,
    address::ip,
    attributes::{header, u32_},
    message::{Decoded, Lacks},
};

/// An address of an interface with the length of its network's prefix; `None` of what has neither.
#[must_use]
pub fn interface_address(message: &[u8]) -> Option<(u32, Prefix)> {
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    let (head, attributes) = header::<8>(message)?;
    let ifindex = u32_(&head[4..])?;
    let (mut address, mut local) = (None, None);
    for (attribute, payload) in attributes {
        match attribute {
            IFA_ADDRESS => address = ip(payload),
            IFA_LOCAL => local = ip(payload),
            _ => {}
        }
    }
    // Of two ends of a link, `IFA_ADDRESS` is the other one.
    Some((ifindex, Prefix { address: local.or(address)?, length: head[1] }))
}

/// Decodes `ifaddrmsg` (family, prefix length, flags, scope, interface index: 8 bytes).
pub(super) fn decode(message: &[u8]) -> Decoded {
    let (head, _) = header::<8>(message).ok_or(Lacks("its header"))?;
    let ifindex =
        u32_(&head[4..]).filter(|index| *index != 0).ok_or(Lacks("an interface index"))?;
    Ok(Some(Event::AddressChanged { ifindex }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_length_of_its_prefix_and_is_this_end_of_a_link() {
        let head = [2, 31, 0, 0, 7, 0, 0, 0];
        let attribute = |kind: u8, last: u8| [8, 0, kind, 0, 10, 0, 0, last];
        let message = [&head[..], &attribute(1, 2), &attribute(2, 1)].concat();
        let found = interface_address(&message).map(|(index, prefix)| (index, prefix.to_string()));
        assert_eq!(found, Some((7, "10.0.0.1/31".into())));
        assert_eq!(interface_address(&head), None);
        assert_eq!(interface_address(&head[..6]), None);
    }
}
