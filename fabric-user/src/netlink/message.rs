//! What a netlink socket hands over at once: messages behind each other (`linux/netlink.h`).

use std::{fmt, io};

use super::attributes::{Attributes, text, u32_};

/// Length of `nlmsghdr`: length, type, flags, sequence, port.
pub(super) const HEADER: usize = 16;

/// Nothing; as a request it does nothing but get an acknowledgement.
pub const NLMSG_NOOP: u16 = 1;
/// An acknowledgement, or why there is none.
pub const NLMSG_ERROR: u16 = 2;
/// The end of a list.
pub const NLMSG_DONE: u16 = 3;
/// Messages were lost.
pub const NLMSG_OVERRUN: u16 = 4;

/// What is listed has changed meanwhile, so something may be missing.
pub const NLM_F_DUMP_INTR: u16 = 0x10;
/// The request stands behind the error only in part.
const NLM_F_CAPPED: u16 = 0x100;
/// Attributes stand behind the error.
const NLM_F_ACK_TLVS: u16 = 0x200;

/// A message of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its type.
    pub kind: u16,
    /// `NLM_F_*`
    pub flags: u16,
    /// The number of the request that it answers; 0 if it answers none.
    pub sequence: u32,
    /// What follows `nlmsghdr`.
    pub body: &'a [u8],
}

/// How an answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With everything that was asked for.
    Done,
    /// With an error.
    Refused(Refusal),
    /// With a message that does not say how.
    CutOff,
}

/// Why the kernel refuses a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `errno`, positive.
    pub code: i32,
    /// What the kernel says about it, if it does (`NLMSGERR_ATTR_MSG`).
    pub message: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", io::Error::from_raw_os_error(self.code))?;
        match &self.message {
            Some(message) => write!(f, ": {}", message.trim_end_matches('.')),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

impl Message<'_> {
    /// How the answer ends, if it ends with this message.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        match self.kind {
            // Some lists end without a word.
            NLMSG_DONE if self.body.is_empty() => Some(End::Done),
            NLMSG_DONE | NLMSG_ERROR => Some(match u32_(self.body).map(u32::cast_signed) {
                None => End::CutOff,
                Some(0) => End::Done,
                Some(code) => {
                    End::Refused(Refusal { code: code.saturating_neg(), message: self.reason() })
                }
            }),
            _ => None,
        }
    }

    /// The sentence of an extended acknowledgement. It stands behind the error number and, unless that is
    /// the end of a list, the request.
    fn reason(&self) -> Option<String> {
        const NLMSGERR_ATTR_MSG: u16 = 1;
        if self.flags & NLM_F_ACK_TLVS == 0 {
            return None;
        }
        let behind = self.body.get(4..)?;
        let attributes = match (self.kind, self.flags & NLM_F_CAPPED != 0) {
            (NLMSG_DONE, _) => behind,
            (_, true) => behind.get(HEADER..)?,
            (_, false) => behind.get((u32_(behind)? as usize).next_multiple_of(4)..)?,
        };
        let (_, sentence) = Attributes(attributes).find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG)?;
        Some(text(sentence)).filter(|sentence| !sentence.is_empty())
    }
}

/// The messages of a datagram. Ends at the first one whose length makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Messages<'a>(&'a [u8]);

impl<'a> Messages<'a> {
    /// Those of this datagram.
    #[must_use]
    pub const fn of(datagram: &'a [u8]) -> Self {
        Self(datagram)
    }

