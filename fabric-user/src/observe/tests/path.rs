//! What the kernel says when it is asked about one way, and bytes that no kernel should send.

use super::{
    captured::ip,
    live::{in_namespace, sh},
    random::Random,
};
use crate::observe::{Asker, Event, Learned, Path, decode};

#[test]
fn the_kernel_tells_the_mtu_of_one_way_and_nothing_where_there_is_nothing_to_tell() {
    in_namespace(|| async {
        sh("ip link set lo up; ip link add p1 type veth peer p2; ip link set p1 up; \
            ip link set p2 up; \
            ip addr add 192.0.2.1/24 dev p1; ip addr add 2001:db8::1/64 dev p1 nodad; \
            ip route add 10.0.0.2/32 via 192.0.2.2 mtu 1400; \
            ip route add 10.0.0.3/32 via 192.0.2.2; \
            ip route add 2001:db8:ff::2/128 via 2001:db8::2 mtu 1400; \
            ip route add 2001:db8:ff::3/128 via 2001:db8::2");
        let mut asker = Asker::open().unwrap();
        for (local, router, narrow, wide, nowhere) in [
            ("192.0.2.1", "192.0.2.2", "10.0.0.2", "10.0.0.3", "10.0.0.4"),
            ("2001:db8::1", "2001:db8::2", "2001:db8:ff::2", "2001:db8:ff::3", "2001:db8:ff::4"),
        ] {
            let mut path = |remote| asker.path(ip(local), ip(remote), None).unwrap();
            let found = path(narrow).expect("a route with an MTU");
            assert_eq!((found.mtu, found.gateway), (Some(1400), Some(ip(router))));
            assert!(!found.learned && found.ifindex != 0);
            assert_eq!([path(wide), path(nowhere)], [None, None]);
        }
    });
}

#[test]
fn damaged_answers_never_panic() {
    let mut random = Random(0x9a7);
    for _ in 0..100_000 {
        let bytes: Vec<u8> = (0..random.below(80)).map(|_| random.next() as u8).collect();
        let _ = Path::decode(&bytes);
    }
    assert_eq!(Path::decode(&[2; 11]), None, "half a header");
}

#[test]
fn an_exception_among_the_routes_says_what_was_learned_about_an_address() {
    // Of a Linux 6.18 kernel: 20.0.0.9 via 10.1.0.2 with an MTU of 1300 for ten minutes.
    let hex = "02200000fe0000010002000008000f00fe00000008000100140000090800040002000000080005000a0100020c0008\
               00080002001405000024000c0001000000ab000000b4e9000000000000000000000000000000000000000000\
               00";
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16));
    let mut message: Vec<u8> = bytes.collect::<Result<_, _>>().unwrap();
    let learned = |locked, redirected| {
        let destination = ip("20.0.0.9");
        Ok(Some(Event::Learned(Learned { destination, mtu: true, locked, redirected })))
    };
    assert_eq!(decode(24, 2, &message), learned(false, false));
    // With `RTAX_LOCK` instead of the interface, and redirected.
    message[10] |= 4;
    assert_eq!(decode(24, 2, &message), learned(false, true));
    message[10] &= !4;
    let metrics = message.windows(4).position(|bytes| bytes == [0x0c, 0, 8, 0]).unwrap();
    message[metrics] = 0x14;
    let lock = [8, 0, 1, 0, 4, 0, 0, 0];
    message.splice(metrics + 4..metrics + 4, lock);
    assert_eq!(decode(24, 2, &message), learned(true, false));
}
