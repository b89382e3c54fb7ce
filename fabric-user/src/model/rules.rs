//! Which policy rules apply to a packet, and what they lead to (`fib_rules_lookup`).

use std::net::IpAddr;

use super::{
    routes::{Found, host, last},
    routing::Routing,
};
use crate::observe::{Prefix, RouteKind, Rule, RuleAction};

/// What is known of packets that rules look at. None stands for what differs between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packets<'a> {
    /// Name of the interface at which they arrive; [`OWN`] if the box itself sends them.
    pub(super) iif: &'a str,
    /// Name and table of the VRF that this interface is in; of what is [`OWN`], of that which sends them.
    pub(super) vrf: Option<(&'a str, u32)>,
    pub(super) source: Option<IpAddr>,
    pub(super) destination: Option<IpAddr>,
    /// IP protocol.
    pub(super) protocol: Option<u8>,
    pub(super) source_port: Option<u16>,
    pub(super) destination_port: Option<u16>,
}

/// Where packets of the box itself come from, to the rules (`LOOPBACK_IFINDEX`).
pub(super) const OWN: &str = "lo";

/// `IPPROTO_UDP`
pub(super) const UDP: u8 = 17;

/// What the rules answer.
pub(super) enum Answer<'a> {
    /// The route of a table.
    Route(Found<'a>),
    /// A rule refuses.
    Refused(&'a Rule),
    /// No table has a route.
    Nothing,
}

impl<'a> Packets<'a> {
    /// Packets of which nothing is known but where they arrive.
    pub(super) const fn arriving(iif: &'a str, vrf: Option<(&'a str, u32)>) -> Self {
        Self {
            iif,
            vrf,
            source: None,
            destination: None,
            protocol: None,
            source_port: None,
            destination_port: None,
        }
    }

    /// Packets that were routed to the device of a VRF, which looks them up once more
    /// (`vrf_process_v4_outbound`, `vrf_process_v6_outbound`).
    pub(super) const fn leaking(vrf: (&'a str, u32)) -> Self {
        Self::arriving(OWN, Some(vrf))
    }

    /// Whether a rule applies to them (`fib_rule_match`); none if it depends on the packet, or on the
    /// kernel's version.
    pub(super) fn meet(&self, rule: &Rule) -> Option<bool> {
        if rule.action == RuleAction::Nop {
            return Some(false);
        }
        let is_vrf = |name: &str| self.vrf.is_some_and(|(vrf, _)| vrf == name);
        let iif = match rule.iif.as_deref() {
            None => Some(true),
            // Some kernels compare what a VRF sends with its name, others do not.
            Some(iif) if is_vrf(iif) => (self.iif != OWN).then_some(true),
            // Some kernels compare a member's packets with the VRF's name only.
            Some(iif) if iif == self.iif => (self.vrf.is_none() || iif == OWN).then_some(true),
            Some(_) => Some(false),
        };
        let oif = match rule.oif.as_deref() {
            None => Some(true),
            // Packets here are bound to no interface, but some kernels compare the VRF.
            Some(oif) => {
                if is_vrf(oif) {
                    None
                } else {
                    Some(false)
                }
            }
        };
        let within = |prefix: Option<Prefix>, address: Option<IpAddr>| match (prefix, address) {
            (None, _) => Some(true),
            (Some(_), None) => None,
            (Some(prefix), Some(address)) => {
                Some(address >= prefix.address && address <= last(prefix))
            }
        };
        let among = |range: Option<(u16, u16)>, port: Option<u16>| match (range, port) {
            (None, _) => Some(true),
            (Some(_), None) => None,
            (Some((first, last)), Some(port)) => Some((first..=last).contains(&port)),
        };
        let protocol = match rule.protocol {
            None => Some(true),
            Some(protocol) => self.protocol.map(|each| each == protocol),
        };
        let all = [
            iif,
            oif,
            Some(!rule.l3mdev || self.vrf.is_some()),
            within(rule.from, self.source),
            within(rule.to, self.destination),
            protocol,
            among(rule.source_ports, self.source_port),
            among(rule.destination_ports, self.destination_port),
            rule.conditions.is_empty().then_some(true),
        ];
        let fits = if all.contains(&Some(false)) {
            Some(false)
        } else {
            all.iter().all(Option::is_some).then_some(true)
        };
        fits.map(|fits| fits != rule.not)
    }
}

impl Routing {
    /// What the rules answer to these packets, which have one destination; or the rule that may apply
    /// to some of them and not to others, or of which it cannot be said what it does.
    pub(super) fn resolve(&self, packets: &Packets<'_>, to: IpAddr) -> Result<Answer<'_>, &Rule> {
        let rules = self.rules(to.is_ipv6());
        let mut next = 0;
        while let Some(rule) = rules.get(next) {
            next += 1;
            let surely = match packets.meet(rule) {
                Some(false) => continue,
                Some(true) => true,
                None => false,
            };
            let table = match (rule.action, packets.vrf) {
                (RuleAction::Lookup(_), Some((_, table))) if rule.l3mdev => table,
                (RuleAction::Lookup(table), _) => table,
                (RuleAction::Nop, _) => continue,
                _ if !surely => return Err(rule),
                // Only forward; without such a rule it is none.
                (RuleAction::Goto(priority), _) => {
                    let target = rules[next..].iter().position(|each| each.priority == priority);
                    next += target.unwrap_or(0);
                    continue;
                }
                (RuleAction::Blackhole | RuleAction::Unreachable | RuleAction::Prohibit, _) => {
                    return Ok(Answer::Refused(rule));
                }
                (RuleAction::Other(_), _) => return Err(rule),
            };
            let Some(found) = self.routes.find(&[table], host(to)) else { continue };
            let throws = found.route.is_some_and(|route| route.kind == RouteKind::Throw);
            let suppressed =
                rule.suppress.is_some_and(|length| u32::from(found.prefix.length) <= length);
            if throws || suppressed {
                continue;
            }
            if !surely {
                return Err(rule);
            }
            return Ok(Answer::Route(found));
        }
        Ok(Answer::Nothing)
    }

    /// Whether some of these packets may find a route of such a kind.
    pub(super) fn may_find(
        &self,
        packets: &Packets<'_>,
        to: IpAddr,
        is_such: impl Fn(RouteKind) -> bool,
    ) -> bool {
        let rules = self.rules(to.is_ipv6()).iter();
        let mut met = rules.filter(|rule| packets.meet(rule) != Some(false));
        met.any(|rule| match rule.action {
            RuleAction::Lookup(table) => {
                let of_vrf = packets.vrf.filter(|_| rule.l3mdev).map(|(_, table)| table);
                let table = of_vrf.unwrap_or(table);
                let route = self.routes.find(&[table], host(to)).and_then(|found| found.route);
                route.is_some_and(|route| is_such(route.kind))
            }
            _ => false,
        })
    }

    /// Whether rules of a family look into a table, or into those of VRFs if it is one of these.
    pub(super) fn looks_into(&self, v6: bool, table: u32, is_vrf: impl Fn() -> bool) -> bool {
        let mut rules = self.rules(v6).iter();
        rules.any(|rule| rule.action == RuleAction::Lookup(table) || rule.l3mdev && is_vrf())
    }
}
