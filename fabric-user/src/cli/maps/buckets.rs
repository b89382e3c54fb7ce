//! `maps buckets`: runs of buckets that have the same next hop; of resilient groups each bucket, with its
//! last use from `bucket_use`.

use std::net::IpAddr;

use fabric_common::schema::{buckets::CHUNK, groups::Choice};

use super::{Rows, Source};
use crate::{
    cli::row::{Said, ago, rows},
    kernel::clock,
};

rows! {
    /// Buckets of a group that have the same next hop.
    pub(super) struct BucketRow, "no group has buckets" {
        /// Index of the group.
        "GROUP" group: u32,
        /// The first and the last bucket.
        "BUCKETS" buckets: Said<[u32; 2]>,
        /// How many they are.
        "COUNT" count: u32,
        /// The port towards the next hop.
        "PORT" port: Option<String>,
        /// The next hop's address.
        "GATEWAY" gateway: Option<IpAddr>,
        /// Of a resilient group: seconds since the last packet; null for never.
        "LAST USED" [moving] used_s: Option<Said<Option<f64>>>,
        /// Index of the next hop.
        "NEXTHOP" [detail] nexthop: u32,
        /// The chunk of the first of these buckets.
        "CHUNK" [detail] chunk: u32,
    }
}

pub(super) fn rows(source: &Source<'_>, rows: &mut Rows<'_>) -> anyhow::Result<()> {
    let Source { view, maps, .. } = source;
    for (group, entry) in &view.contents.groups {
        let Choice::Spread { chunk, count, timed } = entry.choice else { continue };
        let mut first = 0;
        while first < count {
            let nexthop = maps.bucket(chunk, first);
            let same = |at: &u32| maps.bucket(chunk, *at) == nexthop;
            let length = if timed { 1 } else { (first..count).take_while(same).count() as u32 };
            let last = first + length - 1;
            let text = if length == 1 { first.to_string() } else { format!("{first}-{last}") };
            let hop = view.contents.nexthops.get(&nexthop);
            let chunk = chunk + first / CHUNK;
            let used = timed.then(|| {
                let shown = maps.bucket_use.get(chunk).jiffies[(first % CHUNK) as usize];
                ago(clock::since(shown, view.now, view.contents.settings.hz))
            });
            rows.add(&BucketRow {
                group: *group,
                buckets: Said::new(text, [first, last]),
                count: length,
                port: hop.map(|hop| view.port(hop.port.into())),
                gateway: hop.map(|_| view.contents.gateway(nexthop)),
                used_s: used,
                nexthop,
                chunk,
            })?;
            first += length;
        }
    }
    Ok(())
}
