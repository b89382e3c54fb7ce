//! `maps nexthops`.

use crate::{
    cli::{
        sheet::{Cell, Column, Sheet},
        uses::Uses,
        view::{View, gateway},
        ways::{alive, why_not},
    },
    observe::Mac,
};

const COLUMNS: &[Column] = &[
    Column::text("port", "PORT"),
    Column::text("gateway", "GATEWAY"),
    Column::text("mac", "MAC"),
    Column::text("source", "SOURCE MAC"),
    Column::number("mtu", "MTU"),
    Column::text("alive", "ALIVE"),
    Column::text("used_by", "USED BY"),
    Column::number("index", "INDEX").detail(),
    Column::json_only("why_not"),
    Column::json_only("groups"),
    Column::json_only("hosts"),
];

pub(super) fn sheet(view: &View, uses: &Uses) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no next hop is known");
    for (index, nexthop) in &view.contents.nexthops {
        let mac = |at: usize| -> Cell {
            let bytes = nexthop.macs.get(at..).and_then(|rest| rest.first_chunk().copied());
            // Not resolved: there is no address to show.
            bytes.filter(|bytes| *bytes != [0; 6]).map(|bytes| Mac(bytes).to_string()).into()
        };
        let users = uses.nexthop(*index);
        sheet.row([
            view.port(nexthop.port.into()).into(),
            gateway(nexthop).to_string().into(),
            mac(0),
            mac(6),
            nexthop.mtu.into(),
            alive(view, nexthop),
            users.text().into(),
            (*index).into(),
            why_not(view, nexthop),
            users.groups.into(),
            users.hosts.into(),
        ]);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::nexthops::FLAG_DOWN;

    use super::*;
    use crate::cli::{sheet::Look, view::tests::leaf};

    #[test]
    fn a_nexthop_is_shown_with_its_users_and_why_it_is_dead() {
        let mut view = leaf();
        let second = view.contents.nexthops.get_mut(&2).unwrap();
        second.flags = FLAG_DOWN;
        second.macs[..6].fill(0);
        let expected = "\
PORT  GATEWAY    MAC                SOURCE MAC  MTU  ALIVE          USED BY
swp1  192.0.2.1  02:00:00:00:00:51  -             0  yes            1 group
swp2  fe80::1    -                  -             0  no: neighbour  1 group
";
        let sheet = sheet(&view, &Uses::without_routes(&view));
        assert_eq!(sheet.text(Look::default()), expected);
        assert_eq!(sheet.json()[1]["why_not"][0], "neighbour");
    }
}
