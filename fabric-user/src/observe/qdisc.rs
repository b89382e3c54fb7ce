//! Queueing disciplines at which arriving packets are classified (`RTM_NEWQDISC` of kind `ingress` or
//! `clsact`, `linux/rtnetlink.h`): filters there may send packets elsewhere, and XDP comes before them.

use super::{
    Event,
    attributes::{header, text, u32_},
    message::{Decoded, Lacks},
};

/// Decodes `tcmsg` (family, pads, interface index, handle, parent, info: 20 bytes) and its attributes.
pub(super) fn decode(present: bool, message: &[u8]) -> Decoded {
    const TCA_KIND: u16 = 1;
    let (head, mut attributes) = header::<20>(message).ok_or(Lacks("its header"))?;
    let ifindex =
        u32_(&head[4..]).filter(|index| *index != 0).ok_or(Lacks("an interface index"))?;
    let kind = attributes.find(|(kind, _)| *kind == TCA_KIND).map(|(_, payload)| text(payload));
    let classifies = kind.is_some_and(|kind| kind == "ingress" || kind == "clsact");
    Ok(classifies.then_some(Event::Ingress { ifindex, classifies: present }))
}
