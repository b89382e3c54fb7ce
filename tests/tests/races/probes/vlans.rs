//! Frames of hosts in VLANs, behind a bond and behind VLAN devices.

use fabric_tests::{
    addresses::BROADCAST,
    packet::{Frame, ether_type},
};

use super::{List, host, remote};

/// Hosts by their number, where they are, and the tag that their frames have there.
const PLACES: [(u8, &str, Option<u16>); 10] = [
    (1, "a1", None),
    (1, "a1", Some(200)),
    (2, "a2", Some(100)),
    (2, "a2", Some(200)),
    (3, "a3", Some(8)),
    (4, "b1", None),
    (4, "b1", Some(100)),
    (4, "b2", Some(100)),
    (5, "a3", Some(7)),
    (6, "b1", Some(9)),
];

/// Local hosts that each of [`PLACES`] reaches at first.
const LOCAL: [&[u8]; 10] =
    [&[2, 3, 4], &[2, 4], &[1, 3], &[1, 4], &[1, 2], &[1, 2], &[1, 3], &[2], &[6], &[5]];

/// The remote hosts that they reach at first.
const REMOTE: [&[u8]; 10] = [&[1, 2], &[3], &[1], &[3], &[1], &[3], &[1], &[2], &[4], &[4]];

pub(super) fn add(list: &mut List) {
    let tagged = |frame: Frame, tag: Option<u16>| match tag {
        Some(vlan) => frame.tag(vlan),
        None => frame,
    };
    let named = |what: &str, tag: Option<u16>| match tag {
        Some(vlan) => format!("{what} with tag {vlan}"),
        None => what.to_owned(),
    };
    // The bridges learn from these.
    for (number, port, tag) in PLACES {
        let hello = tagged(Frame::ipv4(&host(number), &host(99)).to(BROADCAST), tag);
        list.add(&named("a broadcast", tag), port, false, hello);
    }
    for ((number, port, tag), (local, remotes)) in PLACES.into_iter().zip(LOCAL.iter().zip(REMOTE))
    {
        for to in *local {
            let frame = tagged(Frame::ipv4(&host(number), &host(*to)), tag);
            list.add(&named(&format!("to host {to}"), tag), port, false, frame);
        }
        for to in remotes {
            let frame = tagged(Frame::ipv4(&host(number), &remote(*to)), tag);
            list.add(&named(&format!("to remote host {to}"), tag), port, true, frame);
        }
    }
    // The tag of the port's own VLAN, a priority, no tag where one is needed, what belongs to nothing.
    let to = |number| Frame::ipv4(&host(1), &host(number));
    for (name, port, frame) in [
        ("with the tag of its PVID", "a1", to(2).tag(100)),
        ("with a priority", "a1", to(2).tag(0xe000)),
        ("with a priority and its VLAN", "a2", to(1).from(host(2).mac).tag(0x6064)),
        ("without its tag", "a2", to(1).from(host(2).mac)),
        ("without its tag", "a3", to(2).from(host(3).mac)),
        ("of no VLAN", "a1", to(2).tag(300)),
        ("of no VLAN", "b2", to(2).from(host(4).mac).tag(301)),
        ("with two tags", "a2", to(1).from(host(2).mac).tag(5).tag(100)),
        ("of a service VLAN", "a2", to(1).from(host(2).mac).tag_of(ether_type::SERVICE_VLAN, 100)),
        ("to nobody known", "a2", Frame::ipv4(&host(2), &host(77)).tag(100)),
    ] {
        list.add(name, port, false, frame);
    }
    let long = Frame::ipv4(&host(2), &remote(2)).length(1_514).tag(100);
    list.add("as long as may be, with a tag", "a2", true, long);
    // The other VNIs; `from_tunnels` has the first.
    for (vni, from, to) in [(200, 3, 1), (200, 3, 2), (200, 3, 4), (400, 4, 5), (400, 4, 6)] {
        let inner = Frame::ipv4(&remote(from), &host(to));
        list.tunnelled(&format!("of VNI {vni} to host {to}"), "u1", inner, |outer| {
            fabric_tests::packet::Vxlan { vni, ..outer }
        });
    }
    for to in [3, 4] {
        let inner = Frame::ipv4(&remote(1), &host(to));
        list.tunnelled(&format!("of VNI 100 to host {to}"), "u2", inner, |outer| outer);
    }
    let inner = Frame::ipv4(&remote(1), &host(2)).tag(100);
    list.tunnelled("with a tag inside", "u1", inner, |outer| outer);
}
