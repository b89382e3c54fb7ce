//! What NetBox has twice: a prefix in one table, or a VNI.

use std::collections::BTreeMap;

use super::{
    context::Context,
    finding::{Finding, Kind},
    words,
};
use crate::audit::model::{Prefix, Vrf};

pub(super) fn find(context: &Context<'_>, found: &mut Vec<Finding>) {
    prefixes(context, found);
    vnis(context, found);
}

fn prefixes(context: &Context<'_>, found: &mut Vec<Finding>) {
    let all = context.netbox.prefixes.iter().enumerate();
    for (place, prefix) in all {
        let same = context.index.exact(&prefix.vrf, prefix.network);
        // Once, where the first of them stands.
        if same[0] != place {
            continue;
        }
        // Several VRFs may have one name, and each its own plan.
        let mut tables: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for place in same {
            let Prefix { table, status, .. } = &context.netbox.prefixes[*place];
            tables.entry(table).or_default().push(status);
        }
        let Some(statuses) = tables.into_values().find(|statuses| statuses.len() > 1) else {
            continue;
        };
        let count = statuses.len();
        found.push(Finding {
            id: Kind::Duplicate.id(format_args!("{}/{}", prefix.vrf.key(), prefix.network)),
            kind: Kind::Duplicate,
            what: format!("prefix {} in {}", prefix.network, prefix.vrf),
            netbox: format!("stands {count} times, as {}", words::set(statuses)),
            fabric: "a table has a prefix once".into(),
            likely: match prefix.vrf == Vrf::DEFAULT {
                true => {
                    "it was entered twice, and NetBox does not enforce unique space in its global table"
                        .into()
                }
                false => "it was entered twice, and the VRF does not enforce unique space".into(),
            },
            next: "delete all but one of them in NetBox".into(),
        });
    }
}

fn vnis(context: &Context<'_>, found: &mut Vec<Finding>) {
    let mut by_vni: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for l2vpn in context.netbox.l2vpns.iter().filter(|l2vpn| l2vpn.is_vxlan) {
        if let Some(vni) = l2vpn.identifier {
            by_vni.entry(vni).or_default().push(&l2vpn.name);
        }
    }
    for (vni, names) in by_vni.into_iter().filter(|(_, names)| names.len() > 1) {
        found.push(Finding {
            id: Kind::Duplicate.id(format_args!("vni/{vni}")),
            kind: Kind::Duplicate,
            what: format!("VNI {vni}"),
            netbox: format!("is the identifier of the L2VPNs {}", words::list(names)),
            fabric: "a VNI is one network".into(),
            likely: "an L2VPN was copied, or one network was entered twice".into(),
            next: "correct the identifier of all but one of them in NetBox".into(),
        });
    }
}
