//! What there is in the namespace of a node, as `ip` and `bridge` tell it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use serde::de::DeserializeOwned;

use super::error::LabError;
use super::running::Lab;
use super::tools::{self, Setting};

/// An interface, of `ip -j address show`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Interface {
    ifname: String,
    pub(super) ifindex: u32,
    flags: Vec<String>,
    /// Name of its bridge or bond.
    pub(super) master: Option<String>,
    /// Its MAC, or whatever address its kind has.
    pub(super) address: String,
    xdp: Option<Xdp>,
    linkinfo: LinkInfo,
    addr_info: Vec<Address>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct LinkInfo {
    /// What its kind has, of whatever kind it is.
    info_data: serde_json::Value,
    /// What it has as port of a bridge or bond.
    info_slave_data: serde_json::Value,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Xdp {
    prog: Program,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Program {
    name: String,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Address {
    local: Option<IpAddr>,
}

/// Whether an interface carries frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortState {
    /// It does.
    Up,
    /// It is switched on, and its other end is not.
    NoCarrier,
    /// It is switched off.
    Off,
    /// There is none of that name.
    Gone,
}

impl PortState {
    /// What is wrong, as the end of a sentence about the interface.
    pub fn complaint(self) -> Option<&'static str> {
        match self {
            Self::Up => None,
            Self::NoCarrier => Some("has no carrier"),
            Self::Off => Some("is switched off"),
            Self::Gone => Some("is gone"),
        }
    }
}

impl Interface {
    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|it| it == flag)
    }

    /// What is wrong with it as the tunnel of this VNI, or of all, with this local address, as ends of sentences
    /// about it.
    pub(super) fn tunnel_complaints(&self, vni: Option<u32>, local: Ipv4Addr) -> Vec<String> {
        let LinkInfo { info_data: tunnel, info_slave_data: port } = &self.linkinfo;
        let mut complaints = Vec::new();
        if let Some(vni) = vni
            && tunnel["id"] != vni
        {
            complaints.push(format!("has VNI {} and not {vni}", tunnel["id"]));
        }
        if tunnel["local"] != local.to_string() {
            complaints.push(format!("has local address {} and not {local}", tunnel["local"]));
        }
        if tunnel["learning"] == true {
            complaints.push("learns MACs from packets, which `nolearning` forbids".to_owned());
        }
        if port["learning"] == true {
            complaints
                .push("learns MACs as port of its bridge, which `learning off` forbids".to_owned());
        }
        complaints
    }

    /// Whether it is a port of a bond that sends and takes frames by it.
    pub(super) fn is_active_member(&self) -> bool {
        self.linkinfo.info_slave_data["state"] == "ACTIVE"
    }

    /// Name of the XDP program on it, which may be empty.
    pub(super) fn program(&self) -> Option<&str> {
        self.xdp.as_ref().map(|xdp| xdp.prog.name.as_str())
    }
}

/// The interfaces of a node by name.
#[derive(Debug, Default)]
pub(super) struct Interfaces(HashMap<String, Interface>);

impl Interfaces {
    fn of(all: Vec<Interface>) -> Self {
        Self(all.into_iter().map(|it| (it.ifname.clone(), it)).collect())
    }

    /// Those that a text says, as `ip -j` prints it.
    #[cfg(test)]
    pub(super) fn read(text: &str) -> Self {
        Self::of(serde_json::from_str(text).expect("as ip prints it"))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Interface> {
        self.0.get(name)
    }

    /// The highest index that one of them has.
    pub(super) fn highest_index(&self) -> u32 {
        self.0.values().map(|it| it.ifindex).max().unwrap_or(0)
    }

    pub(super) fn state(&self, name: &str) -> PortState {
        match self.get(name) {
            None => PortState::Gone,
            Some(it) if !it.has("UP") => PortState::Off,
            Some(it) if !it.has("LOWER_UP") => PortState::NoCarrier,
            Some(_) => PortState::Up,
        }
    }

    /// Whether the interface has this address.
    pub(super) fn has_address(&self, name: &str, address: IpAddr) -> bool {
        let addresses = self.get(name).into_iter().flat_map(|it| &it.addr_info);
        addresses.into_iter().any(|it| it.local == Some(address))
    }
}

impl Lab {
    /// The interfaces of a node; none when its namespace has gone.
    pub(super) fn interfaces(&self, node: &str) -> Result<Interfaces, LabError> {
        if !self.node(node)?.netns().exists() {
            return Ok(Interfaces::default());
        }
        Ok(Interfaces::of(self.json(node, "ip", &["-d", "address", "show"])?))
    }

    /// What `ip -j` or `bridge -j` says in a node.
    pub(super) fn json<T: DeserializeOwned>(
        &self,
        node: &str,
        program: &str,
        arguments: &[&str],
    ) -> Result<Vec<T>, LabError> {
        let node = self.node(node)?;
        let mut command = Command::new(tools::require(program, "iproute2")?);
        command.arg("-j").args(arguments);
        tools::json(&mut command, Setting::within(Some(node.netns()), self.cancel()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_up_only_with_a_carrier() {
        let text = r#"[
            {"ifname": "swp1", "flags": ["UP", "LOWER_UP"], "addr_info": [{"local": "10.0.0.1"}],
             "xdp": {"mode": 1, "prog": {"id": 7, "name": "fabric_routed"}}, "master": "br1"},
            {"ifname": "swp2", "flags": ["NO-CARRIER", "UP"], "addr_info": []},
            {"ifname": "swp3", "flags": [], "addr_info": [{"family": "inet6"}]}
        ]"#;
        let all = Interfaces::read(text);
        let states = ["swp1", "swp2", "swp3", "swp4"].map(|name| all.state(name));
        use PortState::{Gone, NoCarrier, Off, Up};
        assert_eq!(states, [Up, NoCarrier, Off, Gone]);
        assert!(all.has_address("swp1", IpAddr::from([10, 0, 0, 1])));
        assert!(!all.has_address("swp2", IpAddr::from([10, 0, 0, 1])));
        assert_eq!(all.get("swp1").and_then(Interface::program), Some("fabric_routed"));
    }
}
