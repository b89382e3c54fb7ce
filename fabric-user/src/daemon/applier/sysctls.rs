//! Settings of the kernel of which it does not tell: looked at with every beat.

use std::io;

use super::{
    super::{ipvs, legacy::legacy_chains, sysctl},
    Applier,
};
use crate::model::{Dirty, Network, Policy, Role};

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
        let ports = self.compiled.structure().ports.iter();
        for (ifindex, port) in ports.filter(|(_, port)| port.role != Role::Access) {
            changed |= read_ipv6(policy, *ifindex, &port.name);
        }
        let before = policy.multipath;
        changed |= take(&mut policy.multipath, sysctl::multipath());
        if before != policy.multipath {
            let multipath = policy.multipath;
            tracing::info!(?multipath, "the kernel chooses among next hops by other fields now");
        }
        let answering = self.compiled.structure().answering.keys();
        changed |= read_arp_pvlan(policy, &self.network, answering.copied());
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

/// Reads what holds for IPv6 packets on an interface; true if it is new.
pub(super) fn read_ipv6(policy: &mut Policy, ifindex: u32, name: &str) -> bool {
    match (sysctl::mtu6(name), sysctl::hop_limit6(name)) {
        (Ok(mtu), Ok(hop_limit)) => policy.set_ipv6(ifindex, mtu, hop_limit),
        _ => false,
    }
}

/// Reads on which of the interfaces that ARP is answered by the kernel may answer itself; true if it is new.
fn read_arp_pvlan(
    policy: &mut Policy,
    network: &Network,
    devices: impl Iterator<Item = u32>,
) -> bool {
    let devices = devices.filter_map(|ifindex| network.link(ifindex));
    let on = devices.map(|link| sysctl::arp_pvlan(&link.name).map(|on| on.then_some(link.ifindex)));
    let on: io::Result<Vec<Option<u32>>> = on.collect();
    take(&mut policy.arp_pvlan, on.map(|on| on.into_iter().flatten().collect()))
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
