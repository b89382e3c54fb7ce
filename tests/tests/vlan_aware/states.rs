//! VLANs that do not forward on a port, through fabric-xdpd.

use fabric_common::reason::Reason;
use fabric_tests::{
    addresses::{HOST_A, HOST_B, HOST_R},
    judged::{Fate, Judged, all_at, frame},
};

const VLAN: u16 = 100;
const OTHER: u16 = 200;

fn tagged(source: [u8; 6], destination: [u8; 6], vlan: u16) -> fabric_tests::packet::Frame {
    frame(source, destination).tag(vlan)
}

#[test]
fn a_vlan_that_does_not_forward_on_a_port_is_closed_there_and_only_there() {
    let mut site = Judged::with_vlans(&[VLAN, OTHER]);
    let ways = |site: &mut Judged| {
        [
            site.as_by_the_kernel("acc0", &tagged(HOST_A.mac, HOST_B.mac, VLAN)),
            site.as_by_the_kernel("acc1", &tagged(HOST_B.mac, HOST_A.mac, VLAN)),
            site.as_by_the_kernel("acc1", &tagged(HOST_B.mac, HOST_R.mac, VLAN)),
            site.as_by_the_kernel_from_leaf2(&frame(HOST_R.mac, HOST_B.mac)),
            site.as_by_the_kernel("acc0", &tagged(HOST_A.mac, HOST_R.mac, VLAN)),
            site.as_by_the_kernel("acc0", &tagged(HOST_A.mac, HOST_B.mac, OTHER)),
        ]
    };
    let open = ["acc1", "acc0", "up0", "acc1", "up0", "acc1"].map(all_at);
    assert_eq!(ways(&mut site), open);
    let forwarded = |site: &Judged| {
        [Reason::Bridged, Reason::Encapsulated, Reason::Decapsulated].map(|reason| site.met(reason))
    };
    assert!(forwarded(&site).iter().all(|count| *count > 0), "{:?}", forwarded(&site));
    for state in ["blocking", "learning", "listening", "disabled"] {
        site.bridge(&format!("vlan set dev acc1 vid {VLAN} state {state}\n"));
        let [.., to_remote, other] = &open;
        let closed = || Fate::new();
        let expected = [closed(), closed(), closed(), closed(), to_remote.clone(), other.clone()];
        assert_eq!(ways(&mut site), expected, "{state}");
    }
    site.bridge(&format!("vlan set dev acc1 vid {VLAN} state forwarding\n"));
    let before = forwarded(&site);
    assert_eq!(ways(&mut site), open);
    let after = forwarded(&site);
    assert!(before.iter().zip(after).all(|(before, after)| after > *before), "by XDP again");
}

#[test]
fn a_tunnels_vlan_that_does_not_forward_closes_the_tunnel() {
    let mut site = Judged::with_vlans(&[VLAN]);
    site.bridge(&format!("vlan set dev vx100 vid {VLAN} state blocking\n"));
    site.wait_problem("vx100 does not forward in VLAN 100");
    let to_remote = tagged(HOST_A.mac, HOST_R.mac, VLAN);
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), Fate::new());
    assert_eq!(site.as_by_the_kernel_from_leaf2(&frame(HOST_R.mac, HOST_A.mac)), Fate::new());
    site.bridge(&format!("vlan set dev vx100 vid {VLAN} state forwarding\n"));
    site.wait_no_problem();
    assert_eq!(site.as_by_the_kernel("acc0", &to_remote), all_at("up0"));
}
