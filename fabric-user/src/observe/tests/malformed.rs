//! Bytes that no kernel should send.

use super::{captured::all, random::Random};
use crate::observe::{Event, LinkKind, PortVlan, decode};

const KINDS: [u16; 14] = [16, 17, 24, 25, 28, 29, 32, 33, 80, 81, 104, 105, 120, 121];

#[test]
fn messages_cut_off_anywhere_are_errors_or_less_complete_but_never_panic() {
    for (kind, flags, bytes) in all() {
        for length in 0..bytes.len() {
            let _ = decode(kind, flags, &bytes[..length]);
        }
        assert!(
            decode(kind, flags, &bytes[..3]).is_err(),
            "half a header of type {kind} is an error"
        );
    }
}

#[test]
fn damaged_and_random_messages_never_panic() {
    let mut random = Random(0x0fab);
    let captured = all();
    for _ in 0..200_000 {
        let mut bytes = captured[random.below(captured.len())].2.clone();
        random.damage(&mut bytes);
        let _ = decode(KINDS[random.below(KINDS.len())], random.next() as u16, &bytes);
    }
    for _ in 0..100_000 {
        let bytes: Vec<u8> = (0..random.below(200)).map(|_| random.next() as u8).collect();
        for kind in KINDS {
            let _ = decode(kind, 0, &bytes);
        }
    }
}

/// `ifinfomsg` of family `AF_BRIDGE` for interface 5 with master 2, port options and VLANs. This
/// kernel has no VLAN filtering, so the bytes follow `br_fill_ifvlaninfo_compressed` of
/// `net/bridge/br_netlink.c`.
fn bridge_port(vlans: &[(u16, u16)]) -> Vec<u8> {
    let mut message = vec![7, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend([8, 0, 10, 0, 2, 0, 0, 0]);
    message.extend([12, 0, 12, 0x80, 5, 0, 1, 0, 3, 0, 0, 0]);
    let length = 4 + 8 * vlans.len() as u16;
    message.extend(length.to_ne_bytes());
    message.extend([26, 0x80]);
    for (flags, id) in vlans {
        message.extend([8, 0, 2, 0]);
        message.extend(flags.to_ne_bytes());
        message.extend(id.to_ne_bytes());
    }
    message
}

fn vlans(entries: &[(u16, u16)]) -> Vec<PortVlan> {
    match decode(16, 0, &bridge_port(entries)) {
        Ok(Some(Event::BridgePort(port))) => port.vlans,
        other => panic!("no bridge port: {other:?}"),
    }
}

const PVID_UNTAGGED: u16 = 2 | 4;
const BEGIN: u16 = 8;
const END: u16 = 16;

#[test]
fn vlan_ranges_are_spelt_out_and_keep_their_flags() {
    let tagged = |id| PortVlan { id, pvid: false, untagged: false, tunnel: None };
    assert_eq!(
        vlans(&[(PVID_UNTAGGED, 10), (BEGIN, 100), (END, 102), (0, 200)]),
        [
            PortVlan { id: 10, pvid: true, untagged: true, tunnel: None },
            tagged(100),
            tagged(101),
            tagged(102),
            tagged(200)
        ]
    );
}

/// `IFLA_BRIDGE_VLAN_TUNNEL_INFO` of flags, VLAN and tunnel ID, as `br_fill_vlan_tinfo` of
/// `net/bridge/br_netlink_tunnel.c` writes it.
fn tunnel((flags, vlan, tunnel): (u16, u16, u32)) -> Vec<u8> {
    let mut attribute = vec![28, 0, 3, 0, 8, 0, 1, 0];
    attribute.extend(tunnel.to_ne_bytes());
    for (kind, value) in [(2, vlan), (3, flags)] {
        attribute.extend([6, 0, kind, 0]);
        attribute.extend(value.to_ne_bytes());
        attribute.extend([0; 2]);
    }
    attribute
}

/// The tunnel IDs of the VLANs 10 to 14.
fn tunnels(entries: &[(u16, u16, u32)]) -> Vec<Option<u32>> {
    let mut message = bridge_port(&[(BEGIN, 10), (END, 14)]);
    let length = 4 + 16 + 28 * entries.len() as u16;
    let at = message.len() - 20;
    message[at..at + 2].copy_from_slice(&length.to_ne_bytes());
    entries.iter().for_each(|entry| message.extend(tunnel(*entry)));
    match decode(16, 0, &message) {
        Ok(Some(Event::BridgePort(port))) => port.vlans.iter().map(|vlan| vlan.tunnel).collect(),
        other => panic!("no bridge port: {other:?}"),
    }
}

#[test]
fn tunnel_ids_are_those_of_their_vlans_one_by_one_and_by_ranges() {
    assert_eq!(
        tunnels(&[(0, 10, 500), (BEGIN, 12, 700), (END, 13, 701), (0, 99, 1)]),
        [Some(500), None, Some(700), Some(701), None]
    );
    assert_eq!(tunnels(&[(BEGIN, 12, 7), (END, 11, 6)]), [None; 5]);
    let (first, last) = ((BEGIN, 1, u32::MAX), (END, u16::MAX, 0));
    assert_eq!(tunnels(&[first, last])[0], Some(8));
}

#[test]
fn a_vlan_range_without_sense_costs_neither_time_nor_memory() {
    assert_eq!(vlans(&[(BEGIN, 200), (END, 100)]), []);
    assert_eq!(vlans(&[(BEGIN, 4000), (END, 0xffff)]).len(), 95);
    assert_eq!(vlans(&vec![(0, 7); 1000]).len(), 1);
}

#[test]
fn a_vrf_says_its_table() {
    // This kernel has no VRFs; the bytes follow `rtnl_fill_ifinfo` and `vrf_fillinfo`.
    let mut message = vec![0, 0, 1, 0, 9, 0, 0, 0, 0xc1, 4, 1, 0, 0, 0, 0, 0];
    message.extend(*b"\x08\0\x03\0red\0");
    message.extend([24, 0, 18, 0x80]);
    message.extend(*b"\x08\0\x01\0vrf\0");
    message.extend([12, 0, 2, 0x80, 8, 0, 1, 0, 0xe9, 3, 0, 0]);
    let Ok(Some(Event::Link(link))) = decode(16, 0, &message) else { panic!("a link") };
    assert_eq!((link.name.as_str(), link.ifindex), ("red", 9));
    assert_eq!(link.kind, LinkKind::Vrf { table: 1001 });
}
