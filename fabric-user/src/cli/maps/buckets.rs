//! `maps buckets`: runs of buckets that have the same nexthop. `maps bucket_use`: the last use of
//! each bucket of the resilient groups.

use fabric_common::schema::{buckets::CHUNK, groups::Choice};
use serde_json::json;

use super::{Each, Source};
use crate::cli::{
    clock,
    format::duration,
    sheet::{Cell, Column},
    view::gateway,
};

pub(super) const COLUMNS: &[Column] = &[
    Column::number("group", "GROUP"),
    Column::text("buckets", "BUCKETS"),
    Column::number("count", "COUNT"),
    Column::text("port", "PORT"),
    Column::text("gateway", "GATEWAY"),
    Column::number("nexthop", "NEXTHOP").detail(),
    Column::number("chunk", "CHUNK").detail(),
];

pub(super) const USE_COLUMNS: &[Column] = &[
    Column::number("group", "GROUP"),
    Column::number("bucket", "BUCKET"),
    Column::text("port", "PORT"),
    Column::text("gateway", "GATEWAY"),
    Column::text("used_s", "LAST USED").moving(),
    Column::number("nexthop", "NEXTHOP").detail(),
    Column::number("chunk", "CHUNK").detail(),
];

pub(super) fn rows(source: &Source<'_>, each: Each<'_>) -> anyhow::Result<()> {
    for (group, entry) in &source.view.contents.groups {
        let Choice::Spread { chunk, count, .. } = entry.choice else { continue };
        let mut first = 0;
        while first < count {
            let nexthop = source.maps.bucket(chunk, first);
            let same = |at: &u32| source.maps.bucket(chunk, *at) == nexthop;
            let length = (first..count).take_while(same).count() as u32;
            let [port, gateway] = place(source, nexthop);
            let range = match length {
                1 => first.to_string(),
                _ => format!("{first}-{}", first + length - 1),
            };
            each(vec![
                (*group).into(),
                Cell::new(range, json!([first, first + length - 1])),
                length.into(),
                port,
                gateway,
                nexthop.into(),
                (chunk + first / CHUNK).into(),
            ])?;
            first += length;
        }
    }
    Ok(())
}

pub(super) fn uses(source: &Source<'_>, each: Each<'_>) -> anyhow::Result<()> {
    for (group, entry) in &source.view.contents.groups {
        let Choice::Spread { chunk, count, timed: true } = entry.choice else { continue };
        for bucket in 0..count {
            let nexthop = source.maps.bucket(chunk, bucket);
            let place = place(source, nexthop);
            let chunk = chunk + bucket / CHUNK;
            let used = source.maps.bucket_use.get(chunk).jiffies[(bucket % CHUNK) as usize];
            let age = clock::since(used, source.view.now, source.view.contents.settings.hz);
            let [port, gateway] = place;
            each(vec![
                (*group).into(),
                bucket.into(),
                port,
                gateway,
                match age {
                    None => Cell::new("never", json!(null)),
                    Some(age) => {
                        Cell::new(format!("{} ago", duration(age)), json!(age.as_secs_f64()))
                    }
                },
                nexthop.into(),
                chunk.into(),
            ])?;
        }
    }
    Ok(())
}

/// Port and gateway of a nexthop.
fn place(source: &Source<'_>, nexthop: u32) -> [Cell; 2] {
    let hop = source.view.contents.nexthops.get(&nexthop);
    [
        hop.map(|hop| source.view.port(hop.port.into())).into(),
        hop.map(|hop| gateway(hop).to_string()).into(),
    ]
}
