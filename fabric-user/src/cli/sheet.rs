//! A table that prints for people or as JSON, from one description.
//!
//! Every cell has a text and a JSON value, every column a title and a JSON key, so that both
//! outputs always say the same.

use std::collections::BTreeMap;

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Row as TableRow, Table, presets,
};
use serde_json::{Map, Value};

pub(super) use super::cell::Cell;

/// Columns narrower than this are no place for sentences: better let the terminal wrap.
const NARROWEST_TEXT: u16 = 16;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Name in JSON.
    pub(super) key: &'static str,
    title: &'static str,
    right: bool,
    detail: bool,
    moving: bool,
    wrapped: bool,
    cut: bool,
    hidden: bool,
}

impl Column {
    /// A column of text.
    pub(super) const fn text(key: &'static str, title: &'static str) -> Self {
        let (right, detail, moving, wrapped, cut, hidden) =
            (false, false, false, false, false, false);
        Self { key, title, right, detail, moving, wrapped, cut, hidden }
    }

    /// A column of numbers.
    pub(super) const fn number(key: &'static str, title: &'static str) -> Self {
        Self { right: true, ..Self::text(key, title) }
    }

    /// Shown in JSON and with `-v` only: indexes and the like.
    pub(super) const fn detail(self) -> Self {
        Self { detail: true, ..self }
    }

    /// A field that only JSON has.
    pub(super) const fn json_only(key: &'static str) -> Self {
        Self { hidden: true, ..Self::text(key, "") }
    }

    /// Changes all the time, so that a difference is no news.
    pub(super) const fn moving(self) -> Self {
        Self { moving: true, ..self }
    }

    /// Holds sentences, which are wrapped where the terminal ends.
    pub(super) const fn wrapped(self) -> Self {
        Self { wrapped: true, ..self }
    }

    /// Holds sentences that are nice to have: cut off where the terminal ends.
    pub(super) const fn cut(self) -> Self {
        Self { wrapped: true, cut: true, ..self }
    }
}

/// What happened to a row since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Removed,
    Changed,
}

impl Change {
    /// The mark in front of a row.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Added => "+",
            Self::Removed => "-",
            Self::Changed => "~",
        }
    }
}

/// A row that differs from an earlier sheet's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference<'a> {
    pub(super) change: Change,
    /// As it is, or was if it has gone.
    pub(super) row: &'a Vec<Cell>,
    /// As it was, unless it is new.
    pub(super) old: Option<&'a Vec<Cell>>,
    /// Number of the row, unless it has gone.
    place: Option<usize>,
}

/// How a sheet is printed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    /// Columns of the terminal; `None` for a file or pipe, where nothing is wrapped.
    pub(super) width: Option<u16>,
    /// With the columns for details.
    pub(super) verbose: bool,
}

/// How wide the columns of a long table are so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Widths(Vec<usize>);

/// Rows under columns.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    columns: &'static [Column],
    rows: Vec<Vec<Cell>>,
    /// Said instead of an empty table.
    empty: &'static str,
}

impl Sheet {
    /// A sheet without rows. `empty` is said if it stays so.
    pub(super) const fn new(columns: &'static [Column], empty: &'static str) -> Self {
        Self { columns, rows: Vec::new(), empty }
    }

