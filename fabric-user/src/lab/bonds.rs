//! Bonds of hosts with several cables to one switch: whether the kernel makes them, and whether all their
//! ports have a part.

use std::sync::atomic::AtomicBool;

use super::error::LabError;
use super::facts::{Interfaces, PortState};
use super::needs;
use super::running::Lab;
use super::topology::{End, Topology};

/// Why the kernel makes no bonds, in its own words; none if it does.
pub(super) fn refusal(stop: &AtomicBool) -> Result<Option<String>, LabError> {
    needs::refusal(&["link add bond0 type bond"], stop)
}

/// What is wrong with a bond, one sentence each: that it is off or gone, or which ports with a carrier have no
/// part in it. LACP takes seconds to give them one.
fn complaints<'a>(
    interfaces: &Interfaces,
    bond: &End,
    members: impl Iterator<Item = &'a End>,
) -> Vec<String> {
    let End { node, port: name, .. } = bond;
    match interfaces.state(name) {
        // Without one it is while its ports have none.
        PortState::Up | PortState::NoCarrier => {}
        PortState::Off => {
            return vec![format!(
                "{node} {name} is switched off; `fabricctl lab mend {node} {name}` mends it"
            )];
        }
        PortState::Gone => return vec![format!("{node} {name} is gone")],
    }
    let idle = members.filter_map(|End { port, .. }| {
        let it = interfaces.get(port).filter(|_| interfaces.state(port) == PortState::Up)?;
        match it.master.as_ref() {
            Some(master) if master == name => {
                (!it.is_active_member()).then(|| format!("{node} {port} is not active in {name}"))
            }
            _ => Some(format!("{node} {port} is no port of {name}")),
        }
    });
    idle.collect()
}

impl Lab {
    /// What bonds and their ports lack yet, or lack again.
    pub(super) fn missing_in_bonds(
        &self,
        topology: &Topology,
        missing: &mut Vec<String>,
    ) -> Result<(), LabError> {
        for host in topology.bonded() {
            for (side, bond) in [&host.end, &host.switch].into_iter().enumerate() {
                let interfaces = self.interfaces(&bond.node)?;
                let members = host.members.iter().map(|ends| &ends[side]);
                missing.extend(complaints(&interfaces, bond, members));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac::Mac;

    #[test]
    fn a_port_with_a_carrier_is_active_in_its_bond_or_named() {
        let text = r#"[
            {"ifname": "bond1", "flags": ["NO-CARRIER", "UP"]},
            {"ifname": "bond2", "flags": []},
            {"ifname": "swp1", "flags": ["UP", "LOWER_UP"], "master": "bond1",
             "linkinfo": {"info_slave_kind": "bond", "info_slave_data": {"state": "ACTIVE"}}},
            {"ifname": "swp2", "flags": ["UP", "LOWER_UP"], "master": "bond1",
             "linkinfo": {"info_slave_kind": "bond", "info_slave_data": {"state": "BACKUP"}}},
            {"ifname": "swp3", "flags": ["UP", "LOWER_UP"]},
            {"ifname": "swp4", "flags": ["NO-CARRIER", "UP"], "master": "bond1"}
        ]"#;
        let interfaces = Interfaces::read(text);
        let end = |port: &str| End {
            node: "leaf1".to_owned(),
            port: port.to_owned(),
            mac: Mac::derived_from(port),
        };
        let members = ["swp1", "swp2", "swp3", "swp4"].map(end);
        let said = |bond: &str| complaints(&interfaces, &end(bond), members.iter());
        let idle = ["leaf1 swp2 is not active in bond1", "leaf1 swp3 is no port of bond1"];
        assert_eq!(said("bond1"), idle);
        let off = "leaf1 bond2 is switched off; `fabricctl lab mend leaf1 bond2` mends it";
        assert_eq!(said("bond2"), [off]);
        assert_eq!(said("bond3"), ["leaf1 bond3 is gone"]);
    }
}
