//! Arrives: a frame of a VLAN whose tag it keeps in the tunnel, and its VTEP. Leaves: the VXLAN packet, through the port
//! of its nexthop.
//!
//! A vxlan device of one VNI gets the frames of all VLANs but its untagged PVID with their tags, and puts these into the
//! tunnel (`validate_xmit_vlan` of `net/core/dev.c`, as the device has no tags beside the frame): with the priority that
//! the frame came with, or 0. Global functions, see [`crate::gateway`]: nobody else pays for it.

use core::hint::cold_path;

use aya_ebpf::{bindings::xdp_md, helpers::bpf_jiffies64};
use fabric_common::{
    reason::Reason,
    schema::{circuits::FLAG_VLAN_DEVICE, domains::TAG_INSIDE, ports},
};

use super::{Inner, ipv4, ipv6};
use crate::{
    access::{nexthop_select::nexthop_select, underlay_output::underlay_output, vlan_classify},
    account,
    ending::{OrStop, reason_of},
    journey::{Frame, Journey, VtepRef},
    maps,
    packet::{Packet, halves, network::ether_type},
    port_input::find_port,
};

/// Where the network header starts behind a VLAN tag.
const TAGGED: usize = 18;
/// Priority and drop eligibility in a tag's control information.
const PRIORITY: u16 = 0xf000;

/// Sends what is too long for a tunnel without tags, because no frame is short enough; the network header starts at `AT`.
#[inline(always)]
pub fn tagged<const AT: usize>(
    packet: &Packet,
    journey: &mut Journey,
    to: VtepRef,
) -> Result<Reason, Reason> {
    cold_path();
    if journey.domain.max_frame != TAG_INSIDE {
        return Err(Reason::VxlanOutputTooBig);
    }
    let number = match AT {
        TAGGED => tag_kept(packet.context(), to.index),
        _ => tag_added(packet.context(), to.index),
    };
    journey.cpu = account::cpu();
    if number == Reason::Encapsulated as u32 {
        return Ok(Reason::Encapsulated);
    }
    Err(reason_of(number))
}

/// Declares [`sent_from`] for each place of the network header.
macro_rules! global_functions {
    ($($name:ident: $at:expr;)+) => {$(
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(context: *mut xdp_md, vtep: u32) -> u32 {
            sent_from::<{ $at }>(context, vtep)
        }
    )+};
}

global_functions! {
    tag_added: 14;
    tag_kept: TAGGED;
}

/// Sends the frame to the VTEP and returns the reason's number. Begins anew with what it gets from the context.
#[inline(always)]
fn sent_from<const AT: usize>(context: *mut xdp_md, vtep: u32) -> u32 {
    let mut packet = Packet::of(context);
    let Some(entry) = find_port(packet.ingress_ifindex()) else {
        return Reason::PortInputUnknownPort as u32;
    };
    let mut journey = Journey::new(packet.length_now(), entry);
    // SAFETY: the helper only reads the kernel's clock.
    journey.now = unsafe { bpf_jiffies64() };
    match send::<AT>(&mut packet, &mut journey, vtep) {
        Ok(reason) | Err(reason) => reason as u32,
    }
}

#[inline(always)]
fn send<const AT: usize>(
    packet: &mut Packet,
    journey: &mut Journey,
    vtep: u32,
) -> Result<Reason, Reason> {
    const TRUNCATED: Reason = Reason::PortInputTruncated;
    let (from, priority) = match AT {
        TAGGED => {
            let tci = u16::from_be(packet.read(14).or_stop(TRUNCATED)?);
            (vlan_classify::tagged(journey, tci)?, tci & PRIORITY)
        }
        _ => (vlan_classify::untagged(journey)?, 0),
    };
    let priority = match from.circuit().flags & FLAG_VLAN_DEVICE {
        0 => priority,
        _ => 0,
    };
    let frame = Frame {
        destination: packet.read(0).or_stop(TRUNCATED)?,
        source: packet.read(6).or_stop(TRUNCATED)?,
        ether_type_be: packet.read(AT - 2).or_stop(TRUNCATED)?,
        network: AT,
    };
    let to = VtepRef { index: vtep, vtep: maps::VTEPS.get(vtep) };
    let selection = nexthop_select(packet, journey, to, &frame)?;
    let inner =
        WithTag::<AT> { frame, length: journey.length, tci: priority | journey.domain.vlan };
    let length = if to.vtep.is_ipv6() {
        ipv6(packet, journey, to, &selection, &inner)?
    } else {
        ipv4(packet, journey, to, &selection, &inner)?
    };
    underlay_output(journey, selection.nexthop, length, Reason::Encapsulated)
}

/// A host's frame whose network header starts at `AT`, with a tag in the tunnel.
struct WithTag<const AT: usize> {
    frame: Frame,
    /// Its length as it came, in bytes.
    length: u32,
    /// The tag's control information, in host byte order.
    tci: u16,
}

impl<const AT: usize> Inner for WithTag<AT> {
    const TAG: usize = 4;

    #[inline(always)]
    fn cut(&self) -> usize {
        AT - 14
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        self.length + TAGGED as u32 - AT as u32
    }

    #[inline(always)]
    fn ether_type_be(&self) -> u16 {
        self.frame.ether_type_be
    }

    #[inline(always)]
    fn write<const FIRST: usize, const SECOND: usize, const END: usize>(
        &self,
        packet: &mut Packet,
    ) -> Option<()> {
        // Where a tag was, the addresses stand in front of it already.
        if AT != TAGGED {
            let Frame { destination, source, .. } = self.frame;
            packet.write(FIRST, ports::mac(destination) | source << 48)?;
            packet.write(SECOND, (source >> 16) as u32)?;
        }
        packet.write(END, halves(ether_type::VLAN, self.tci.to_be()))
    }
}
