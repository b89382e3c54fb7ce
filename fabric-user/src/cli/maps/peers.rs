//! `maps peers`.

use std::net::IpAddr;

use fabric_common::schema::peers;

use crate::cli::{
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
    // The addresses that the key stands for. That of an IPv6 tunnel is a fingerprint.
    let addresses = |key: u64, index: &u32| {
        let fingerprint = || view.contents.vteps.get(index).filter(|vtep| vtep.peer() == key);
        match peers::addresses(key) {
            Some((local, remote)) => Some((remote.into(), local.into())),
            None => fingerprint().map(|vtep| (vtep.remote(), vtep.local())),
        }
    };
    peers.sort_by_key(|(key, index)| addresses(**key, index));
    for (key, index) in peers {
        let addresses: Option<(IpAddr, IpAddr)> = addresses(*key, index);
        sheet.row([
            addresses.map(|(remote, _)| remote.to_string()).into(),
            addresses.map(|(_, local)| local.to_string()).into(),
            view.vtep(*index).map(|vtep| vtep.to_string()).into(),
            (*index).into(),
        ]);
    }
    sheet
}
