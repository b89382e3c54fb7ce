//! All rows of a table, page by page.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, de::DeserializeOwned};

use super::{RestError, client::Client};

/// What has a number in NetBox.
pub(super) trait Row: DeserializeOwned {
    /// The table.
    const TABLE: &'static str;
    /// The fields that are read, for versions that give no others if they are asked so.
    const FIELDS: &'static str;

    /// Its number.
    fn id(&self) -> u64;
}

#[derive(Deserialize)]
struct Page<T> {
    /// Rows of all pages; none where pages go by a cursor.
    #[serde(default)]
    count: Option<usize>,
    #[serde(default)]
    next: Option<String>,
    results: Vec<T>,
}

/// How often a table is read anew that people edit meanwhile.
const READS: u32 = 3;

/// All rows of a table that a filter leaves, sorted by number. The filter only spares transfer.
pub(super) fn all<R: Row>(client: &Client, filter: &str) -> Result<Vec<R>, RestError> {
    for _ in 0..READS {
        if let Some(rows) = once(client, filter)? {
            return Ok(rows);
        }
    }
    Err(RestError::Edited(client.base.table(R::TABLE), READS))
}

/// None if rows came or went meanwhile, so that some may have been skipped.
fn once<R: Row>(client: &Client, filter: &str) -> Result<Option<Vec<R>>, RestError> {
    let endless = |why: &str| RestError::Endless(client.base.table(R::TABLE), why.into());
    let mut query = first(client, R::FIELDS, filter);
    let mut asked = HashSet::new();
    let mut rows = BTreeMap::new();
    let mut count = None;
    let mut is_steady = true;
    loop {
        let page: Page<R> = client.get(R::TABLE, &query)?;
        is_steady &= count.is_none() || page.count == count;
        count = page.count;
        let (before, is_empty) = (rows.len(), page.results.is_empty());
        rows.extend(page.results.into_iter().map(|row| (row.id(), row)));
        if rows.len() > client.limits.rows {
            return Err(endless(&format!("there are more than {} rows", client.limits.rows)));
        }
        asked.insert(query);
        let Some(link) = page.next.filter(|link| !link.is_empty()) else { break };
        query = client.base.next(R::TABLE, &link)?;
        if is_empty || asked.contains(&query) {
            return Err(endless("one leads to another without a row that is new"));
        }
        if rows.len() == before {
            // By offsets that happens when rows go meanwhile.
            return match count {
                Some(_) => Ok(None),
                None => Err(endless("one leads to another without a row that is new")),
            };
        }
    }
    is_steady &= count.is_none_or(|count| count == rows.len());
    Ok(is_steady.then(|| rows.into_values().collect()))
}

/// The query of the first page.
fn first(client: &Client, fields: &str, filter: &str) -> String {
    let version = client.version();
    let mut query = format!("limit={}", client.page);
    // A cursor goes by number by itself and takes no other order.
    query.push_str(match version.is_some_and(|version| version.has_cursor()) {
        true => "&start=0",
        false => "&ordering=id",
    });
    if version.is_some_and(|version| version.has_fields()) {
        query.push_str("&fields=");
        query.push_str(fields);
    }
    if !filter.is_empty() {
        query.push('&');
        query.push_str(filter);
    }
    query
}
