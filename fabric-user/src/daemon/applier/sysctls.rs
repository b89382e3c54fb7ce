//! Settings of the kernel of which it does not tell: looked at with every beat.

use std::{collections::BTreeSet, io};

use super::{
    super::{Purpose, ipvs, legacy::legacy_chains, sysctl},
    Applier,
};
use crate::{
    model::{Dirty, Network, Policy, Role, Structure},
    observe::{Link, LinkKind},
};

impl Applier {
    /// Looks whether settings of the kernel have changed of which it does not tell.
    pub(super) fn look_at_sysctls(&mut self) {
        // Until something was read there is nothing that they could change.
        if self.read_sysctls() && self.state.synced {
            self.apply(&Dirty::policy());
        }
    }

    /// True if one has changed. What cannot be read just now is as it was.
    pub(super) fn read_sysctls(&mut self) -> bool {
        let policy = &mut self.policy;
        let mut changed = false;
        for link in routed(self.compiled.structure(), &self.network) {
            changed |= read_ipv6(policy, link.ifindex, &link.name);
        }
        let before = policy.multipath;
        changed |= take(&mut policy.multipath, sysctl::multipath());
        if before != policy.multipath {
            let multipath = policy.multipath;
            tracing::info!(?multipath, "the kernel chooses among next hops by other fields now");
        }
        changed |= read_arp_pvlan(policy, &self.network);
        if read_without_ipv6(policy, &self.network) {
            changed = true;
            // Of some routes that come and go with it the kernel tells nobody.
            if self.state.synced {
                self.agenda.is_stale(Purpose::Routing);
            }
        }
        changed |= take(&mut policy.bridge_nf, sysctl::bridge_nf());
        changed |= take(&mut policy.virtual_servers, ipvs::virtual_servers());
        let (chains, unread) = legacy_chains(&policy.chains);
        let unread = unread.map(|error| error.to_string());
        if let Some(error) = unread.as_ref().filter(|_| self.unread != unread) {
            tracing::warn!(
                "the chains of iptables-legacy, ebtables-legacy or arptables-legacy cannot be read: {error}"
            );
        }
        self.unread = unread;
        changed |= take(&mut policy.chains, Ok(chains));
        changed |= take(&mut policy.forwards_by_path_mtu, sysctl::forwards_by_path_mtu());
        changed |= take(&mut policy.default_ttl, sysctl::default_ttl());
        changed | take(&mut policy.default_hop_limit, sysctl::default_hop_limit())
    }
}

/// The interfaces that packets leave by after they were routed: ports, vxlan devices of next hops that choose their tunnel,
/// and VRFs that routes lead into.
fn routed<'a>(structure: &Structure, network: &'a Network) -> impl Iterator<Item = &'a Link> {
    let ports = structure.ports.iter().filter(|(_, port)| port.role != Role::Access);
    let devices = ports.map(|(ifindex, port)| {
        let domain = port.domain.as_ref().and_then(|domain| structure.domains.get(domain));
        domain.filter(|domain| domain.only_sends).map_or(*ifindex, |domain| domain.vxlan)
    });
    let all: BTreeSet<u32> = devices.chain(structure.leaks.keys().copied()).collect();
    all.into_iter().filter_map(|ifindex| network.link(ifindex))
}

/// Reads what holds for IPv6 packets on an interface; true if it is new.
pub(super) fn read_ipv6(policy: &mut Policy, ifindex: u32, name: &str) -> bool {
    match (sysctl::mtu6(name), sysctl::hop_limit6(name)) {
        (Ok(mtu), Ok(hop_limit)) => policy.set_ipv6(ifindex, mtu, hop_limit),
        _ => false,
    }
}

/// Reads which interfaces have no IPv6; true if that is new. Of all at which IPv6 packets could arrive, or leave: those
/// that are found here are no ports for them.
fn read_without_ipv6(policy: &mut Policy, network: &Network) -> bool {
    let mut changed = false;
    for link in network.links().filter(|link| may_have_ipv6(link)) {
        changed |= read_has_ipv6(policy, link);
    }
    changed
}

/// Reads whether an interface has IPv6; true if that is new.
pub(super) fn read_has_ipv6(policy: &mut Policy, link: &Link) -> bool {
    may_have_ipv6(link)
        && sysctl::has_ipv6(&link.name).is_ok_and(|has| policy.set_has_ipv6(link.ifindex, has))
}

/// Whether packets for this box arrive at an interface itself, or leave by it when they were routed.
pub(super) const fn may_have_ipv6(link: &Link) -> bool {
    match &link.kind {
        // Next hops that choose their tunnel are on it, whatever bridge it is a port of.
        LinkKind::Vxlan(vxlan) => vxlan.external,
        _ => link.port.is_none() && link.bond.is_none(),
    }
}

/// Reads on which of the interfaces that ARP could be answered by the kernel may answer itself; true if it is new. Of
/// all that could, not of those that do: what is found here takes some out of these.
fn read_arp_pvlan(policy: &mut Policy, network: &Network) -> bool {
    let on = sysctl::arp_pvlan("all").and_then(|on_all| {
        let devices = network.links().filter(|link| may_answer(link));
        let on = devices
            .map(|link| Ok((on_all || sysctl::arp_pvlan(&link.name)?).then_some(link.ifindex)));
        on.filter_map(Result::transpose).collect()
    });
    take(&mut policy.arp_pvlan, on)
}

/// Reads the same of a new or changed interface, which is compiled anyway.
pub(super) fn read_arp_pvlan_of(policy: &mut Policy, link: &Link) {
    let is_on = |name: &str| sysctl::arp_pvlan(name).unwrap_or(false);
    if may_answer(link) && (is_on("all") || is_on(&link.name)) {
        policy.arp_pvlan.insert(link.ifindex);
    }
}

/// Whether neighbours of an interface may be answered for.
const fn may_answer(link: &Link) -> bool {
    matches!(link.kind, LinkKind::Bridge(_) | LinkKind::Vlan(_))
}

/// Takes what was read, if it was; true if it is new.
fn take<T: PartialEq>(known: &mut T, read: io::Result<T>) -> bool {
    match read {
        Ok(read) if read != *known => {
            *known = read;
            true
        }
        _ => false,
    }
}
