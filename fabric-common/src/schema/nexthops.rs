//! `nexthops`: next hops, ready to be written into a packet. Their addresses are in [`super::nexthop_addresses`].

use bytemuck::{Pod, Zeroable};

/// Number of entries; index 0 is never used. Indexes fit the 16 bits of a bucket.
pub const MAX: u32 = 65_536;

const _: () = assert!(super::fits(super::ports::MAX, u16::BITS));

/// Nothing is sent here: the neighbour has failed or is not resolved yet.
pub const FLAG_DOWN: u16 = 1 << 0;

/// A next hop. While something refers to it only three of its fields change: its flags, which share a word with
/// nothing else that changes, and its place, which shares one with `used`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Nexthop {
    /// Destination and source of the Ethernet header.
    pub macs: [u8; 12],
    /// Slot of the port to send on; 0 marks a free entry.
    pub port: u16,
    /// `FLAG_` constants.
    pub flags: u16,
    /// IP MTU of the port in bytes, at most 65,535: so long an IP packet can be.
    pub mtu: u16,
    /// Behind a bridge: the target that `fdb` has for the destination in the domain of the port, a
    /// [`super::fdb::target`]; 0 where it has none, or the port is no gateway.
    pub place: u16,
    /// The [`epoch`] in which a packet was last sent to it as to a host, without a group. Programs write it. What the daemon stores at that moment
    /// takes its place; the next packet writes it again.
    pub used: u16,
    /// Always 0.
    pub reserved: u16,
}

super::map_value!(Nexthop, 24);

/// The epoch of a time in jiffies: 256 of them, which are a quarter of a second to some seconds. Epochs are the odd
/// numbers, so that none is 0, which stands for never, and each is two after the one before; they come again after
/// hours.
#[inline(always)]
#[must_use]
pub const fn epoch(jiffies: u64) -> u16 {
    (jiffies >> (EPOCH_BITS - 1)) as u16 | 1
}

const EPOCH_BITS: u32 = 8;

/// Whether `used` is an epoch of the last two seconds, the one in which they began, or that after `now`, which may have
/// been read before. `hz` is CONFIG_HZ.
#[must_use]
pub const fn is_recent(used: u16, now: u64, hz: u32) -> bool {
    let age = epoch(now).wrapping_sub(used).cast_signed() / 2;
    used != 0 && age >= -1 && age as i32 <= ((2 * hz) >> EPOCH_BITS).cast_signed() + 1
}

impl Nexthop {
    /// Slot of the port to send on, if there is one and the neighbour has not failed.
    #[inline(always)]
    #[must_use]
    pub const fn usable_port(&self) -> Option<u32> {
        // One load and one comparison: with a flag, the word is too large, and without a port it has
        // become so.
        let word = self.port as u32 | (self.flags as u32) << 16;
        if word.wrapping_sub(1) < 0xffff { Some(word) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_recent_for_two_seconds_whatever_the_tick() {
        for hz in [100, 250, 1_000] {
            for start in [0, 12_345, (1 << 23) - 10, (1 << 24) - 10] {
                let used = epoch(start);
                assert!(
                    is_recent(used, start, hz) && is_recent(used, start + 2 * u64::from(hz), hz)
                );
                assert!(!is_recent(used, start + 2 * u64::from(hz) + 2 * 256, hz));
                assert!(is_recent(epoch(start + 128), start, hz), "used since the clock was read");
                assert!(!is_recent(epoch(start + 1_000), start, hz), "hours ago");
            }
        }
    }
}
