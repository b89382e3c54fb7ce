//! Which routing tables the packets of a port are looked up in.

use super::compile::Compiler;
use crate::observe::{Link, LinkKind, Rule, RuleAction};

impl Compiler<'_> {
    /// The tables in their order, or the first rule that may apply to some of the port's packets
    /// and not to others.
    pub(super) fn tables(&self, v6: bool, port: &Link) -> Result<Vec<u32>, &Rule> {
        let master = port.master.and_then(|master| self.network.link(master));
        let vrf = master.and_then(|master| match master.kind {
            LinkKind::Vrf { table } => Some((master.name.as_str(), table)),
            _ => None,
        });
        let mut tables = Vec::new();
        for rule in self.network.routing().rules(v6) {
            match applies(rule, &port.name, vrf) {
                Some(true) => {}
                Some(false) => continue,
                None => return Err(rule),
            }
            let table = match (rule.action, vrf) {
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
}

/// Whether a rule applies to packets that arrive at a port and are for others; none if it depends
/// on the packet, or on the kernel's version.
fn applies(rule: &Rule, port: &str, vrf: Option<(&str, u32)>) -> Option<bool> {
    if rule.action == RuleAction::Nop {
        return Some(false);
    }
    if rule.conditions.iter().any(|condition| condition == "not") {
        return None;
    }
    let is_vrf = |name: &str| vrf.is_some_and(|(vrf, _)| vrf == name);
    if let Some(iif) = rule.iif.as_deref()
        && !is_vrf(iif)
    {
        // Some kernels compare a member's packets with the VRF's name only.
        if iif == port && vrf.is_some() {
            return None;
        }
        if iif != port {
            return Some(false);
        }
    }
    if let Some(oif) = rule.oif.as_deref() {
        // Packets of other stations are bound to no interface, but some kernels compare the VRF.
        return if is_vrf(oif) { None } else { Some(false) };
    }
    if rule.l3mdev && vrf.is_none() {
        return Some(false);
    }
    rule.conditions.is_empty().then_some(true)
}
