//! Nexthop groups of the kernel that a link has a part in.

use std::collections::BTreeSet;

use fabric_user::lab::daemons::Frr;

use super::{Fabric, PATIENCE, until};

impl Fabric {
    /// IDs of the groups of a node that have a next hop on `port` among others.
    #[must_use]
    pub fn groups_over(&self, node: &str, port: &str) -> BTreeSet<String> {
        let objects = self.ip(node, "nexthop show");
        let on_port: BTreeSet<&str> = objects
            .lines()
            .filter(|line| line.contains(&format!(" dev {port} ")))
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        let groups = objects.lines().filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let (id, kind, members) = (words.next()?, words.next()?, words.next()?);
            // Members are written as `12/13`, with weights as `12,2/13`.
            let mut members = members.split('/').filter_map(|member| member.split(',').next());
            (kind == "group" && members.any(|member| on_port.contains(member)))
                .then(|| id.to_owned())
        });
        groups.collect()
    }

    /// Waits until zebra has removed these groups, if it is one that does.
    ///
    /// FRR 8.4 keeps a group that no route uses for a second, and takes one that is used again
    /// meanwhile for installed, although the kernel has taken the next hop of a link without carrier
    /// out of it. A link must not be mended sooner, or it carries nothing for ever. FRR 10 goes on
    /// with the same group and puts the next hop back into it.
    pub fn wait_forgotten(&self, node: &str, groups: &BTreeSet<String>) {
        assert!(!groups.is_empty(), "{node} has no group over the link");
        let frr = Frr::find().expect("FRR is installed");
        if frr.major_version().expect("zebra tells its version") >= 10 {
            return;
        }
        until(PATIENCE, "zebra removes the groups of the link", || {
            let objects = self.ip(node, "nexthop show");
            let id = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
            !objects.lines().filter_map(id).any(|id| groups.contains(&id))
        });
    }
}
