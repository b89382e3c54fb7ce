//! A table that prints for people or as JSON, from one description: [`super::row`].

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::row::Row;

/// A column narrower than this is no place for sentences: better let the terminal wrap.
const NARROWEST_TEXT: usize = 16;
/// Blanks between columns.
const GAP: usize = 2;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    key: &'static str,
    title: &'static str,
    /// What the field is; `docs/json.md` is compared with it.
    #[cfg(test)]
    about: &'static str,
    right: bool,
    detail: bool,
    moving: bool,
    wrapped: bool,
    cut: bool,
    hidden: bool,
}

impl Column {
    pub(super) const fn new(
        key: &'static str,
        title: &'static str,
        _about: &'static str,
        right: bool,
    ) -> Self {
        let (detail, moving, wrapped, cut, hidden) = (false, false, false, false, false);
        Self {
            key,
            title,
            #[cfg(test)]
            about: _about,
            right,
            detail,
            moving,
            wrapped,
            cut,
            hidden,
        }
    }

    /// Stands at the right edge.
    pub(super) const fn right(self) -> Self {
        Self { right: true, ..self }
    }

    /// Shown in JSON and with `-v` only: indexes and the like.
    pub(super) const fn detail(self) -> Self {
        Self { detail: true, ..self }
    }

    /// Shown in JSON only.
    pub(super) const fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    /// Changes all the time, so that a difference is no news.
    pub(super) const fn moving(self) -> Self {
        Self { moving: true, ..self }
    }

    /// Holds sentences, which are wrapped where the terminal ends. One column of a table at most.
    pub(super) const fn wrapped(self) -> Self {
        Self { wrapped: true, ..self }
    }

    /// Holds sentences that are nice to have: cut off where the terminal ends.
    pub(super) const fn cut(self) -> Self {
        Self { wrapped: true, cut: true, ..self }
    }

    /// Name of the field in JSON.
    pub(super) fn key(&self) -> &'static str {
        self.key.trim_start_matches("r#")
    }

    /// What the field is.
    #[cfg(test)]
    pub(super) fn about(&self) -> &'static str {
        self.about.trim()
    }
}

/// The place of a column by its key.
pub(super) fn place(columns: &[Column], key: &str) -> Option<usize> {
    columns.iter().position(|column| column.key() == key)
}

/// A row as it is printed.
#[derive(Clone, Debug)]
pub(super) struct Line {
    cells: Vec<String>,
    json: Box<RawValue>,
}

impl Line {
    pub(super) fn of(row: &impl Row) -> Self {
        // Rows hold nothing that JSON has no form for.
        Self { cells: row.cells(), json: to_raw_value(row).unwrap_or_default() }
    }

    /// The text in a column.
    pub(super) fn cell(&self, place: usize) -> &str {
        self.cells.get(place).map_or("-", String::as_str)
    }

    /// The row as an object.
    pub(super) fn json(&self) -> &RawValue {
        &self.json
    }
}

/// What happened to a row since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
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

/// A row that differs from an earlier table's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference<'a> {
    pub(super) change: Change,
    /// As it is, or was if it has gone.
    pub(super) row: &'a Line,
    /// As it was, unless it is new.
    pub(super) old: Option<&'a Line>,
    /// Number of the row, unless it has gone.
    place: Option<usize>,
}

/// How a table is printed.
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

/// Rows under columns. As JSON a list of objects.
#[derive(Clone, Debug)]
pub(super) struct Table {
    columns: Cow<'static, [Column]>,
    rows: Vec<Line>,
    empty: &'static str,
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(Line::json))
    }
}

impl Table {
    /// A table without rows. `empty` is said if it stays so.
    pub(super) const fn new(columns: &'static [Column], empty: &'static str) -> Self {
        Self { columns: Cow::Borrowed(columns), rows: Vec::new(), empty }
    }

    /// A table of these rows.
    pub(super) fn of<R: Row>(rows: impl IntoIterator<Item = R>) -> Self {
        let rows = rows.into_iter().map(|row| Line::of(&row)).collect();
        Self { rows, ..Self::new(R::COLUMNS, R::EMPTY) }
    }