    /// Adds a row, which has a cell per column.
    pub(super) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        let cells = cells.into();
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows.push(cells);
    }

    /// Removes all rows.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }

    /// The rows.
    pub(super) fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// The place of a column by its JSON key.
    pub(super) fn column(&self, key: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.key == key)
    }

    /// Keeps the rows that `keep` wants.
    pub(super) fn retain(&mut self, keep: impl FnMut(&Vec<Cell>) -> bool) {
        self.rows.retain(keep);
    }

    /// Changes what is said instead of an empty table.
    pub(super) const fn says_if_empty(&mut self, text: &'static str) {
        self.empty = text;
    }

    /// All rows as objects, with the details.
    pub(super) fn json(&self) -> Value {
        self.rows.iter().map(|row| self.object(row)).collect()
    }

    /// A row as an object, with the details.
    pub(super) fn object(&self, row: &[Cell]) -> Value {
        let fields = self.columns.iter().zip(row);
        let fields = fields.map(|(column, cell)| (column.key.into(), cell.value.clone()));
        Value::Object(fields.collect::<Map<_, _>>())
    }

    /// The table, ending with a line feed.
    pub(super) fn text(&self, look: Look) -> String {
        self.text_with(look, None)
    }

    /// The table with a mark in front of every row that differs from `before`. Rows are the same if
    /// their first `keys` cells are; what has gone is shown once more at the end.
    pub(super) fn text_since(&self, look: Look, before: &Self, keys: usize) -> String {
        let mut all = self.clone();
        let mut marks: BTreeMap<usize, Change> = BTreeMap::new();
        for Difference { change, row, place, .. } in self.differences(before, keys) {
            if change == Change::Removed {
                all.rows.push(row.clone());
            }
            marks.insert(place.unwrap_or(all.rows.len() - 1), change);
        }
        all.text_with(look, Some(&marks))
    }

    /// What differs from `before`, in the order of the rows, what has gone last. Columns that move
    /// all the time do not count.
    pub(super) fn differences<'a>(&'a self, before: &'a Self, keys: usize) -> Vec<Difference<'a>> {
        let identity = |row: &'a [Cell]| row.iter().take(keys).map(Cell::text).collect::<Vec<_>>();
        let mut former: BTreeMap<_, _> =
            before.rows.iter().map(|row| (identity(row), row)).collect();
        let same = |a: &[Cell], b: &[Cell]| {
            let mut cells = self.columns.iter().zip(a.iter().zip(b));
            cells.all(|(column, (a, b))| column.moving || a.value == b.value)
        };
        let mut differences = Vec::new();
        for (place, row) in self.rows.iter().enumerate() {
            let old = former.remove(&identity(row));
            let change = match old {
                None => Change::Added,
                Some(old) if !same(row, old) => Change::Changed,
                Some(_) => continue,
            };
            differences.push(Difference { change, row, old, place: Some(place) });
        }
        let gone = before.rows.iter().filter(|row| former.contains_key(&identity(row)));
        let removed =
            |row| Difference { change: Change::Removed, row, old: Some(row), place: None };
        differences.extend(gone.map(removed));
        differences
    }

    fn text_with(&self, look: Look, marks: Option<&BTreeMap<usize, Change>>) -> String {
        if self.rows.is_empty() {
            return format!("{}\n", self.empty);
        }
        let shown = self.shown(look);
        if look.width.is_some() && shown.iter().any(|i| self.columns[*i].wrapped) {
            return self.fitted(&shown, look, marks);
        }
        self.aligned(&shown, marks, &mut Widths::default())
    }

    /// The columns that people see.
    fn shown(&self, look: Look) -> Vec<usize> {
        let visible = |column: &Column| !column.hidden && (look.verbose || !column.detail);
        (0..self.columns.len()).filter(|i| visible(&self.columns[*i])).collect()
    }

    /// One of several pages of a long table: the titles stand on the first one only, and no column
    /// becomes narrower.
    pub(super) fn page(&self, look: Look, widths: &mut Widths) -> String {
        self.aligned(&self.shown(look), None, widths)
    }

    /// The table with nothing wrapped.
    fn aligned(
        &self,
        shown: &[usize],
        marks: Option<&BTreeMap<usize, Change>>,
        widths: &mut Widths,
    ) -> String {
        let titles: Vec<&str> = shown.iter().map(|i| self.columns[*i].title).collect();
        let first = widths.0.is_empty();
        if first {
            widths.0.extend(titles.iter().map(|title| title.chars().count()));
        }
        for (width, i) in widths.0.iter_mut().zip(shown) {
            let cells = self.rows.iter().map(|row| row[*i].text.chars().count());
            *width = cells.max().unwrap_or(0).max(*width);
        }
        let mut text = String::new();
        if first {
            self.line(&mut text, shown, widths, marks.map(|_| ""), titles.into_iter());
        }
        for (number, row) in self.rows.iter().enumerate() {
            let mark = marks.map(|marks| marks.get(&number).map_or("", |change| change.mark()));
            let cells = shown.iter().map(|i| row[*i].text.as_str());
            self.line(&mut text, shown, widths, mark, cells);
        }
        text
    }

    fn line<'a>(
        &self,
        text: &mut String,
        shown: &[usize],
        widths: &Widths,
        mark: Option<&str>,
        cells: impl Iterator<Item = &'a str>,
    ) {
        if let Some(mark) = mark {
            text.push_str(&format!("{mark:<2}"));
        }
        for ((cell, i), width) in cells.zip(shown).zip(&widths.0) {
            let blanks = width.saturating_sub(cell.chars().count());
            let (before, after) =
                if self.columns[*i].right { (blanks, 2) } else { (0, blanks + 2) };
            text.extend(std::iter::repeat_n(' ', before));
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', after));
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }

    /// The table with sentences wrapped or cut where the terminal ends.
    fn fitted(
        &self,
        shown: &[usize],
        look: Look,
        marks: Option<&BTreeMap<usize, Change>>,
    ) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_truncation_indicator("…");
        let mark = |text: &str| marks.map(|_| text.to_owned());
        let titles = shown.iter().map(|i| self.columns[*i].title.to_owned());
        table.set_header(TableRow::from(mark("").into_iter().chain(titles).collect::<Vec<_>>()));
        for (number, row) in self.rows.iter().enumerate() {
            let change = marks.and_then(|marks| marks.get(&number)).map_or("", |c| c.mark());
            let cells = shown.iter().map(|i| row[*i].text.clone());
            let mut line =
                TableRow::from(mark(change).into_iter().chain(cells).collect::<Vec<_>>());
            if self.columns.iter().any(|column| column.cut) {
                line.max_height(1);
            }
            table.add_row(line);
        }
        let columns =
            mark("").map(|_| None).into_iter().chain(shown.iter().map(|i| Some(&self.columns[*i])));
        for (place, column) in columns.enumerate() {
            let Some(target) = table.column_mut(place) else {
                continue;
            };
            target.set_padding((0, if column.is_none() { 1 } else { 2 }));
            if column.is_some_and(|c| c.right) {
                target.set_cell_alignment(CellAlignment::Right);
            }
            if !column.is_some_and(|c| c.wrapped) {
                target.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        self.fit(&mut table, look, shown.iter().map(|i| &self.columns[*i]));
        format!("{}\n", table.trim_fmt())
    }

    /// Wraps sentences if the terminal is too narrow for them and leaves them enough room.
    fn fit<'a>(&self, table: &mut Table, look: Look, mut shown: impl Iterator<Item = &'a Column>) {
        let Some(width) = look.width.filter(|_| shown.any(|c| c.wrapped)) else {
            return;
        };
        let fixed: u16 = table
            .column_iter()
            .zip(table.column_max_content_widths())
            .filter(|(column, _)| column.constraint().is_some())
            .map(|(column, content)| content + column.padding_width())
            .sum();
        // The last column's padding is cut off.
        if fixed + NARROWEST_TEXT <= width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width + 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[
        Column::text("port", "PORT"),
        Column::number("mtu", "MTU"),
        Column::number("slot", "SLOT").detail(),
        Column::text("age", "AGE").moving(),
        Column::text("why", "WHY").wrapped(),
    ];

    fn sheet(rows: &[(&str, u32, &str)]) -> Sheet {
        let mut sheet = Sheet::new(COLUMNS, "nothing here");
        for (port, mtu, age) in rows {
            let why = "a sentence that is much too long for a narrow terminal";
            sheet.row([(*port).into(), (*mtu).into(), 7_u32.into(), (*age).into(), why.into()]);
        }
        sheet
    }

    #[test]
    fn columns_are_aligned_and_lines_end_without_blanks() {
        let text = sheet(&[("swp1", 9216, "1 s"), ("h2", 1500, "12 s")]).text(Look::default());
        let why = "a sentence that is much too long for a narrow terminal";
        assert_eq!(
            text,
            format!("PORT   MTU  AGE   WHY\nswp1  9216  1 s   {why}\nh2    1500  12 s  {why}\n")
        );
    }

    #[test]
    fn pages_of_a_long_table_have_one_title_and_columns_that_go_on() {
        let (mut widths, look) = (Widths::default(), Look::default());
        let first = sheet(&[("swp1", 9216, "1 s")]).page(look, &mut widths);
        let second = sheet(&[("h2", 1500, "12 s")]).page(look, &mut widths);
        let whole = sheet(&[("swp1", 9216, "1 s"), ("h2", 1500, "12 s")]).text(look);
        assert_eq!(first.lines().next().map(|line| line.starts_with("PORT")), Some(true));
        assert_eq!(second.lines().count(), 1);
        assert_eq!(whole.lines().last(), second.lines().last());
    }

    #[test]
    fn sentences_are_wrapped_where_a_narrow_terminal_ends_and_nothing_else_is() {
        let text = sheet(&[("swp1", 9216, "1 s")]).text(Look { width: Some(40), verbose: false });
        assert!(text.lines().all(|line| line.len() <= 40), "{text}");
        assert!(text.contains("swp1  9216  1 s"), "{text}");
        assert!(text.lines().count() > 2, "{text}");
    }

    #[test]
    fn details_are_in_json_and_behind_verbose_only() {
        let sheet = sheet(&[("swp1", 9216, "1 s")]);
        assert!(!sheet.text(Look::default()).contains("SLOT"));
        assert!(sheet.text(Look { width: None, verbose: true }).contains("SLOT"));
        assert_eq!(sheet.json()[0]["slot"], json!(7));
    }

    #[test]
    fn an_empty_sheet_is_a_sentence_for_people_and_an_empty_list_for_programs() {
        assert_eq!(sheet(&[]).text(Look::default()), "nothing here\n");
        assert_eq!(sheet(&[]).json(), json!([]));
    }

    #[test]
    fn changes_name_what_came_went_and_moved_but_not_what_always_moves() {
        let before = sheet(&[("a", 1, "1 s"), ("b", 1, "1 s"), ("c", 1, "1 s")]);
        let after = sheet(&[("a", 1, "9 s"), ("b", 2, "1 s"), ("d", 1, "1 s")]);
        let changes = after.differences(&before, 1);
        let changes: Vec<_> = changes.iter().map(|d| (d.change.mark(), d.row[0].text())).collect();
        assert_eq!(changes, [("~", "b"), ("+", "d"), ("-", "c")]);
        let text = after.text_since(Look::default(), &before, 1);
        let marks: Vec<_> = text.lines().map(|line| &line[..3]).collect();
        assert_eq!(marks, ["  P", "  a", "~ b", "+ d", "- c"], "{text}");
    }
}
