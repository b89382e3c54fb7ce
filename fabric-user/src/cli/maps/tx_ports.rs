//! `maps tx_ports`, the redirect targets.

use anyhow::Context as _;
use aya::maps::{DevMap, Map, MapData, MapError};

use super::Source;
use crate::cli::{
    instance::Chosen,
    sheet::{Column, Sheet},
};

const COLUMNS: &[Column] = &[
    Column::text("port", "PORT"),
    Column::text("used", "USED"),
    Column::number("slot", "SLOT"),
    Column::number("ifindex", "IFINDEX").detail(),
];

pub(super) fn sheet(source: &Source<'_>) -> anyhow::Result<Sheet> {
    let mut sheet = Sheet::new(COLUMNS, "there is no port to send on");
    for (slot, ifindex) in targets(source.chosen)? {
        let port = source.view.contents.ports.get(&slot);
        let used = if port.is_some_and(|port| port.ifindex == ifindex) {
            super::yes(true)
        } else {
            // The entry stays until the slot is used again; nothing refers to it.
            crate::cli::sheet::Cell::new("no, left over", false)
        };
        sheet.row([source.view.interfaces.name(ifindex).into(), used, slot.into(), ifindex.into()]);
    }
    Ok(sheet)
}

/// Interface index by slot.
pub(in crate::cli) fn targets(chosen: &Chosen) -> anyhow::Result<Vec<(u32, u32)>> {
    let context = "cannot read the map tx_ports";
    let data = MapData::from_pin(chosen.instance.map("tx_ports")).context(context)?;
    let map = DevMap::try_from(Map::DevMap(data)).context(context)?;
    let mut targets = Vec::new();
    for slot in 0..map.len() {
        match map.get(slot, 0) {
            Ok(target) => targets.push((slot, target.if_index)),
            Err(MapError::KeyNotFound) => {}
            Err(error) => return Err(error).context(context),
        }
    }
    Ok(targets)
}
