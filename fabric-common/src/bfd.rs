//! Watching a neighbour's BFD packets (RFC 5880) as they pass.
//!
//! FRR's bfdd keeps the sessions; nobody here answers. But the packet path sees every packet of the
//! neighbour, so it knows as soon as bfdd does that they have stopped, and turns to other paths
//! while bfdd, bgpd and zebra still work their way through the routes. This is a bridge and no
//! judgement: it ends [`WINDOW_MS`] later, when the control plane has spoken.

/// UDP port of single-hop control packets (RFC 5881 §4).
pub const PORT: u16 = 3784;
/// For how long a silent neighbour is passed over, in milliseconds.
pub const WINDOW_MS: u32 = 5_000;
/// An interval between two packets that says nothing about their rate, in milliseconds.
const PAUSE_MS: u32 = 1_000;
/// Length of a control packet without authentication, in bytes (RFC 5880 §4.1).
pub const LENGTH: usize = 24;
/// TTL or hop limit that proves that a packet comes from the link (RFC 5881 §5).
pub const TTL: u8 = 255;
const STATE_UP: u8 = 3;

/// What a control packet says about its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// The sender takes the session for up.
    pub up: bool,
    /// Packets that may be missed, from 1.
    pub multiplier: u8,
    /// Interval at which the sender wants to send, in microseconds.
    pub interval_us: u32,
}

impl Control {
    /// Reads the first 16 bytes of a control packet: version and diagnostic, state and flags,
    /// multiplier, length, two discriminators, interval. `None` if it is none (RFC 5880 §6.8.6).
    #[inline(always)]
    #[must_use]
    pub const fn parse(first: [u8; 4], interval_be: u32) -> Option<Self> {
        let [version, state, multiplier, length] = first;
        if version >> 5 != 1 || multiplier == 0 || (length as usize) < LENGTH {
            return None;
        }
        let interval_us = u32::from_be(interval_be);
        Some(Self { up: state >> 6 == STATE_UP, multiplier, interval_us })
    }
}

/// When a neighbour was last heard and until when it must be heard again, in one word: both in the
/// low 32 bits of jiffies. 0 means that it is not watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch(pub u64);

impl Watch {
    /// The watch after a packet that arrived at `now` (jiffies).
    ///
    /// The sender may send more slowly than it says, because the receiver asked for that: what
    /// counts is the longer one of the interval that it says and the one that was seen. A session
    /// that is not up is not watched: whoever ends it says so to the control plane.
    #[inline(always)]
    #[must_use]
    pub const fn heard(self, control: Control, now: u64, hz: u32) -> Self {
        if !control.up {
            return Self(0);
        }
        let now = now as u32;
        let said = jiffies(control.interval_us as u64, 1_000_000, hz);
        let gap = now.wrapping_sub(self.0 as u32);
        let pause = jiffies(PAUSE_MS as u64, 1_000, hz);
        // One packet alone says nothing about the rate.
        let seen = if self.0 == 0 || gap > pause { pause } else { gap };
        let interval = if seen > said { seen } else { said };
        let deadline = now.wrapping_add(interval.wrapping_mul(control.multiplier as u32) + 1);
        Self((deadline as u64) << 32 | now as u64)
    }

    /// True if the neighbour has fallen silent, and that not so long ago that the control plane
    /// must know by now.
    #[inline(always)]
    #[must_use]
    pub const fn is_silent(self, now: u64, hz: u32) -> bool {
        if self.0 == 0 {
            return false;
        }
        let late = (now as u32).wrapping_sub((self.0 >> 32) as u32);
        // Above half of the range the deadline is still to come.
        late != 0 && late < jiffies(WINDOW_MS as u64, 1_000, hz)
    }
}

#[inline(always)]
const fn jiffies(time: u64, per_second: u64, hz: u32) -> u32 {
    (time * hz as u64).div_ceil(per_second) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    const HZ: u32 = 250;
    /// Version 1, state up, three packets, 24 bytes.
    const UP: [u8; 4] = [0x20, 0xc0, 3, 24];

    fn control(interval_ms: u32) -> Control {
        Control::parse(UP, (interval_ms * 1_000).to_be()).unwrap()
    }

    /// Packets every `gap` jiffies from `start` on.
    fn after(start: u64, gap: u64, packets: u64, control: Control) -> (Watch, u64) {
        let times = (0..packets).map(|n| start + n * gap);
        let last = start + (packets - 1) * gap;
        (times.fold(Watch::default(), |watch, now| watch.heard(control, now, HZ)), last)
    }

    #[test]
    fn silence_begins_after_the_detection_time_and_ends_with_the_window() {
        // Every 52 ms: 13 jiffies; three of them.
        let (watch, last) = after(1_000, 13, 5, control(50));
        let silent: Vec<bool> =
            [39, 40, 41, 41 + 1_248, 41 + 1_249].map(|d| watch.is_silent(last + d, HZ)).into();
        assert_eq!(silent, [false, false, true, true, false]);
    }

    #[test]
    fn a_sender_that_was_asked_to_be_slower_is_not_taken_for_dead() {
        let (watch, last) = after(1_000, 100, 5, control(50));
        assert!(!watch.is_silent(last + 300, HZ));
        assert!(watch.is_silent(last + 302, HZ));
    }

    #[test]
    fn a_session_that_is_not_up_is_not_watched() {
        let (watch, last) = after(1_000, 13, 5, control(50));
        let down = Control { up: false, ..control(50) };
        assert_eq!(watch.heard(down, last + 13, HZ), Watch::default());
        assert!(!Watch::default().is_silent(u64::from(u32::MAX), HZ));
    }

    #[test]
    fn the_clock_may_wrap() {
        let (watch, last) = after(u64::from(u32::MAX) - 30, 13, 5, control(50));
        assert!(!watch.is_silent(last + 20, HZ));
        assert!(watch.is_silent(last + 50, HZ));
    }

    #[test]
    fn what_is_no_control_packet_is_ignored() {
        for bad in [[0x40, 0xc0, 3, 24], [0x20, 0xc0, 0, 24], [0x20, 0xc0, 3, 23]] {
            assert_eq!(Control::parse(bad, 0), None);
        }
        assert_eq!(Control::parse([0x20, 0x40, 3, 24], 0).map(|c| c.up), Some(false));
    }
}
