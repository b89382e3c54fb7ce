//! What drivers have counted of what arrives at ports where they run programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    kernel::running::XdpState,
    netlink::{
        Client, Family, NetlinkError,
        attributes::{header, text, u32_, u64_},
        rtnetlink::{RTM_NEWLINK, all_links},
    },
};

/// What was counted right before the programs' counters were read, and right after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrived {
    /// Before.
    pub before: Received,
    /// After.
    pub after: Received,
}

/// What an interface has received (`struct rtnl_link_stats64` of `linux/if_link.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Packets. Some drivers count those that a program takes, some do not.
    pub packets: u64,
    /// Packets that the driver or the kernel could not take, which some drivers count above as well.
    pub dropped: u64,
    /// Queues that the driver fills at a time.
    #[serde(default)]
    pub queues: u32,
}

/// By the names of interfaces whose drivers run programs.
pub(super) type All = BTreeMap<String, Received>;

/// Asks in the present network namespace.
///
/// # Errors
/// If the kernel cannot be asked.
pub(super) fn ask() -> Result<All, NetlinkError> {
    let mut all = All::new();
    // A list that changes meanwhile lacks an interface at most, of which nothing is said then.
    Client::open(Family::Route)?.ask(all_links(), |message| {
        if message.kind == RTM_NEWLINK && XdpState::read(message.body).is_in_driver() {
            all.extend(received(message.body));
        }
    })?;
    Ok(all)
}

/// Those that are in both.
pub(super) fn joined(before: &All, after: &All) -> BTreeMap<String, Arrived> {
    let both = before.iter().filter_map(|(name, before)| {
        Some((name.clone(), Arrived { before: *before, after: *after.get(name)? }))
    });
    both.collect()
}

/// The name and the numbers of a link's message.
fn received(message: &[u8]) -> Option<(String, Received)> {
    const IFLA_IFNAME: u16 = 3;
    const IFLA_STATS64: u16 = 23;
    const IFLA_NUM_RX_QUEUES: u16 = 32;
    const RX_PACKETS: usize = 0;
    const RX_DROPPED: usize = 6;
    const RX_MISSED_ERRORS: usize = 15;
    let (_, attributes) = header::<16>(message)?;
    let (mut name, mut numbers, mut queues) = (None, None, 1);
    for (kind, payload) in attributes {
        match kind {
            IFLA_IFNAME => name = Some(text(payload)),
            IFLA_STATS64 => numbers = Some(payload),
            IFLA_NUM_RX_QUEUES => queues = u32_(payload).unwrap_or(1),
            _ => {}
        }
    }
    let numbers = numbers?;
    let number = |place: usize| u64_(numbers.get(place * size_of::<u64>()..)?);
    let dropped = number(RX_DROPPED)? + number(RX_MISSED_ERRORS)?;
    Some((name?, Received { packets: number(RX_PACKETS)?, dropped, queues }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as u16 + 4).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn the_numbers_of_a_link_are_read_with_its_name_and_one_that_is_cut_off_has_none() {
        let numbers: Vec<u8> = (0..24_u64).flat_map(|place| (place + 100).to_ne_bytes()).collect();
        let link = |numbers: &[u8]| {
            let queues = attribute(32, &4_u32.to_ne_bytes());
            [vec![0; 16], attribute(3, b"swp1\0"), queues, attribute(23, numbers)].concat()
        };
        let expected = Received { packets: 100, dropped: 106 + 115, queues: 4 };
        assert_eq!(received(&link(&numbers)), Some(("swp1".to_owned(), expected)));
        assert_eq!(received(&link(&numbers[..40])), None);
        assert_eq!(received(&[0; 16]), None);
    }

    #[test]
    fn an_interface_that_has_come_or_gone_meanwhile_is_in_neither() {
        let one =
            |name: &str, packets| (name.to_owned(), Received { packets, ..Received::default() });
        let before = All::from([one("swp1", 5), one("swp2", 7)]);
        let after = All::from([one("swp1", 6), one("swp3", 8)]);
        let both = joined(&before, &after);
        assert_eq!(both.len(), 1);
        assert_eq!((both["swp1"].before.packets, both["swp1"].after.packets), (5, 6));
    }
}
