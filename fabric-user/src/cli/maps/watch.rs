//! `--watch`: a map again and again.

use std::time::Duration;

use serde_json::Value;

use crate::cli::{
    print::{self, Style, time_of_day},
    sheet::{Cell, Change, Difference, Sheet},
};

/// Repaints a table with a mark in front of what changed. As JSON, one list per line.
pub(super) fn repaint(
    style: Style,
    every: Duration,
    keys: usize,
    title: &str,
    mut take: impl FnMut() -> anyhow::Result<Sheet>,
) -> anyhow::Result<()> {
    let mut before: Option<Sheet> = None;
    print::repeat(every, |_| {
        let sheet = take()?;
        if style.json {
            print::json(&sheet.json(), true)?;
        } else {
            let table = sheet.text_since(style.look(), before.as_ref().unwrap_or(&sheet), keys);
            print::repaint(&format!("{title} at {}\n\n{table}", time_of_day()))?;
        }
        before = Some(sheet);
        Ok(())
    })
}

/// Prints a line for each entry that comes, goes or changes, after a first line with their number.
/// As JSON, one object per line.
pub(super) fn print_changes(
    style: Style,
    every: Duration,
    keys: usize,
    mut take: impl FnMut() -> anyhow::Result<Sheet>,
) -> anyhow::Result<()> {
    let mut before: Option<Sheet> = None;
    print::repeat(every, |_| {
        let sheet = take()?;
        let Some(former) = &before else {
            if !style.json {
                let entries = sheet.rows().len();
                print::text(&format!("{} watching, {entries} entries now\n", time_of_day()))?;
            }
            before = Some(sheet);
            return Ok(());
        };
        for Difference { change, row, old, .. } in sheet.differences(former, keys) {
            if style.json {
                print::json(&object(&sheet, change, row), true)?;
            } else {
                print::text(&format!("{} {}\n", time_of_day(), line(&sheet, change, row, old)))?;
            }
        }
        before = Some(sheet);
        Ok(())
    })
}

fn object(sheet: &Sheet, change: Change, row: &[Cell]) -> Value {
    let mut object = sheet.object(row);
    object["change"] = match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Changed => "moved",
    }
    .into();
    object
}

/// `+ 52:54:00:00:00:01 br200 at swp1`.
fn line(sheet: &Sheet, change: Change, row: &[Cell], old: Option<&Vec<Cell>>) -> String {
    let cell = |row: &[Cell], key| {
        sheet.column(key).and_then(|place| row.get(place)).map_or("-", Cell::text).to_owned()
    };
    let place = |row: &[Cell]| match cell(row, "vlan").as_str() {
        "-" => cell(row, "where"),
        vlan => format!("{} VLAN {vlan}", cell(row, "where")),
    };
    let name = format!("{} {} {}", change.mark(), cell(row, "mac"), cell(row, "bridge"));
    match (change, old) {
        (Change::Changed, Some(old)) => format!("{name} from {} to {}", place(old), place(row)),
        _ => format!("{name} at {}", place(row)),
    }
}
