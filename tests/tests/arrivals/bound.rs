//! vxlan devices that are bound to an interface (`dev`), without or with a group there.

use fabric_common::reason::Reason;
use fabric_tests::{addresses::HOST_R, device::mac_text};

use crate::site::{REPEATS, Site};

/// The better route leads over the other port.
#[test]
fn a_vxlan_device_bound_to_a_port_sends_by_routes_and_takes_what_comes_by_any_port() {
    for group in ["", "group 239.1.1.1"] {
        let site = Site::new();
        site.vxlan(&format!("local 192.0.2.1 dev up1 {group}"), "192.0.2.2");
        site.settled(|site| {
            let before = site.met(Reason::Encapsulated);
            site.judged(Site::leave) == [REPEATS, 0]
                && site.met(Reason::Encapsulated) >= before + REPEATS as u64 - 2
        });
        for port in [0, 1] {
            assert_eq!(site.judged(|site| site.arrive(port)), REPEATS, "{group:?} up{port}");
        }
        assert!(site.met(Reason::Decapsulated) >= REPEATS as u64);
        assert_eq!(site.problems(), "");
        // An entry may have an interface of its own.
        let station = mac_text(HOST_R.mac);
        site.ip("neigh replace 192.0.2.2 lladdr 02:00:00:00:00:77 dev up1 nud permanent");
        site.bridge(&format!("fdb replace {station} dev vx100 dst 192.0.2.2 via up1 self static"));
        site.settled(|site| site.problems().contains("an own VNI, UDP port or interface"));
        assert_eq!(site.judged(Site::leave), [0, REPEATS]);
    }
}
