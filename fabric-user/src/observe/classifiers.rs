//! Filters of `tc`, which may drop packets or send them elsewhere, and of which XDP programs know nothing:
//! those for what arrives come after XDP, those for what leaves are passed by what XDP redirects.
//!
//! A message (`linux/rtnetlink.h`) tells of a filter, or of the queueing discipline that it hangs on, and
//! not of what is left when one goes. So a message is a reason to ask. BPF programs at the same
//! places (`BPF_TCX_INGRESS`, `BPF_TCX_EGRESS`, Linux 6.6 and later) come and go without one: they are
//! asked for as often as the interface is.

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::{
    Event, ObserveError,
    attributes::{header, text, u32_},
    message::{Decoded, Lacks, RTM_NEWLINK, RTM_NEWTFILTER},
    request::{self, Dump},
    xdp_features::ask,
};
use crate::kernel::tcx;

/// What of an interface's packets is classified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Classifiers {
    /// There are filters for what arrives.
    pub arriving: bool,
    /// There are filters for what leaves.
    pub leaving: bool,
}

/// `TC_H_INGRESS` with each of `TC_H_MIN_INGRESS` and `TC_H_MIN_EGRESS`, and by itself
/// (`linux/pkt_sched.h`).
const ARRIVING: u32 = 0xffff_fff2;
const LEAVING: u32 = 0xffff_fff3;
const OLD_ARRIVING: u32 = 0xffff_0000;
/// `TCM_IFINDEX_MAGIC_BLOCK`: the filter is in a block that interfaces share.
const SHARED: u32 = u32::MAX;

/// Decodes `tcmsg` (family, pads, interface index, handle, parent, info: 20 bytes) of a queueing
/// discipline and its attributes.
pub(super) fn decode_discipline(message: &[u8]) -> Decoded {
    const TCA_KIND: u16 = 1;
    let (head, mut attributes) = header::<20>(message).ok_or(Lacks("its header"))?;
    let ifindex =
        u32_(&head[4..]).filter(|index| *index != 0).ok_or(Lacks("an interface index"))?;
    let kind = attributes.find(|(kind, _)| *kind == TCA_KIND).map(|(_, payload)| text(payload));
    let has_filters = kind.is_some_and(|kind| kind == "ingress" || kind == "clsact");
    Ok(has_filters.then_some(Event::ClassifiersChanged { ifindex: Some(ifindex) }))
}

/// Decodes `tcmsg` of a filter. One in a block that interfaces share does not say whose it is.
pub(super) fn decode_filter(message: &[u8]) -> Decoded {
    let (head, _) = header::<20>(message).ok_or(Lacks("its header"))?;
    let ifindex = u32_(&head[4..]).ok_or(Lacks("an interface index"))?;
    Ok(Some(Event::ClassifiersChanged { ifindex: (ifindex != SHARED).then_some(ifindex) }))
}

/// Asks about the interfaces of the network namespace in which it was opened.
pub(super) struct Asker(Socket);

impl Asker {
    /// Opens a socket.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn open() -> Result<Self, ObserveError> {
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(ObserveError::socket("open"))?;
        socket.bind(&SocketAddr::new(0, 0)).map_err(ObserveError::socket("bind"))?;
        Ok(Self(socket))
    }

    /// What of an interface's packets is classified now. Without an answer nothing is: of an interface that
    /// has gone, or by a kernel without `tc`.
    pub(super) fn classifiers(&self, ifindex: u32) -> Classifiers {
        Classifiers {
            arriving: tcx::is_used(ifindex, tcx::Place::Arriving) || self.has(ifindex, ARRIVING),
            // The discipline `ingress` has one list of filters and shows it at either place.
            leaving: tcx::is_used(ifindex, tcx::Place::Leaving)
                || self.has(ifindex, LEAVING) && !self.has(ifindex, OLD_ARRIVING),
        }
    }

    /// The indexes of all interfaces.
    pub(super) fn interfaces(&self) -> Vec<u32> {
        let mut found = Vec::new();
        let asked = ask(&self.0, &Dump::Links.request(1), &mut |kind, body| {
            let ifindex = header::<16>(body).and_then(|(head, _)| u32_(&head[4..]));
            found.extend(ifindex.filter(|_| kind == RTM_NEWLINK));
        });
        if let Err(error) = asked {
            tracing::warn!(%error, "no list of the interfaces whose filters of `tc` may have changed");
        }
        found
    }

    fn has(&self, ifindex: u32, parent: u32) -> bool {
        let mut found = false;
        let request = request::filters(ifindex, parent);
        let asked = ask(&self.0, &request, &mut |kind, _| found |= kind == RTM_NEWTFILTER);
        if let Err(error) = asked {
            tracing::warn!(%error, ifindex, "no answer about the filters of `tc`");
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(ifindex: u32, kind: &str) -> Vec<u8> {
        let mut message = vec![0; 20];
        message[4..8].copy_from_slice(&ifindex.to_ne_bytes());
        message.extend((kind.len() as u16 + 5).to_ne_bytes());
        message.extend(1_u16.to_ne_bytes());
        message.extend(kind.as_bytes());
        message.push(0);
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    #[test]
    fn only_disciplines_with_filters_for_all_packets_are_a_reason_to_ask() {
        let changed = Ok(Some(Event::ClassifiersChanged { ifindex: Some(7) }));
        assert_eq!(decode_discipline(&message(7, "clsact")), changed);
        assert_eq!(decode_discipline(&message(7, "ingress")), changed);
        assert_eq!(decode_discipline(&message(7, "fq_codel")), Ok(None));
        assert_eq!(decode_discipline(&message(0, "clsact")), Err(Lacks("an interface index")));
        assert_eq!(decode_discipline(&[0; 19]), Err(Lacks("its header")));
    }

    #[test]
    fn a_filter_in_a_block_that_interfaces_share_may_be_anybodys() {
        let of = |ifindex| decode_filter(&message(ifindex, "flower"));
        assert_eq!(of(7), Ok(Some(Event::ClassifiersChanged { ifindex: Some(7) })));
        assert_eq!(of(u32::MAX), Ok(Some(Event::ClassifiersChanged { ifindex: None })));
    }
}
