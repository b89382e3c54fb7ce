//! What the kernel says when it is asked about one way, and bytes that no kernel should send.

use super::{
    captured::ip,
    live::{in_namespace, sh},
    random::Random,
};
use crate::observe::{Asker, Path};

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
            let mut path = |remote| asker.path(ip(local), ip(remote)).unwrap();
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
