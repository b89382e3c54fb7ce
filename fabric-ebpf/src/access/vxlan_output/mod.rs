//! Arrives: a frame, its VTEP and nexthop. Leaves: the VXLAN packet.
//!
//! Writes the outer headers as the kernel's vxlan device with the same settings would
//! (`vxlan_xmit_one` in `drivers/net/vxlan/vxlan_core.c`), with a source port from the range that RFC 7348
//! §5 recommends. Passes frames that do not fit (RFC 7348 §4.3: a VTEP must not fragment), so that the
//! kernel treats them as ever.

mod ipv4;
mod ipv6;
mod tagged;

use core::hint::cold_path;

use aya_ebpf::bindings::xdp_md;
use fabric_common::{
    ecn,
    schema::{
        domains::{Domain, FLAG_DF, FLAG_DF_INHERIT, FLAG_TOS_INHERIT, FLAG_TTL_INHERIT},
        ports,
    },
};

pub use self::{ipv4::ipv4, ipv6::ipv6, tagged::tagged};
use crate::{
    account,
    journey::{Frame, Journey, VtepRef},
    maps,
    optional::INHERITED_FIELDS,
    packet::{Packet, network::ether_type},
};

/// The DF bit of an IPv4 header, in network byte order.
const DF_BE: u16 = 0x4000_u16.to_be();

/// Counts the frame and returns how many were sent to the VTEP before.
#[inline(always)]
fn count(journey: &mut Journey, to: VtepRef, inner_length: u32) -> u64 {
    journey.cpu = account::cpu();
    let domain = maps::DOMAIN_TRAFFIC.get(journey.cpu, journey.domain_index);
    let vtep = maps::VTEP_TRAFFIC.get(journey.cpu, to.index);
    // SAFETY: fields of this CPU's entries.
    unsafe {
        account::add(&raw mut (*domain).encapsulated, inner_length);
        account::add(&raw mut (*vtep).encapsulated, inner_length)
    }
}

/// What of the outer header the vxlan device's settings and the inner header decide.
struct OuterFields {
    /// Type of service or traffic class.
    tos: u8,
    /// TTL or hop limit.
    ttl: u8,
    /// IPv4: the DF bit, in the place and byte order of the header's word.
    df_be: u16,
}

impl OuterFields {
    /// `at` is where the packet has the inner network header by now, and its EtherType.
    #[inline(always)]
    fn of<I: Inner>(packet: &Packet, domain: &Domain, inner_tos: u8, at: (usize, u16)) -> Self {
        const ANY: u16 = FLAG_TOS_INHERIT | FLAG_TTL_INHERIT | FLAG_DF | FLAG_DF_INHERIT;
        let fields = if !INHERITED_FIELDS || domain.flags & ANY == 0 {
            u32::from_ne_bytes([domain.ttl, domain.tos, 0, 0])
        } else {
            cold_path();
            inherit(packet.context(), domain, inner_tos, at.0 as u32, at.1)
        };
        let [ttl, tos, mut a, mut b] = fields.to_ne_bytes();
        // The kernel inherits DF by the EtherType in front of the tag, which is none of IP's.
        if I::TAG != 0 && domain.flags & FLAG_DF == 0 {
            (a, b) = (0, 0);
        }
        Self { tos: ecn::encapsulate(tos, inner_tos), ttl, df_be: u16::from_ne_bytes([a, b]) }
    }
}

/// TOS, TTL and DF for devices that inherit any of them, byte by byte. A subprogram that looks at the
/// inner header once more, so that no other frame has to carry along what it says.
#[inline(never)]
fn inherit(
    context: *mut xdp_md,
    domain: &Domain,
    inner_tos: u8,
    at: u32,
    ether_type_be: u16,
) -> u32 {
    let packet = Packet::of(context);
    let at = at as usize;
    let (inner_ttl, inner_df_be) = match ether_type_be {
        ether_type::IPV4 => {
            let df_be = packet.read::<u16>(at + 6).unwrap_or(0) & DF_BE;
            (packet.read(at + 8).unwrap_or(0), df_be)
        }
        ether_type::IPV6 => (packet.read(at + 7).unwrap_or(0), DF_BE),
        _ => (0, 0),
    };
    let has = |flag: u16| domain.flags & flag != 0;
    let tos = if has(FLAG_TOS_INHERIT) { inner_tos } else { domain.tos };
    let ttl = if has(FLAG_TTL_INHERIT) && inner_ttl != 0 { inner_ttl } else { domain.ttl };
    let [a, b] = match (has(FLAG_DF), has(FLAG_DF_INHERIT)) {
        (true, _) => DF_BE,
        (false, true) => inner_df_be,
        (false, false) => 0,
    }
    .to_ne_bytes();
    u32::from_ne_bytes([ttl, tos, a, b])
}

/// The longest frame that the journey's domain takes, in bytes.
#[inline(always)]
fn longest<I: Inner>(journey: &Journey) -> u32 {
    match I::TAG {
        0 => journey.domain.max_frame,
        _ => maps::DOMAINS6.get(journey.domain_index).max_tagged,
    }
}

/// What is put into a tunnel.
pub trait Inner {
    /// Length of the tag that it has there: 0 or 4 bytes.
    const TAG: usize;

    /// Bytes that stand in front of it and are cut, so that its network header is so many bytes and 14 more
    /// from the start of the packet.
    fn cut(&self) -> usize;
    /// Its length in bytes.
    fn length(&self) -> u32;
    /// Its EtherType, in network byte order.
    fn ether_type_be(&self) -> u16;
    /// Writes what of it changes, when its first byte has come to stand at `FIRST`; `SECOND` and `END` are 8
    /// and 12 bytes further.
    fn write<const FIRST: usize, const SECOND: usize, const END: usize>(
        &self,
        packet: &mut Packet,
    ) -> Option<()>;
}

/// A host's frame, of which the tag is cut.
pub struct Bridged<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// Its length with the tag, in bytes.
    pub length: u32,
    /// The tag's length: 0 or 4 bytes.
    pub tag: usize,
}

impl Inner for Bridged<'_> {
    const TAG: usize = 0;

    #[inline(always)]
    fn cut(&self) -> usize {
        self.tag
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        self.length - self.tag as u32
    }

    #[inline(always)]
    fn ether_type_be(&self) -> u16 {
        self.frame.ether_type_be
    }

    /// The tag stood behind the addresses, so without it they start four bytes later.
    #[inline(always)]
    fn write<const FIRST: usize, const SECOND: usize, const END: usize>(
        &self,
        packet: &mut Packet,
    ) -> Option<()> {
        if self.tag == 0 {
            return Some(());
        }
        let Frame { destination, source, .. } = *self.frame;
        let mut start = packet.start_of::<END>()?;
        start.put::<FIRST, _>(ports::mac(destination) | source << 48);
        start.put::<SECOND, _>((source >> 16) as u32);
        Some(())
    }
}
