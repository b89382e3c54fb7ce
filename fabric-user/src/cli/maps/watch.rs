//! `--watch`: a map again and again.

use std::{io, time::Duration};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::cli::{
    print::{self, Of, Style, time_of_day},
    table::{Change, Difference, Line, Table},
};

/// Repaints a table with a mark in front of what changed. As JSON, a document per line.
pub(super) fn repaint(
    style: Style,
    every: Duration,
    keys: usize,
    title: &str,
    mut take: impl FnMut() -> anyhow::Result<Table>,
    print_json: impl Fn(&Table) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut before: Option<Table> = None;
    print::repeat(every, |_| {
        let table = take()?;
        if style.json {
            print_json(&table)?;
        } else {
            let text = table.text_since(style.look(), before.as_ref().unwrap_or(&table), keys);
            print::repaint(&format!("{title} at {}", time_of_day()), &text)?;
        }
        before = Some(table);
        Ok(())
    })
}

/// A change of the FDB.
#[derive(Serialize)]
struct Moved<'a> {
    change: Change,
    entry: &'a RawValue,
}

/// Prints a line for each entry that comes, goes or changes, after a first line with their number.
/// As JSON, a document per line.
pub(super) fn print_changes(
    style: Style,
    every: Duration,
    keys: usize,
    instance: &str,
    mut take: impl FnMut() -> anyhow::Result<Table>,
) -> anyhow::Result<()> {
    let mut before: Option<Table> = None;
    print::repeat(every, |_| {
        let table = take()?;
        let Some(former) = &before else {
            if !style.json {
                let entries = table.rows().len();
                print::text(&format!("{} watching, {entries} entries now\n", time_of_day()))?;
            }
            before = Some(table);
            return Ok(());
        };
        for Difference { change, row, old, .. } in table.differences(former, keys) {
            if style.json {
                print::json_line(&Of::new(instance, Moved { change, entry: row.json() }))?;
            } else {
                print::text(&format!("{} {}\n", time_of_day(), line(&table, change, row, old)))?;
            }
        }
        before = Some(table);
        Ok(())
    })
}

/// `+ 52:54:00:00:00:01 br200 at swp1`.
fn line(table: &Table, change: Change, row: &Line, old: Option<&Line>) -> String {
    let cell = |row: &Line, key| {
        table.column(key).map_or_else(|| "-".into(), |place| row.cell(place).to_owned())
    };
    let place = |row: &Line| match cell(row, "vlan").as_str() {
        "-" => cell(row, "where"),
        vlan => format!("{} VLAN {vlan}", cell(row, "where")),
    };
    let name = format!("{} {} {}", change.mark(), cell(row, "mac"), cell(row, "bridge"));
    match (change, old) {
        (Change::Changed, Some(old)) => format!("{name} from {} to {}", place(old), place(row)),
        _ => format!("{name} at {}", place(row)),
    }
}
