//! `maps domains`.

use fabric_common::schema::domains::{
    Domain, FLAG_DF, FLAG_DF_INHERIT, FLAG_OVERLAY_ISOLATED, FLAG_OVERLAY_LEARNING,
    FLAG_OVERLAY_LOCKED, FLAG_TOS_INHERIT, FLAG_TTL_INHERIT,
};
use serde_json::json;

use super::yes;
use crate::cli::{
    clock,
    format::duration,
    sheet::{Cell, Column, Sheet},
    view::View,
};

const COLUMNS: &[Column] = &[
    Column::text("bridge", "BRIDGE"),
    Column::number("vni", "VNI"),
    Column::text("vxlan", "VXLAN"),
    Column::text("local", "LOCAL"),
    Column::number("udp_port", "PORT"),
    Column::text("ttl", "TTL"),
    Column::text("tos", "TOS"),
    Column::text("df", "DF"),
    Column::number("max_frame", "MAX FRAME"),
    Column::text("refresh_s", "REFRESH"),
    Column::text("learning", "LEARNING").detail(),
    Column::text("isolated", "ISOLATED").detail(),
    Column::text("locked", "LOCKED").detail(),
    Column::number("index", "INDEX").detail(),
];

pub(super) fn sheet(view: &View) -> Sheet {
    let mut sheet = Sheet::new(COLUMNS, "no bridge is accelerated");
    for (index, domain) in &view.contents.domains {
        let set = |flag| domain.flags & flag != 0;
        let tunnel = |cell: Cell| if domain.vni == 0 { Cell::none() } else { cell };
        let refresh = clock::time(domain.refresh_jiffies.into(), view.contents.settings.hz);
        sheet.row([
            view.bridge_name(domain).into(),
            view.vni(*index),
            tunnel(view.interfaces.name(view.vxlan(*index)).into()),
            view.local(*index).map(|local| local.to_string()).into(),
            tunnel(u16::from_be(domain.udp_port_be).into()),
            tunnel(ttl(domain)),
            tunnel(tos(domain)),
            tunnel(df(domain).into()),
            tunnel(domain.max_frame.into()),
            Cell::new(duration(refresh), json!(refresh.as_secs_f64())),
            yes(set(FLAG_OVERLAY_LEARNING)),
            yes(set(FLAG_OVERLAY_ISOLATED)),
            yes(set(FLAG_OVERLAY_LOCKED)),
            (*index).into(),
        ]);
    }
    sheet
}

fn ttl(domain: &Domain) -> Cell {
    if domain.flags & FLAG_TTL_INHERIT != 0 {
        return "inherit".into();
    }
    u32::from(domain.ttl).into()
}

fn tos(domain: &Domain) -> Cell {
    if domain.flags & FLAG_TOS_INHERIT != 0 {
        return "inherit".into();
    }
    Cell::new(format!("{:#04x}", domain.tos), domain.tos)
}

const fn df(domain: &Domain) -> &'static str {
    if domain.flags & FLAG_DF_INHERIT != 0 {
        "inherit"
    } else if domain.flags & FLAG_DF != 0 {
        "set"
    } else {
        "unset"
    }
}
