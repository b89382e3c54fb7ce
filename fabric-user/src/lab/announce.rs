//! Announcing a virtual machine that has just arrived, as a hypervisor and its guest do.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::mac::Mac;

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_RARP: u16 = 0x8035;
const ARP_REQUEST: u16 = 1;
const RARP_REQUEST: u16 = 3;
/// Shortest Ethernet frame without its check sequence.
const FRAME_MIN: usize = 60;

/// Pauses between QEMU's announcements: five rounds, beginning with 50 ms, 100 ms longer each
/// time (`announce-initial`, `announce-step`, `announce-rounds`).
pub(super) const PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(250),
    Duration::from_millis(350),
];

/// The frame by which a hypervisor says "this MAC is here now": a RARP request broadcast from it.
pub(super) fn reverse_arp(mac: Mac) -> Vec<u8> {
    let nobody = Ipv4Addr::UNSPECIFIED;
    arp_frame(ETHERTYPE_RARP, RARP_REQUEST, mac, nobody, mac, nobody)
}

/// The frame by which a guest says "this address is mine": an ARP request for it (RFC 5227 §3).
pub(super) fn gratuitous_arp(mac: Mac, address: Ipv4Addr) -> Vec<u8> {
    arp_frame(ETHERTYPE_ARP, ARP_REQUEST, mac, address, Mac([0; 6]), address)
}

fn arp_frame(
    ethertype: u16,
    operation: u16,
    sender: Mac,
    sender_address: Ipv4Addr,
    target: Mac,
    target_address: Ipv4Addr,
) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_MIN);
    frame.extend([0xff; 6]);
    frame.extend(sender.0);
    frame.extend(ethertype.to_be_bytes());
    // Ethernet and IPv4 with addresses of 6 and 4 bytes.
    frame.extend([0, 1, 8, 0, 6, 4]);
    frame.extend(operation.to_be_bytes());
    frame.extend(sender.0);
    frame.extend(sender_address.octets());
    frame.extend(target.0);
    frame.extend(target_address.octets());
    frame.resize(FRAME_MIN, 0);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 1, 1]);

    #[test]
    fn a_reverse_arp_names_the_machine_as_sender_and_target() {
        let mut expected = vec![0xff; 6];
        expected.extend([2, 0, 0, 0, 1, 1, 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3]);
        expected.extend([2, 0, 0, 0, 1, 1, 0, 0, 0, 0, 2, 0, 0, 0, 1, 1, 0, 0, 0, 0]);
        expected.resize(60, 0);
        assert_eq!(reverse_arp(MAC), expected);
    }

    #[test]
    fn a_gratuitous_arp_asks_for_its_own_address() {
        let mut expected = vec![0xff; 6];
        expected.extend([2, 0, 0, 0, 1, 1, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
        expected.extend([2, 0, 0, 0, 1, 1, 10, 1, 0, 11, 0, 0, 0, 0, 0, 0, 10, 1, 0, 11]);
        expected.resize(60, 0);
        assert_eq!(gratuitous_arp(MAC, Ipv4Addr::new(10, 1, 0, 11)), expected);
    }
}
