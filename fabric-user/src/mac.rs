//! Ethernet addresses.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An Ethernet address, bytes in the order of the wire. Written as `aa:bb:cc:dd:ee:ff`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Mac(pub [u8; 6]);

/// A text that is no Ethernet address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a MAC address such as 02:00:5e:00:00:01")]
pub struct MacError(String);

impl Mac {
    /// No address: the FDB key of flood entries.
    pub const ZERO: Self = Self([0; 6]);

    /// A single station's address: neither zero nor multicast nor broadcast.
    #[must_use]
    pub const fn is_unicast(self) -> bool {
        !self.is_group() && !self.is_zero()
    }

    /// Broadcast and multicast addresses, which no interface may own.
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// All bytes are zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        matches!(self.0, [0, 0, 0, 0, 0, 0])
    }

    /// A locally administered address derived from `name`, the same on every run, so that
    /// captures and bridge tables of two runs can be compared.
    #[must_use]
    pub fn derived_from(name: &str) -> Self {
        // FNV-1a: short, stable over compiler versions and good enough to spread names.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let [_, _, _, a, b, c, d, e] = hash.to_be_bytes();
        Self([0x02, a, b, c, d, e])
    }
}

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let error = || MacError(text.to_owned());
        let mut bytes = [0; 6];
        let mut pairs = text.split([':', '-']);
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| pair.len() == 2).ok_or_else(error)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| error())?;
        }
        if pairs.next().is_some() {
            return Err(error());
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Mac {
    type Error = MacError;

    fn try_from(text: String) -> Result<Self, MacError> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_address_reads_back_as_it_was_written() {
        let text = "02:00:5e:10:a0:ff";
        assert_eq!(text.parse::<Mac>().map(|mac| mac.to_string()).as_deref(), Ok(text));
    }

    #[test]
    fn short_long_and_odd_text_is_refused() {
        for text in
            ["", "02:00:5e:10:a0", "02:00:5e:10:a0:ff:01", "2:0:5e:10:a0:ff", "gg:00:5e:10:a0:ff"]
        {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    #[test]
    fn derived_addresses_are_unicast_and_differ_by_name() {
        let (a, b) = (Mac::derived_from("leaf01:swp1"), Mac::derived_from("leaf01:swp2"));
        assert_ne!(a, b);
        assert!(!a.is_group());
    }
}
