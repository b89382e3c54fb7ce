//! Which routing tables packets are looked up in.

use super::{compile::Compiler, compile_tunnels::vrf_table, rules::Packets};
use crate::observe::{Link, Rule, RuleAction};

impl<'a> Compiler<'a> {
    /// The tables of a port's packets in their order, or the first rule that may apply to some of them
    /// and not to others.
    pub(super) fn tables(&self, v6: bool, port: &Link) -> Result<Vec<u32>, &Rule> {
        self.tables_of(v6, &Packets::arriving(&port.name, self.vrf_of_port(port)))
    }

    /// As [`Self::tables`], of other packets.
    pub(super) fn tables_of(&self, v6: bool, packets: &Packets<'_>) -> Result<Vec<u32>, &Rule> {
        let mut tables = Vec::new();
        for rule in self.network.routing().rules(v6) {
            match packets.meet(rule) {
                // Which routes a rule passes over is not expressed.
                Some(true) if rule.suppress.is_some() => return Err(rule),
                Some(true) => {}
                Some(false) => continue,
                None => return Err(rule),
            }
            let table = match (rule.action, packets.vrf) {
                (RuleAction::Lookup(_), Some((_, table))) if rule.l3mdev => table,
                (RuleAction::Lookup(table), _) => table,
                (RuleAction::Nop, _) => continue,
                // What no table has matched is a miss, and the kernel knows what to do with it.
                (RuleAction::Blackhole | RuleAction::Unreachable | RuleAction::Prohibit, _) => {
                    break;
                }
                (RuleAction::Goto(_) | RuleAction::Other(_), _) => return Err(rule),
            };
            if !tables.contains(&table) {
                tables.push(table);
            }
        }
        Ok(tables)
    }

    /// Name and table of the VRF that an interface is in.
    pub(super) fn vrf_of_port(&self, port: &Link) -> Option<(&'a str, u32)> {
        let master = self.network.link(port.master?)?;
        Some((&master.name, vrf_table(master)?))
    }
}
