//! What a leaf looks like.

use std::process::{Command, Stdio};

use crate::leaf::PORTS;

/// A kind of leaf. What is routed is the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Two plain bridges.
    Plain,
    /// A VLAN-aware bridge and a plain one, with a bond and VLAN devices among their ports.
    Vlans,
}

impl Shape {
    /// The shape of a seed's leaf on this kernel.
    pub(crate) fn of_seed(seed: u64, kernel_has_vlans: bool) -> Self {
        // Where both are possible, the plain ones are the lesser part: other kernels play only these.
        if kernel_has_vlans && !seed.is_multiple_of(4) { Self::Vlans } else { Self::Plain }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain bridges",
            Self::Vlans => "VLANs and a bond",
        }
    }

    /// The ports of such a leaf.
    pub(crate) fn ports(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &PORTS[..6],
            Self::Vlans => &PORTS,
        }
    }

    /// Lines of `ip` and of `bridge` that make what is missing of its bridges.
    pub(crate) const fn restore(self) -> [&'static str; 2] {
        match self {
            Self::Plain => [include_str!("restore/plain.ip"), include_str!("restore/plain.bridge")],
            Self::Vlans => [include_str!("restore/vlans.ip"), include_str!("restore/vlans.bridge")],
        }
    }

    /// Lines of `ip` and of `bridge` that put a device into its place again.
    pub(crate) fn settle(self, device: &str) -> [String; 2] {
        let address = |number: u8| format!("addr add 10.1.{number}.1/24 dev {device}\n");
        let into = |bridge: &str| format!("link set {device} up master {bridge}\n");
        let vlan = |vlan: &str| format!("vlan add vid {vlan} dev {device}\n");
        let own = "100 pvid untagged";
        match (device, self) {
            ("u1", _) => [address(1), String::new()],
            ("u2", _) => [address(2), String::new()],
            ("r1", _) => [address(3), String::new()],
            ("a3" | "vx200", Self::Plain) => [into("br200"), String::new()],
            (_, Self::Plain) => [into("br100"), String::new()],
            ("a1", _) => [into("br100"), vlan(own) + &vlan("200")],
            ("a2", _) => [into("br100"), vlan("100") + &vlan("200")],
            ("vx100" | "a3.8", _) => [into("br100"), vlan(own)],
            ("vx200", _) => [into("br100"), vlan("200 pvid untagged")],
            ("b1" | "b2", _) => [
                format!(
                    "link set {device} down\nlink set {device} master bond0\nlink set {device} up\n"
                ),
                String::new(),
            ],
            ("a3", _) => [
                "link add link a3 name a3.7 type vlan id 7\nlink set a3.7 up master br400\n\
                 link add link a3 name a3.8 type vlan id 8\nlink set a3.8 up master br100\n"
                    .into(),
                "vlan add vid 100 dev a3.8 pvid untagged\n".into(),
            ],
            _ => [into("br400"), String::new()],
        }
    }
}

/// Whether this kernel has VLAN filtering, VLAN devices and bonds.
pub(crate) fn kernel_has_vlans() -> bool {
    let netns = format!("races-{}-asked", std::process::id());
    let ip = |line: String| {
        let mut command = Command::new("ip");
        command.args(line.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    ip(format!("netns add {netns}"));
    let has = [
        "br0 type bridge vlan_filtering 1",
        "bond0 type bond mode balance-rr",
        "link br0 name br0.7 type vlan id 7",
    ];
    let has = has.iter().all(|device| ip(format!("-netns {netns} link add {device}")));
    ip(format!("netns del {netns}"));
    has
}