    /// A table of texts for people alone.
    pub(super) fn plain(
        titles: &[&'static str],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Self {
        let columns = titles.iter().map(|title| Column::new("", title, "", false)).collect();
        let rows = rows.into_iter().map(|cells| Line { cells, json: Box::default() }).collect();
        Self { columns: Cow::Owned(columns), rows, empty: "-" }
    }

    pub(super) fn push(&mut self, row: Line) {
        self.rows.push(row);
    }

    /// The place of a column by its key.
    pub(super) fn column(&self, key: &str) -> Option<usize> {
        place(&self.columns, key)
    }

    /// Removes all rows.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }

    pub(super) fn rows(&self) -> &[Line] {
        &self.rows
    }

    /// The table, ending with a line feed.
    pub(super) fn text(&self, look: Look) -> String {
        self.text_with(look, &self.all(), None)
    }

    fn all(&self) -> Vec<&Line> {
        self.rows.iter().collect()
    }

    /// The table with a mark in front of every row that differs from `before`. Rows are the same if
    /// their first `keys` cells are; what has gone is shown once more at the end.
    pub(super) fn text_since(&self, look: Look, before: &Self, keys: usize) -> String {
        let (mut rows, mut marks) = (self.all(), BTreeMap::new());
        for Difference { change, row, place, .. } in self.differences(before, keys) {
            if change == Change::Removed {
                rows.push(row);
            }
            marks.insert(place.unwrap_or(rows.len() - 1), change);
        }
        self.text_with(look, &rows, Some(&marks))
    }

    /// What differs from `before`, in the order of the rows, what has gone last. Columns that move
    /// all the time do not count.
    pub(super) fn differences<'a>(&'a self, before: &'a Self, keys: usize) -> Vec<Difference<'a>> {
        let identity = |row: &'a Line| &row.cells[..keys.min(row.cells.len())];
        let mut former: BTreeMap<&[String], &Line> =
            before.rows.iter().map(|row| (identity(row), row)).collect();
        let same = |a: &Line, b: &Line| {
            let mut cells = self.columns.iter().zip(a.cells.iter().zip(&b.cells));
            cells.all(|(column, (a, b))| column.moving || a == b)
        };
        let mut differences = Vec::new();
        for (place, row) in self.rows.iter().enumerate() {
            let old = former.remove(identity(row));
            let change = match old {
                None => Change::Added,
                Some(old) if !same(row, old) => Change::Changed,
                Some(_) => continue,
            };
            differences.push(Difference { change, row, old, place: Some(place) });
        }
        let gone = before.rows.iter().filter(|row| former.contains_key(identity(row)));
        let removed =
            |row| Difference { change: Change::Removed, row, old: Some(row), place: None };
        differences.extend(gone.map(removed));
        differences
    }

    fn text_with(
        &self,
        look: Look,
        rows: &[&Line],
        marks: Option<&BTreeMap<usize, Change>>,
    ) -> String {
        if rows.is_empty() {
            return format!("{}\n", self.empty);
        }
        self.lines(look, rows, marks, &mut Widths::default())
    }

    /// One of several pages of a long table: the titles stand on the first one only, and no column
    /// becomes narrower.
    pub(super) fn page(&self, look: Look, widths: &mut Widths) -> String {
        self.lines(look, &self.all(), None, widths)
    }

    fn lines(
        &self,
        look: Look,
        rows: &[&Line],
        marks: Option<&BTreeMap<usize, Change>>,
        Widths(widths): &mut Widths,
    ) -> String {
        let visible = |column: &Column| !column.hidden && (look.verbose || !column.detail);
        let shown: Vec<usize> =
            (0..self.columns.len()).filter(|place| visible(&self.columns[*place])).collect();
        let first = widths.is_empty();
        if first {
            widths.extend(shown.iter().map(|place| self.columns[*place].title.chars().count()));
        }
        for (width, place) in widths.iter_mut().zip(&shown) {
            let cells = rows.iter().map(|row| row.cell(*place).chars().count());
            *width = cells.max().unwrap_or(0).max(*width);
        }
        let columns: Vec<(&Column, usize)> = shown
            .iter()
            .map(|place| &self.columns[*place])
            .zip(self.fitted(&shown, widths, look, marks.is_some()))
            .collect();
        let mut text = String::new();
        if first {
            let titles: Vec<&str> = columns.iter().map(|(column, _)| column.title).collect();
            line(&mut text, marks.map(|_| ""), &columns, &titles);
        }
        for (number, row) in rows.iter().enumerate() {
            let mark = marks.map(|marks| marks.get(&number).map_or("", |change| change.mark()));
            let cells: Vec<&str> = shown.iter().map(|place| row.cell(*place)).collect();
            line(&mut text, mark, &columns, &cells);
        }
        text
    }

    /// The widths with that of the column for sentences such that lines end where the terminal does, if
    /// that leaves it enough room.
    fn fitted(&self, shown: &[usize], widths: &[usize], look: Look, marked: bool) -> Vec<usize> {
        let mut widths = widths.to_vec();
        let sentences = shown.iter().position(|place| self.columns[*place].wrapped);
        if let (Some(place), Some(width)) = (sentences, look.width) {
            let all: usize = widths.iter().map(|width| width + GAP).sum();
            let others = all - widths[place] - GAP + if marked { GAP } else { 0 };
            let room = usize::from(width).saturating_sub(others);
            if room >= NARROWEST_TEXT {
                widths[place] = widths[place].min(room);
            }
        }
        widths
    }
}

/// Adds a row, which is several lines high where a sentence is wrapped.
fn line(text: &mut String, mark: Option<&str>, columns: &[(&Column, usize)], cells: &[&str]) {
    let parts: Vec<Vec<String>> = columns
        .iter()
        .zip(cells)
        .map(|((column, width), cell)| column.fold(cell, *width))
        .collect();
    let height = parts.iter().map(Vec::len).max().unwrap_or(0);
    for number in 0..height {
        if let Some(mark) = mark {
            let mark = if number == 0 { mark } else { "" };
            text.push_str(&format!("{mark:<GAP$}"));
        }
        for ((column, width), parts) in columns.iter().zip(&parts) {
            let cell = parts.get(number).map_or("", String::as_str);
            let cell =
                if column.right { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            text.push_str(&cell);
            text.push_str("  ");
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
}

impl Column {
    /// A cell in lines of `width`, or cut off there.
    fn fold(&self, cell: &str, width: usize) -> Vec<String> {
        if !self.wrapped || cell.chars().count() <= width {
            return vec![cell.to_owned()];
        }
        if self.cut {
            return vec![cell.chars().take(width - 1).chain(['…']).collect()];
        }
        let mut lines = vec![String::new()];
        for word in cell.split(' ') {
            let mut word: Vec<char> = word.chars().collect();
            while let Some(last) = lines.last_mut() {
                let used = last.chars().count();
                let blank = usize::from(used > 0);
                if used + blank + word.len() <= width {
                    last.extend([' '].iter().take(blank).chain(&word));
                    break;
                }
                if used == 0 {
                    // Longer than a line.
                    last.extend(word.drain(..width));
                }
                lines.push(String::new());
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::row::rows;

    rows! {
        struct PortRow, "nothing here" {
            /// Its name.
            "PORT" port: String,
            /// Its MTU.
            "MTU" mtu: u32,
            /// Its slot.
            "SLOT" [detail] slot: u32,
            /// Its age.
            "AGE" [moving] age: &'static str,
            /// Why.
            "WHY" [wrapped] why: &'static str,
        }
    }

    const WHY: &str = "a sentence that is much too long for a narrow terminal";

    fn table(rows: &[(&str, u32, &'static str)]) -> Table {
        let row = |(port, mtu, age): &(&str, u32, &'static str)| PortRow {
            port: (*port).into(),
            mtu: *mtu,
            slot: 7,
            age,
            why: WHY,
        };
        Table::of(rows.iter().map(row))
    }

    #[test]
    fn columns_are_aligned_and_lines_end_without_blanks() {
        let text = table(&[("swp1", 9216, "1 s"), ("h2", 1500, "12 s")]).text(Look::default());
        assert_eq!(
            text,
            format!("PORT   MTU  AGE   WHY\nswp1  9216  1 s   {WHY}\nh2    1500  12 s  {WHY}\n")
        );
    }

    #[test]
    fn pages_of_a_long_table_have_one_title_and_columns_that_go_on() {
        let (mut widths, look) = (Widths::default(), Look::default());
        let first = table(&[("swp1", 9216, "1 s")]).page(look, &mut widths);
        let second = table(&[("h2", 1500, "12 s")]).page(look, &mut widths);
        let whole = table(&[("swp1", 9216, "1 s"), ("h2", 1500, "12 s")]).text(look);
        assert_eq!(first.lines().next().map(|line| line.starts_with("PORT")), Some(true));
        assert_eq!(second.lines().count(), 1);
        assert_eq!(whole.lines().last(), second.lines().last());
    }

    #[test]
    fn sentences_are_wrapped_where_a_narrow_terminal_ends_and_nothing_else_is() {
        let text = table(&[("swp1", 9216, "1 s")]).text(Look { width: Some(40), verbose: false });
        assert!(text.lines().all(|line| line.len() <= 40), "{text}");
        assert!(text.contains("swp1  9216  1 s"), "{text}");
        assert!(text.lines().count() > 2, "{text}");
    }

    #[test]
    fn details_are_in_json_and_behind_verbose_only() {
        let table = table(&[("swp1", 9216, "1 s")]);
        assert!(!table.text(Look::default()).contains("SLOT"));
        assert!(table.text(Look { width: None, verbose: true }).contains("SLOT"));
        assert_eq!(serde_json::to_value(table).unwrap()[0]["slot"], 7);
    }

    #[test]
    fn an_empty_table_is_a_sentence_for_people_and_an_empty_list_for_programs() {
        assert_eq!(table(&[]).text(Look::default()), "nothing here\n");
        assert_eq!(serde_json::to_string(&table(&[])).unwrap(), "[]");
    }

    #[test]
    fn changes_name_what_came_went_and_moved_but_not_what_always_moves() {
        let before = table(&[("a", 1, "1 s"), ("b", 1, "1 s"), ("c", 1, "1 s")]);
        let after = table(&[("a", 1, "9 s"), ("b", 2, "1 s"), ("d", 1, "1 s")]);
        let changes = after.differences(&before, 1);
        let changes: Vec<_> = changes.iter().map(|d| (d.change.mark(), d.row.cell(0))).collect();
        assert_eq!(changes, [("~", "b"), ("+", "d"), ("-", "c")]);
        let text = after.text_since(Look::default(), &before, 1);
        let marks: Vec<_> = text.lines().map(|line| &line[..3]).collect();
        assert_eq!(marks, ["  P", "  a", "~ b", "+ d", "- c"], "{text}");
    }
}
