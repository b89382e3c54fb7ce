//! Filters of `tc`, which may drop packets or send them elsewhere, and of which XDP programs know nothing:
//! those for what arrives come after XDP, those for what leaves are passed by what XDP redirects.
//!
//! A message (`linux/rtnetlink.h`) tells of a filter, or of the queueing discipline that it hangs on, and
//! not of what is left when one goes. So a message is a reason to ask. BPF programs at the same
//! places ([`tcx`](crate::kernel::tcx)) come and go without one, and are asked for as well.

use serde::{Deserialize, Serialize};

use super::{
    Event,
    attributes::{header, text, u32_},
    message::{Decoded, Lacks},
};

/// What of an interface's packets is classified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classifiers {
    /// There are filters for what arrives.
    pub arriving: bool,
    /// There are filters for what leaves.
    pub leaving: bool,
}

/// Where filters for all packets hang: `TC_H_INGRESS` with `TC_H_MIN_INGRESS` and `TC_H_MIN_EGRESS`
/// (`linux/pkt_sched.h`).
pub(super) const ARRIVING: u32 = 0xffff_fff2;
pub(super) const LEAVING: u32 = 0xffff_fff3;

/// A queueing discipline that has filters for all packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Discipline {
    pub(super) ifindex: u32,
    /// It has those for what leaves as well: `clsact`, and not the older `ingress`, which shows its one
    /// list at either place.
    pub(super) is_both: bool,
}

impl Discipline {
    /// Reads `tcmsg` (family, pads, interface index, handle, parent, info: 20 bytes) and attributes; `None`
    /// for disciplines of other kinds.
    pub(super) fn read(message: &[u8]) -> Result<Option<Self>, Lacks> {
        const TCA_KIND: u16 = 1;
        let (head, mut attributes) = header::<20>(message).ok_or(Lacks("its header"))?;
        let ifindex =
            u32_(&head[4..]).filter(|index| *index != 0).ok_or(Lacks("an interface index"))?;
        let kind = attributes.find(|(kind, _)| *kind == TCA_KIND).map(|(_, payload)| text(payload));
        Ok(match kind.as_deref() {
            Some("clsact") => Some(Self { ifindex, is_both: true }),
            Some("ingress") => Some(Self { ifindex, is_both: false }),
            _ => None,
        })
    }
}

/// Decodes a message about a queueing discipline.
pub(super) fn decode_discipline(message: &[u8]) -> Decoded {
    Ok(Discipline::read(message)?.map(|_| Event::ClassifiersChanged))
}

/// Decodes a message about a filter. One in a block that interfaces share does not even say whose it is.
pub(super) fn decode_filter(message: &[u8]) -> Decoded {
    header::<20>(message).ok_or(Lacks("its header"))?;
    Ok(Some(Event::ClassifiersChanged))
}

/// Whether a message of a list is about a filter: the kernel shows the lists' heads as well, and for a
/// moment those of lists that are empty.
pub(super) fn is_filter(message: &[u8]) -> bool {
    let handle = header::<20>(message).and_then(|(head, _)| u32_(&head[8..]));
    handle.is_some_and(|handle| handle != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(ifindex: u32, handle: u32, kind: &str) -> Vec<u8> {
        let mut message = vec![0; 20];
        message[4..8].copy_from_slice(&ifindex.to_ne_bytes());
        message[8..12].copy_from_slice(&handle.to_ne_bytes());
        message.extend((kind.len() as u16 + 5).to_ne_bytes());
        message.extend(1_u16.to_ne_bytes());
        message.extend(kind.as_bytes());
        message.push(0);
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    #[test]
    fn only_disciplines_with_filters_for_all_packets_are_a_reason_to_ask() {
        let discipline = |kind| decode_discipline(&message(7, 0xffff_0000, kind));
        assert_eq!(discipline("clsact"), Ok(Some(Event::ClassifiersChanged)));
        assert_eq!(discipline("ingress"), Ok(Some(Event::ClassifiersChanged)));
        assert_eq!(discipline("fq_codel"), Ok(None));
        assert_eq!(decode_discipline(&message(0, 0, "clsact")), Err(Lacks("an interface index")));
        assert_eq!(decode_discipline(&[0; 19]), Err(Lacks("its header")));
    }

    #[test]
    fn the_head_of_a_list_is_no_filter() {
        assert!(!is_filter(&message(7, 0, "flower")));
        assert!(is_filter(&message(7, 1, "flower")));
        assert!(!is_filter(&[]));
    }
}
