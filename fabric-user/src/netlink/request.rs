//! Requests to the kernel: `nlmsghdr` (length, type, flags, sequence, port: 16 bytes), a fixed header,
//! attributes.

/// A request, not something that happened.
pub const NLM_F_REQUEST: u16 = 1;
/// Answer also if all went well.
pub const NLM_F_ACK: u16 = 4;
/// Answer with everything that there is.
pub const NLM_F_DUMP: u16 = 0x300;
/// Take the place of what has the same key.
pub const NLM_F_REPLACE: u16 = 0x100;
/// Refuse if there is one with the same key.
pub const NLM_F_EXCL: u16 = 0x200;
/// Make it if it is not there.
pub const NLM_F_CREATE: u16 = 0x400;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request(Vec<u8>);

impl Request {
    /// Of a type, with `NLM_F_*` beside `NLM_F_REQUEST`, and with the fixed header that belongs to the
    /// type.
    #[must_use]
    pub fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend([0; 4]);
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(fixed);
        Self(bytes)
    }

    /// For a list of everything of a type.
    #[must_use]
    pub fn dump(kind: u16, fixed: &[u8]) -> Self {
        Self::new(kind, NLM_F_DUMP, fixed)
    }

    /// Adds an attribute of at most 65,531 bytes, with padding.
    #[must_use]
    pub fn attribute(mut self, kind: u16, payload: &[u8]) -> Self {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self.0.extend((payload.len() as u16 + 4).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(payload);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Has the kernel say how it went: a list does so anyway.
    #[must_use]
    pub fn acknowledged(mut self) -> Self {
        let flags = u16::from_ne_bytes([self.0[6], self.0[7]]);
        if flags & NLM_F_DUMP != NLM_F_DUMP {
            self.0[6..8].copy_from_slice(&(flags | NLM_F_ACK).to_ne_bytes());
        }
        self
    }

    /// The bytes, with a number that the answer will have too.
    #[must_use]
    pub fn numbered(mut self, sequence: u32) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::{Message, Messages, attributes::header};

    #[test]
    fn a_request_reads_as_it_was_built() {
        let request = Request::new(18, NLM_F_CREATE, &[9; 16]);
        let bytes = request.attribute(3, b"lo\0").attribute(4, &[5; 4]).acknowledged().numbered(77);
        assert_eq!(bytes.len(), 16 + 16 + 8 + 8);
        let mut messages = Messages::of(&bytes);
        let Some(Message { kind: 18, flags, sequence: 77, body }) = messages.next() else {
            panic!("a message")
        };
        assert_eq!(flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK);
        let (fixed, attributes) = header::<16>(body).unwrap();
        assert_eq!(fixed, &[9; 16]);
        let attributes: Vec<_> = attributes.collect();
        assert_eq!(attributes, [(3, &b"lo\0"[..]), (4, &[5; 4][..])]);
    }

    #[test]
    fn a_list_acknowledges_itself() {
        let request = Request::dump(18, &[]);
        assert_eq!(request.clone().acknowledged(), request);
        // These flags are each a part of NLM_F_DUMP.
        for flag in [NLM_F_REPLACE, NLM_F_EXCL] {
            let bytes = Request::new(24, flag, &[]).acknowledged().numbered(1);
            assert_eq!(bytes[6..8], (NLM_F_REQUEST | NLM_F_ACK | flag).to_ne_bytes());
        }
    }
}
