//! `maps peers`.

use crate::cli::{
    format::address,
    sheet::{Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::text("peer", "FROM"),
    Column::text("local", "TO"),
    Column::text("vtep", "VTEP"),
    Column::number("index", "INDEX").detail(),
];

pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no remote VTEP is known");
    let mut peers: Vec<_> = view.contents.peers.iter().collect();
    peers.sort_by_key(|((local, remote), _)| (address(*remote), address(*local)));
    for ((local, remote), index) in peers {
        sheet.row([
            address(*remote).to_string().into(),
            address(*local).to_string().into(),
            view.vtep(*index).map(|vtep| vtep.to_string()).into(),
            (*index).into(),
        ]);
    }
    sheet
}
