//! `maps nexthops`.

use std::net::IpAddr;

use fabric_common::schema::{
    fdb::{KIND_LOCAL, KIND_REMOTE, KIND_SEGMENT, split_target},
    nexthops::Nexthop,
};

use crate::{
    cli::{
        row::{Said, rows},
        uses::Uses,
        view::View,
        ways::alive,
    },
    observe::Mac,
};

rows! {
    /// A next hop.
    pub(super) struct NexthopRow, "no next hop is known" {
        /// The port towards it.
        "PORT" port: String,
        /// Its address.
        "GATEWAY" gateway: IpAddr,
        /// Its MAC address; null if it is not resolved.
        "MAC" mac: Option<Mac>,
        /// Behind a gateway: the port or VTEPs that the bridge has its MAC address at; null for none.
        "BEHIND" behind: Option<String>,
        /// The port's MAC address.
        "SOURCE MAC" source: Option<Mac>,
        /// The longest packet towards it, in bytes.
        "MTU" mtu: u32,
        /// Packets are sent there.
        "ALIVE" alive: Said<bool>,
        /// Who uses it, in words.
        "USED BY" used_by: String,
        /// Its place in the map.
        "INDEX" [detail] index: u32,
        /// Why nothing is sent there: `neighbour`, `port`, `BFD`.
        "" [hidden] why_not: Vec<&'static str>,
        /// Number of groups that it is a member of.
        "" [hidden] groups: usize,
        /// Number of hosts that are routed to it alone.
        "" [hidden] hosts: usize,
    }
}

pub(super) fn rows(view: &View, uses: &Uses) -> impl Iterator<Item = NexthopRow> {
    view.contents.nexthops.iter().map(move |(index, nexthop)| {
        let mac = |at: usize| {
            let bytes = nexthop.macs.get(at..).and_then(|rest| rest.first_chunk().copied());
            // Not resolved: there is no address to show.
            bytes.map(Mac).filter(|mac| !mac.is_zero())
        };
        let users = uses.nexthop(*index);
        NexthopRow {
            port: view.port(nexthop.port.into()),
            gateway: view.contents.gateway(*index),
            mac: mac(0),
            behind: place(view, nexthop),
            source: mac(6),
            mtu: nexthop.mtu.into(),
            alive: alive(view, nexthop),
            used_by: users.text(),
            index: *index,
            why_not: view.death(nexthop),
            groups: users.groups,
            hosts: users.hosts,
        }
    })
}

/// Where the bridge has the MAC address of a next hop, of one behind a gateway.
fn place(view: &View, nexthop: &Nexthop) -> Option<String> {
    match split_target(nexthop.place.into()) {
        (KIND_LOCAL, circuit) => {
            let circuit = view.contents.circuits.get(&circuit)?;
            Some(view.port(circuit.port.into()))
        }
        (KIND_REMOTE, vtep) => view.vtep(vtep).map(|vtep| vtep.to_string()),
        (KIND_SEGMENT, segment) if segment != 0 => {
            let vteps = view.segment(segment).into_iter().map(|vtep| vtep.to_string());
            Some(vteps.collect::<Vec<_>>().join(", "))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::nexthops::FLAG_DOWN;

    use super::*;
    use crate::cli::{
        table::{Look, Table},
        view::tests::leaf,
    };

    #[test]
    fn a_nexthop_is_shown_with_its_users_and_why_it_is_dead() {
        let mut view = leaf();
        let second = view.contents.nexthops.get_mut(&2).unwrap();
        second.flags = FLAG_DOWN;
        second.macs[..6].fill(0);
        let expected = "\
PORT  GATEWAY    MAC                BEHIND  SOURCE MAC  MTU  ALIVE          USED BY
swp1  192.0.2.1  02:00:00:00:00:51  -       -             0  yes            1 group
swp2  fe80::1    -                  -       -             0  no: neighbour  1 group
";
        let rows: Vec<_> = rows(&view, &Uses::without_routes(&view)).collect();
        assert_eq!(rows[1].why_not, ["neighbour"]);
        assert_eq!(Table::of(rows).text(Look::default()), expected);
    }
}