    /// Whether what is left is no message, when there is no next one.
    #[must_use]
    pub const fn is_cut_off(&self) -> bool {
        !self.0.is_empty()
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let header = self.0.first_chunk::<HEADER>()?;
        let &[a, b, c, d, kind_low, kind_high, flags_low, flags_high, e, f, g, h, ..] = header;
        let length = u32::from_ne_bytes([a, b, c, d]) as usize;
        let body = self.0.get(HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([kind_low, kind_high]),
            flags: u16::from_ne_bytes([flags_low, flags_high]),
            sequence: u32::from_ne_bytes([e, f, g, h]),
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Request;

    fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = Request::new(kind, 0, body).numbered(7);
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes
    }

    fn end(kind: u16, flags: u16, body: &[u8]) -> Option<End> {
        Messages::of(&message(kind, flags, body)).next().unwrap().end()
    }

    /// `NLMSGERR_ATTR_OFFS` and `NLMSGERR_ATTR_MSG`.
    fn attributes() -> Vec<u8> {
        let empty = Request::new(0, 0, &[]);
        empty.attribute(2, &[0; 4]).attribute(1, b"No such thing.\0").numbered(0)[HEADER..].to_vec()
    }

    #[test]
    fn messages_stand_behind_each_other_at_multiples_of_four_bytes() {
        let mut datagram = message(16, 2, &[1, 2, 3]);
        datagram.resize(20, 0);
        datagram.extend(message(17, 0, &[4; 4]));
        let mut messages = Messages::of(&datagram);
        let first = Message { kind: 16, flags: 2, sequence: 7, body: &[1, 2, 3] };
        assert_eq!(messages.next(), Some(first));
        assert_eq!(messages.next().map(|m| (m.kind, m.body.len())), Some((17, 4)));
        assert_eq!((messages.next(), messages.is_cut_off()), (None, false));
    }

    #[test]
    fn a_message_that_is_cut_off_or_has_no_length_is_none_and_is_noticed() {
        let whole = message(16, 0, &[0; 20]);
        for length in 1..whole.len() {
            let mut messages = Messages::of(&whole[..length]);
            assert_eq!((messages.next(), messages.is_cut_off()), (None, true), "of {length} bytes");
        }
        for length in [0_u32, 15, u32::MAX] {
            let mut bytes = whole.clone();
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            let mut messages = Messages::of(&bytes);
            assert_eq!((messages.next(), messages.is_cut_off()), (None, true), "length {length}");
        }
    }

    #[test]
    fn an_answer_ends_with_an_acknowledgement_an_error_or_the_end_of_a_list() {
        assert_eq!(end(16, 0, &[0; 20]), None);
        assert_eq!(end(NLMSG_ERROR, 0, &[0; 20]), Some(End::Done));
        assert_eq!(end(NLMSG_DONE, 0, &[0; 4]), Some(End::Done));
        assert_eq!(end(NLMSG_DONE, 0, &[]), Some(End::Done));
        assert_eq!(end(NLMSG_ERROR, 0, &[0; 3]), Some(End::CutOff));
        let refused = End::Refused(Refusal { code: libc::ENODEV, message: None });
        for kind in [NLMSG_ERROR, NLMSG_DONE] {
            assert_eq!(end(kind, 0, &(-libc::ENODEV).to_ne_bytes()), Some(refused.clone()));
        }
        let least = End::Refused(Refusal { code: i32::MAX, message: None });
        assert_eq!(end(NLMSG_ERROR, 0, &i32::MIN.to_ne_bytes()), Some(least));
    }

    #[test]
    fn an_extended_acknowledgement_says_why_wherever_it_stands() {
        let error = (-libc::EINVAL).to_ne_bytes();
        let request = message(24, 1, &[9; 12]);
        let behind_header = [&error[..], &request[..HEADER], &attributes()].concat();
        let behind_request = [&error[..], &request, &attributes()].concat();
        let behind_number = [&error[..], &attributes()].concat();
        let message = Some("No such thing.".to_owned());
        let refusal = Refusal { code: libc::EINVAL, message };
        let refused = Some(End::Refused(refusal.clone()));
        let (tlvs, capped) = (NLM_F_ACK_TLVS, NLM_F_CAPPED | NLM_F_ACK_TLVS);
        assert_eq!(end(NLMSG_ERROR, capped, &behind_header), refused);
        assert_eq!(end(NLMSG_ERROR, tlvs, &behind_request), refused);
        assert_eq!(end(NLMSG_DONE, tlvs, &behind_number), refused);
        assert_eq!(refusal.to_string(), "Invalid argument (os error 22): No such thing");
        // The last byte is padding.
        for length in 4..behind_request.len() - 1 {
            let silent = Some(End::Refused(Refusal { code: libc::EINVAL, message: None }));
            assert_eq!(end(NLMSG_ERROR, tlvs, &behind_request[..length]), silent, "{length}");
        }
    }
}
