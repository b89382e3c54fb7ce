//! What a NetBox of each version has, with pages as it makes them.

use std::{collections::BTreeMap, net::TcpStream};

use serde_json::{Value, json};

use super::server::{self, Asked};

/// Tables of a NetBox.
#[derive(Clone)]
pub(super) struct NetBox {
    pub(super) version: &'static str,
    /// Rows by table, as `ipam/prefixes`.
    pub(super) tables: BTreeMap<String, Vec<Value>>,
    /// `MAX_PAGE_SIZE`.
    pub(super) largest: usize,
    /// What stands before `/api/` in links to next pages; its own address by default.
    pub(super) origin: Option<String>,
}

macro_rules! recorded {
    ($version:literal) => {
        NetBox::of($version, include_str!(concat!("../recorded/", $version, ".json")))
    };
}

impl NetBox {
    /// All versions whose answers lie in `recorded/`.
    pub(super) fn all() -> [Self; 4] {
        [recorded!("3.7"), recorded!("4.1"), recorded!("4.2"), recorded!("4.7")]
    }

    /// The newest one.
    pub(super) fn newest() -> Self {
        recorded!("4.7")
    }

    fn of(version: &'static str, text: &str) -> Self {
        let tables = serde_json::from_str(text).expect("a recorded file is JSON");
        Self { version, tables, largest: 1000, origin: None }
    }

    /// Answers a request.
    pub(super) fn answer(&self, asked: &Asked, stream: &mut TcpStream) {
        let table = asked.path.strip_prefix("/api/").and_then(|path| path.strip_suffix('/'));
        match table {
            Some("status") => {
                let version = format!("{}.1", self.version);
                server::json(
                    stream,
                    self.version,
                    &json!({ "netbox-version": version, "plugins": {} }),
                );
            }
            Some(table) if self.tables.contains_key(table) => self.page(table, asked, stream),
            _ => server::reply(stream, "404 Not Found", "content-type: text/html\r\n", b"<html>"),
        }
    }

    fn page(&self, table: &str, asked: &Asked, stream: &mut TcpStream) {
        let number = |name| asked.query(name).and_then(|value| value.parse::<usize>().ok());
        let limit = number("limit").filter(|limit| *limit > 0).unwrap_or(50).min(self.largest);
        let mut rows: Vec<&Value> = self.tables[table].iter().collect();
        // Its own order is another one than that of the numbers.
        rows.reverse();
        let id = |row: &Value| row["id"].as_u64().unwrap_or_default() as usize;
        let is_cursor = number("start").is_some() && matches!(self.version, "4.7" | "5.0");
        if is_cursor || asked.query("ordering") == Some("id") {
            rows.sort_by_key(|row| id(row));
        }
        let first = match is_cursor {
            true => rows.partition_point(|row| id(row) < number("start").unwrap_or_default()),
            false => number("offset").unwrap_or_default(),
        };
        let page: Vec<&Value> = rows.iter().copied().skip(first).take(limit).collect();
        let next = rows.get(first + limit).map(|row| {
            let (name, place) = match is_cursor {
                true => ("start", id(row)),
                false => ("offset", first + limit),
            };
            let mut query = asked.query.clone();
            query.retain(|(known, _)| known != name && known != "limit");
            query.extend([("limit".into(), limit.to_string()), (name.into(), place.to_string())]);
            query.sort_by(|(one, _), (other, _)| one.cmp(other));
            let query = query.iter().map(|(name, value)| format!("{name}={value}"));
            let host = asked.header("host").unwrap_or_default();
            let origin = self.origin.clone().unwrap_or_else(|| format!("http://{host}"));
            format!("{origin}{}?{}", asked.path, query.collect::<Vec<_>>().join("&"))
        });
        let count = if is_cursor { Value::Null } else { json!(rows.len()) };
        let page = json!({ "count": count, "next": next, "previous": null, "results": page });
        server::json(stream, self.version, &page);
    }
}
