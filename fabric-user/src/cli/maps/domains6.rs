//! `maps domains6`: what domains over an IPv6 underlay have beside their entry in `domains`.

use fabric_common::{
    halves,
    schema::domains::{
        FLAG_IPV6, FLAG_LABEL_INHERIT, FLAG_ZERO_CHECKSUM_RX, FLAG_ZERO_CHECKSUM_TX,
    },
};

use crate::cli::{
    sheet::{Cell, Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::text("bridge", "BRIDGE"),
    Column::number("vni", "VNI"),
    Column::text("local", "LOCAL"),
    Column::text("label", "FLOW LABEL"),
    Column::text("checksum_sent", "CHECKSUM SENT"),
    Column::text("checksum_required", "CHECKSUM REQUIRED"),
    Column::number("index", "INDEX").detail(),
];

pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no bridge has a tunnel over IPv6");
    for (index, beside) in &view.contents.domains6 {
        let flags = view.contents.domains.get(index).map_or(0, |domain| domain.flags);
        if flags & FLAG_IPV6 == 0 {
            continue;
        }
        let label = match u32::from_be(beside.label_be) {
            _ if flags & FLAG_LABEL_INHERIT != 0 => "inherit".into(),
            0 => "by flow".into(),
            label => Cell::new(format!("{label:#07x}"), label),
        };
        sheet.row([
            view.bridge(*index),
            view.vni(*index),
            halves::address(beside.local).to_string().into(),
            label,
            super::yes(flags & FLAG_ZERO_CHECKSUM_TX == 0),
            super::yes(flags & FLAG_ZERO_CHECKSUM_RX == 0),
            (*index).into(),
        ]);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use fabric_common::schema::{
        domains::{FLAG_IN_USE, FLAG_IPV6},
        domains6::Domain6,
        vteps::Vtep,
    };

    use super::*;
    use crate::cli::{sheet::Look, view::tests::leaf};

    #[test]
    fn a_domain_over_ipv6_is_shown_with_its_label_and_checksums() {
        let mut view = leaf();
        let local = halves::of(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
        let remote = halves::of(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2));
        let domain = view.contents.domains.get_mut(&1).expect("the leaf has it");
        domain.local_be = 0;
        domain.flags = FLAG_IN_USE | FLAG_IPV6 | FLAG_ZERO_CHECKSUM_TX;
        let beside = Domain6 { local, label_be: 0xabcd_u32.to_be(), ..Domain6::default() };
        view.contents.domains6 = [(1, beside)].into();
        let vtep = Vtep::new6(local, remote, 1);
        view.contents.vteps = [(1, vtep)].into();
        view.contents.peers = [(vtep.peer(), 1)].into();

        let expected = "\
BRIDGE    VNI  LOCAL        FLOW LABEL  CHECKSUM SENT  CHECKSUM REQUIRED
br200   10200  2001:db8::1  0x0abcd     -              yes
";
        assert_eq!(sheet(&view).text(Look::default()), expected);
        let expected = "\
VTEP         LOCAL        MACS  REACHABLE VIA
2001:db8::2  2001:db8::1     1  swp1, swp2
";
        assert_eq!(super::super::vteps::sheet(&view).text(Look::default()), expected);
        let expected = "\
FROM         TO           VTEP
2001:db8::2  2001:db8::1  2001:db8::2
";
        assert_eq!(super::super::peers::sheet(&view).text(Look::default()), expected);
    }
}
