//! Ports and gateways.

use std::collections::BTreeMap;

use fabric_common::schema::ports::{
    DECAPSULATES_ALL, DECAPSULATES_NONE, ROLE_GATEWAY, view as view_of,
};

use super::{Port, bridging, mac, routing::Views};
use crate::cli::{families, role, view::View};

pub(super) fn ports(view: &View, views: &Views) -> BTreeMap<String, Port> {
    let port = |(slot, port): (&u32, &fabric_common::schema::ports::Port)| {
        let circuit = view.contents.circuits.get(&port.untagged_circuit.into());
        let untagged = match port.role {
            ROLE_GATEWAY => Some(port.untagged_domain.into()),
            _ => circuit.map(|circuit| circuit.domain.into()),
        };
        let vlans = view.contents.vlans.range((*slot, 0)..=(*slot, u16::MAX));
        let tagged = vlans.filter_map(|((_, vlan), circuit)| {
            let circuit = view.contents.circuits.get(circuit)?;
            Some((*vlan, bridging::name(view, circuit.domain.into())))
        });
        let held = Port {
            role: role(port.role).into(),
            mtu: port.mtu,
            mac: mac(port.mac_and_view),
            routes: families(port.flags).into_iter().map(Into::into).collect(),
            view: views.name(view_of(port.mac_and_view).into()).map(Into::into),
            untagged: untagged.map(|domain| bridging::name(view, domain)),
            tagged: tagged.collect(),
            decapsulates: match port.decapsulates {
                DECAPSULATES_NONE => None,
                DECAPSULATES_ALL => Some("all".into()),
                _ => Some("some".into()),
            },
        };
        (view.port(*slot), held)
    };
    view.contents.ports.iter().map(port).collect()
}
