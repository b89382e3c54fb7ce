//! The VNIs of a vxlan device with a filter of them (`RTM_NEWTUNNEL`, `struct tunnel_msg` and
//! `VXLAN_VNIFILTER_*` of `linux/if_link.h`).

use serde::{Deserialize, Serialize};

use super::{
    Event,
    attributes::{Attributes, header, u32_},
    message::{Decoded, Lacks},
};

/// Some of the VNIs that a vxlan device hears of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VniFilter {
    /// Interface index of the vxlan device.
    pub vxlan: u32,
    /// First and last VNI of each range.
    pub ranges: Vec<(u32, u32)>,
}

const MAX_VNI: u32 = 0xff_ffff;

/// Decodes `tunnel_msg` (family, flags, pad, ifindex: 8 bytes) and its attributes.
pub(super) fn decode(present: bool, message: &[u8]) -> Decoded {
    const VXLAN_VNIFILTER_ENTRY: u16 = 1;

    let (head, attributes) = header::<8>(message).ok_or(Lacks("its header"))?;
    let vxlan = u32_(&head[4..]).filter(|index| *index != 0).ok_or(Lacks("an interface index"))?;
    let entries = attributes.filter(|(kind, _)| *kind == VXLAN_VNIFILTER_ENTRY);
    let ranges: Vec<_> = entries.filter_map(|(_, payload)| range(Attributes(payload))).collect();
    let filter = VniFilter { vxlan, ranges };
    Ok((!filter.ranges.is_empty()).then_some(match present {
        true => Event::VniFilter(filter),
        false => Event::VniFilterGone(filter),
    }))
}

/// `VXLAN_VNIFILTER_ENTRY`: one VNI, or a range. The group that it may have is among the device's entries
/// for flooding.
fn range(attributes: Attributes<'_>) -> Option<(u32, u32)> {
    const VXLAN_VNIFILTER_ENTRY_START: u16 = 1;
    const VXLAN_VNIFILTER_ENTRY_END: u16 = 2;

    let (mut first, mut last) = (None, None);
    for (kind, payload) in attributes {
        match kind {
            VXLAN_VNIFILTER_ENTRY_START => first = u32_(payload),
            VXLAN_VNIFILTER_ENTRY_END => last = u32_(payload),
            _ => {}
        }
    }
    let first = first?;
    let last = last.unwrap_or(first).min(MAX_VNI);
    (first <= last).then_some((first, last))
}
