//! Offloads that change what programs for XDP see of frames.

use std::{collections::BTreeMap, io};

use serde::{Deserialize, Serialize};

use crate::{
    kernel::ethtool::Ethtool,
    observe::{Event, Link, LinkKind},
};

/// An offload, by its name for `ethtool -K`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Offload {
    /// Tags of what arrives stand beside the frame.
    RxVlan,
    /// Tags of what is sent stand beside the frame: where that is a veth, for its other end.
    TxVlan,
    /// Packets that arrive one after the other are joined.
    Lro,
}

/// With their bits, `ETH_FLAG_…` of `linux/ethtool.h`. GRO in hardware has none; drivers refuse it to ports with programs,
/// as they do LRO, but for a few.
const ALL: [(u32, Offload); 3] =
    [(1 << 8, Offload::RxVlan), (1 << 7, Offload::TxVlan), (1 << 15, Offload::Lro)];

/// Those that are on, by the names of interfaces of the present network namespace.
///
/// # Errors
/// If the kernel cannot be asked.
pub(super) fn of(events: &[Event]) -> io::Result<BTreeMap<String, Vec<Offload>>> {
    let ethtool = Ethtool::open()?;
    let links = events.iter().filter_map(|event| match event {
        Event::Link(link) if is_port(link) => Some(link),
        _ => None,
    });
    let all = links.filter_map(|link| {
        // One that has gone, or knows no flags, has none of them.
        let flags = ethtool.flags(link.ifindex).ok()?;
        let on = ALL.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, offload)| *offload);
        Some((link.name.clone(), on.collect()))
    });
    Ok(all.filter(|(_, on): &(String, Vec<Offload>)| !on.is_empty()).collect())
}

/// Whether frames may arrive there from elsewhere.
fn is_port(link: &Link) -> bool {
    matches!(link.kind, LinkKind::Device | LinkKind::Other(_)) && !link.loopback
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::interface,
        observe::{
            Asker, Scope,
            tests::live::{in_namespace, sh},
        },
    };

    #[test]
    fn a_veth_has_those_that_are_on_and_one_without_any_is_left_out() {
        in_namespace(|| async {
            sh("ip link add p1 type veth peer p2");
            interface::make_wirelike("p2").unwrap();
            let events = Asker::open().unwrap().dump(Scope::All).unwrap().events;
            let both = vec![Offload::RxVlan, Offload::TxVlan];
            assert_eq!(of(&events).unwrap(), BTreeMap::from([("p1".to_owned(), both)]));
        });
    }
}
