//! Arrives: an inner frame. Leaves: the ECN bits that its packet will have.
//!
//! Passes packets that cannot carry the congestion mark of the outer header (RFC 6040 §4.2): the
//! kernel drops them, counts them among the vxlan device's errors and logs them
//! (`vxlan_ecn_decapsulate` in `drivers/net/vxlan/vxlan_core.c`).

use fabric_common::{checksum, ecn, reason::Reason};

use crate::{
    ending::OrStop,
    journey::Frame,
    packet::{Packet, network::ether_type},
};

#[inline(always)]
pub fn ecn_decap(packet: &Packet, outer_tos: u8, frame: &Frame) -> Result<Ecn, Reason> {
    let unchanged = Ecn { network: frame.network, ipv6: false, old: 0, new: 0 };
    // Both headers start with the version and, somewhere in the first two bytes, the ECN bits.
    let first: [u8; 2] = match frame.ether_type_be {
        ether_type::IPV4 | ether_type::IPV6 => {
            packet.read(frame.network).or_stop(Reason::InnerGuardTruncated)?
        }
        _ => return Ok(unchanged),
    };
    let ipv6 = frame.ether_type_be == ether_type::IPV6;
    let old = if ipv6 { first[1] >> 4 } else { first[1] } & ecn::MASK;
    let new = ecn::decapsulate(outer_tos, old).or_stop(Reason::EcnDecapNotEctCe)?;
    Ok(Ecn { network: frame.network, ipv6, old, new })
}

/// A change of ECN bits that is still to be made.
pub struct Ecn {
    network: usize,
    ipv6: bool,
    old: u8,
    new: u8,
}

impl Ecn {
    /// The bits that change.
    #[inline(always)]
    pub fn change(&self) -> u64 {
        u64::from(self.old ^ self.new)
    }

    /// Writes the new bits and corrects the IPv4 header checksum.
    #[inline(always)]
    pub fn apply(&self, packet: &mut Packet) -> Result<(), Reason> {
        if self.old == self.new {
            return Ok(());
        }
        self.rewrite(packet).or_stop(Reason::InnerGuardTruncated)
    }

    /// Takes back what [`Self::apply`] has written into a packet that the kernel gets after all. Of IPv6 only, where the
    /// outer UDP checksum would be wrong: over an IPv4 header, whose own checksum changed with it, that is right, and
    /// the kernel writes the same bits.
    #[inline(always)]
    pub fn take_back(&self, packet: &mut Packet) {
        if self.ipv6 && self.old != self.new {
            // One that has been changed further does not go to the kernel.
            let _gone = self.rewrite(packet);
        }
    }

    #[inline(always)]
    fn rewrite(&self, packet: &mut Packet) -> Option<()> {
        let difference = self.old ^ self.new;
        let old: [u8; 2] = packet.read(self.network)?;
        if self.ipv6 {
            return packet.write(self.network + 1, old[1] ^ difference << 4);
        }
        let new = [old[0], old[1] ^ difference];
        let sum: u16 = packet.read(self.network + 10)?;
        let sum = checksum::update(sum, u16::from_ne_bytes(old), u16::from_ne_bytes(new));
        packet.write(self.network, new)?;
        packet.write(self.network + 10, sum)
    }
}
