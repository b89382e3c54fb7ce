//! ```text
//!                      / m0 --- m0p \
//!   leaf ------- bond0               bond1, where HOST_C is, or SPINE1
//!                      \ m1 --- m1p /
//! ```

use fabric_common::schema::ports::FLAG_MEMBER;
use fabric_tests::{
    addresses::{LEAF2_VTEP, SPINE1_MAC, STRANGER, Station},
    device::{address_text, mac_text},
    fabric::until,
    judged::{Judged, UNDERLAY_MAC},
};

use crate::SOON;

/// The host behind the bond.
pub(crate) const HOST_C: Station = STRANGER;

/// A leaf with a bond that has another one as partner.
pub(crate) struct Site {
    pub(crate) judged: Judged,
}

impl Site {
    /// Bonds with these options at both ends. Nothing leads over them yet.
    fn new(options: &str) -> Self {
        Self::facing(options, options)
    }

    /// Bonds with options of their own.
    pub(crate) fn facing(options: &str, far_options: &str) -> Self {
        let mut site = Self { judged: Judged::new() };
        let outside = site.judged.outside();
        for member in ["m0", "m1"] {
            site.judged.ip(&format!(
                "link add {member} mtu 1600 type veth peer name {member}p mtu 1600 netns {}\n",
                outside.name()
            ));
            site.judged.netns().wirelike(member);
            outside.wirelike(&format!("{member}p"));
        }
        site.judged.ip(&bond("bond0", UNDERLAY_MAC, ["m0", "m1"], options));
        site.far_ip(&bond("bond1", SPINE1_MAC, ["m0p", "m1p"], far_options));
        site.judged.listen_outside("bond1");
        site
    }

    /// Makes the bond an access port with HOST_C behind it.
    pub(crate) fn with_host(options: &str) -> Self {
        let site = Self::new(options);
        site.become_access_port();
        site
    }

    pub(crate) fn become_access_port(&self) {
        self.judged.ip("link set bond0 master br0\n");
        let host = mac_text(HOST_C.mac);
        self.judged.bridge(&format!("fdb add {host} dev bond0 master static\n"));
    }

    /// Makes the bond the way to LEAF2 instead of up0.
    pub(crate) fn with_underlay(options: &str) -> Self {
        let site = Self::new(options);
        site.judged.ip(&format!(
            "link set up0 down\naddr flush dev up0\naddr add 203.0.113.0/31 dev bond0\n\
             neigh add 203.0.113.1 lladdr {} dev bond0 nud permanent\n\
             route replace {}/32 via 203.0.113.1 dev bond0\n",
            mac_text(SPINE1_MAC),
            address_text(LEAF2_VTEP)
        ));
        site
    }

    /// Runs lines of `ip` at the other end.
    pub(crate) fn far_ip(&self, lines: &str) {
        self.judged.outside().ip(lines);
    }

    /// Waits until exactly these members of the bond forward what arrives there.
    pub(crate) fn wait_members(&self, members: &[&str]) {
        until(SOON, &format!("{members:?} forward for the bond"), || {
            let maps = self.judged.maps();
            ["m0", "m1"].iter().all(|name| {
                let index = self.judged.netns().index(name);
                let port = maps.ports.iter().find(|(_, port)| port.ifindex == index);
                let forwards =
                    port.is_some_and(|(_, port)| port.flags & FLAG_MEMBER != 0 && port.down == 0);
                forwards == members.contains(name)
            })
        });
    }
}

fn bond(name: &str, mac: [u8; 6], members: [&str; 2], options: &str) -> String {
    let [first, second] = members;
    format!(
        "link add {name} address {} mtu 1600 type bond miimon 20 {options}\n\
         link set {first} master {name}\nlink set {second} master {name}\n\
         link set {name} addrgenmode none arp off up\n",
        mac_text(mac)
    )
}
