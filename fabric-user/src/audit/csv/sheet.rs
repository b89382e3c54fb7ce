//! A file as a table whose columns are found by their names.

use std::{collections::BTreeSet, fs::File, io::Read as _, path::Path};

use csv::{ReaderBuilder, StringRecord};

use super::{Columns, CsvError};
use crate::audit::model::clean;

/// Bytes of a file that are read.
const LARGEST: u64 = 256 << 20;
/// Delimiters that NetBox offers, and the one of spreadsheets.
const DELIMITERS: [u8; 4] = *b",;|\t";
/// What begins a text that some programs write.
const MARK: &str = "\u{feff}";

/// A file that was read.
#[derive(Debug)]
pub(super) struct Sheet {
    file: String,
    header: Vec<String>,
    /// As they stand in the file, for people.
    titles: Vec<String>,
    rows: Vec<StringRecord>,
    columns: Columns,
}

/// A column that a sheet has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    place: usize,
    name: &'static str,
}

/// A row.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    sheet: &'a Sheet,
    record: &'a StringRecord,
}

/// A header as it is compared: `Scope Type`, `scope_type` and ` scope type` are the same.
pub(super) fn normal(text: &str) -> String {
    text.trim().to_lowercase().replace('_', " ")
}

impl Sheet {
    /// Reads a file.
    pub(super) fn read(path: &Path, columns: &Columns) -> Result<Self, CsvError> {
        let file = path.display().to_string();
        let read = |error| CsvError::Read(file.clone(), error);
        let mut bytes = Vec::new();
        let opened = File::open(path).map_err(read)?;
        opened.take(LARGEST + 1).read_to_end(&mut bytes).map_err(read)?;
        if bytes.len() as u64 > LARGEST {
            return Err(CsvError::Large(file, LARGEST >> 20));
        }
        let text = String::from_utf8(bytes).map_err(|_| CsvError::Encoding(file.clone()))?;
        Self::of(file, &text, columns)
    }

    /// Takes a text.
    pub(super) fn of(file: String, text: &str, columns: &Columns) -> Result<Self, CsvError> {
        let text = text.strip_prefix(MARK).unwrap_or(text);
        if text.trim().is_empty() {
            return Err(CsvError::Empty(file));
        }
        let (said, text) = said_delimiter(text);
        let delimiter = said.unwrap_or_else(|| delimiter(text));
        // Of lines that end in both, the reader counts one less than there are.
        let text = text.replace("\r\n", "\n");
        let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
        let failed = |error: csv::Error| match error.kind() {
            csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
                let line = pos.as_ref().map_or(0, csv::Position::line);
                CsvError::Cells(file.clone(), line, *len, *expected_len)
            }
            _ => CsvError::Form(file.clone(), error),
        };
        let titles: Vec<String> = reader.headers().map_err(failed)?.iter().map(clean).collect();
        let rows = reader.records().collect::<Result<_, _>>().map_err(failed)?;
        let header = titles.iter().map(|title| normal(title)).collect();
        Ok(Self { file, header, titles, rows, columns: columns.clone() })
    }

    /// A column by any of its English names, of which the first one is shown. Of several with one name it is the first.
    pub(super) fn find(&self, names: &[&'static str]) -> Option<Column> {
        let place = |name: &str| self.header.iter().position(|header| header == name);
        let given = || names.iter().find_map(|name| place(self.columns.name(name)));
        // What is said of columns is said of all files, and some may be in English all the same.
        let place = given().or_else(|| names.iter().find_map(|name| place(name)))?;
        Some(Column { place, name: names[0] })
    }

    /// Columns that have to be there, each by any of its names.
    pub(super) fn need<const N: usize>(
        &self,
        wanted: [&[&'static str]; N],
    ) -> Result<[Column; N], CsvError> {
        let found = wanted.map(|names| self.find(names));
        let lacking = wanted.iter().zip(&found).filter(|(_, found)| found.is_none());
        let lacks: Vec<&str> = lacking.map(|(names, _)| names[0]).collect();
        if lacks.is_empty() {
            return Ok(found.map(|column| column.unwrap_or(Column { place: 0, name: "" })));
        }
        let noun = if lacks.len() == 1 { "the column" } else { "the columns" };
        let example: Vec<String> =
            lacks.iter().map(|name| format!("{}=…", name.replace(' ', "_"))).collect();
        Err(CsvError::Columns {
            file: self.file.clone(),
            lacks: format!("{noun} {}", lacks.join(", ")),
            has: self.titles.join(", "),
            example: example.join(","),
        })
    }

    /// The rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|record| Row { sheet: self, record })
    }

    /// Whether statuses are in English: among as many as there are, at least one has to be known, unless there is none.
    /// Sites have statuses of their own, and some words are the same in other languages, so that they tell nothing.
    pub(super) fn check_language(
        &self,
        status: Column,
        known: &[&str],
        same_elsewhere: &[&str],
    ) -> Result<(), CsvError> {
        let found: BTreeSet<String> = self
            .rows()
            .map(|row| row.cell(status).to_lowercase())
            .filter(|cell| !cell.is_empty() && !same_elsewhere.contains(&cell.as_str()))
            .collect();
        match found.first() {
            Some(first) if !found.iter().any(|cell| known.contains(&cell.as_str())) => {
                Err(CsvError::Language(self.file.clone(), first.clone()))
            }
            _ => Ok(()),
        }
    }
}

impl<'a> Row<'a> {
    /// A cell, cleaned; nothing where an export writes a dash for nothing.
    pub(super) fn cell(&self, column: Column) -> String {
        let cell = clean(self.raw(column));
        if matches!(cell.as_str(), "—" | "-") { String::new() } else { cell }
    }

    /// A cell of a column that may be missing.
    pub(super) fn maybe(&self, column: Option<Column>) -> Option<String> {
        column.map(|column| self.cell(column)).filter(|cell| !cell.is_empty())
    }

    fn raw(&self, column: Column) -> &'a str {
        self.record.get(column.place).unwrap_or_default()
    }

    /// That a cell is not what it should be.
    pub(super) fn wrong(&self, column: Column, no: &'static str) -> CsvError {
        CsvError::Cell {
            file: self.sheet.file.clone(),
            line: self.record.position().map_or(0, csv::Position::line),
            column: column.name.into(),
            cell: clean(self.raw(column)),
            no,
        }
    }
}

/// The delimiter that a first line `sep=;` says, which Excel writes, and the text from the end of that line on: so lines
/// are counted with it.
fn said_delimiter(text: &str) -> (Option<u8>, &str) {
    let (line, rest) = text.split_at(text.find('\n').unwrap_or(text.len()));
    match line.trim_end_matches('\r').to_ascii_lowercase().strip_prefix("sep=").map(str::as_bytes) {
        Some([delimiter]) => (Some(*delimiter), rest),
        _ => (None, text),
    }
}

/// The delimiter: the one that stands most often in the first line, outside quotes.
fn delimiter(text: &str) -> u8 {
    let mut counts = [0_usize; DELIMITERS.len()];
    let mut is_quoted = false;
    for byte in text.bytes() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' if !is_quoted => break,
            _ if is_quoted => {}
            byte => {
                if let Some(place) = DELIMITERS.iter().position(|delimiter| *delimiter == byte) {
                    counts[place] += 1;
                }
            }
        }
    }
    let most = (0..DELIMITERS.len()).rev().max_by_key(|place| counts[*place]);
    DELIMITERS[most.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(text: &str) -> Result<Sheet, CsvError> {
        Sheet::of("p.csv".into(), text, &Columns::default())
    }

    #[test]
    fn the_delimiter_is_what_the_first_line_has_most_of_outside_quotes() {
        assert_eq!(delimiter("a,b;c,d\n;;;;"), b',');
        assert_eq!(delimiter("a;b;\"c,d,e,f\"\n"), b';');
        assert_eq!(delimiter("a|b|c"), b'|');
        assert_eq!(delimiter("a\tb"), b'\t');
        assert_eq!(delimiter("prefix\n10.0.0.0/8"), b',');
    }

    #[test]
    fn columns_are_found_by_any_of_their_names_in_any_order_and_case() {
        let sheet =
            sheet("\u{feff}Scope Type;STATUS;prefix\r\ndcim.site;\"a\r\nb\";—\r\n").unwrap();
        let [prefix, status] = sheet.need([&["prefix"], &["status"]]).unwrap();
        let kind = sheet.find(&["scope type"]);
        let row = sheet.rows().next().unwrap();
        assert_eq!(row.cell(prefix), "");
        assert_eq!(row.cell(status), "a b");
        assert_eq!(row.maybe(kind).as_deref(), Some("dcim.site"));
        assert_eq!(row.maybe(sheet.find(&["vlan"])), None);
    }

    #[test]
    fn a_first_line_of_excels_says_the_delimiter_and_is_counted() {
        let text = "sep=;\r\nPrefix;Status\r\n10.0.0.0/8;a,b,c,d\r\n";
        let sheet = sheet(text).unwrap();
        let [prefix, status] = sheet.need([&["prefix"], &["status"]]).unwrap();
        let row = sheet.rows().next().unwrap();
        assert_eq!(row.cell(status), "a,b,c,d");
        assert!(row.wrong(prefix, "no prefix").to_string().starts_with("p.csv, line 3: "));
    }

    #[test]
    fn a_column_has_the_name_that_was_given_or_the_english_one() {
        let columns: Columns = "status=Zustand".parse().unwrap();
        for header in ["Prefix,Zustand", "Prefix,Status", "Status,Zustand"] {
            let text = format!("{header}\na,b\n");
            let sheet = Sheet::of("p.csv".into(), &text, &columns).unwrap();
            let [status] = sheet.need([&["status"]]).unwrap();
            assert_eq!(sheet.rows().next().unwrap().cell(status), "b", "{header}");
        }
    }

    #[test]
    fn missing_columns_are_named_with_those_that_are_there() {
        let sheet = sheet("Präfix,Status,Präfix\na,b,c\n").unwrap();
        let error = sheet.need([&["prefix"], &["status"], &["vlan"]]).unwrap_err().to_string();
        assert_eq!(
            error,
            "p.csv lacks the columns prefix, vlan; it has Präfix, Status, Präfix: export it with \
             the interface in English, or say what the columns are called by --columns \
             prefix=…,vlan=…"
        );
        let columns: Columns = "prefix=Präfix".parse().unwrap();
        let sheet = Sheet { columns, ..sheet };
        let [prefix] = sheet.need([&["prefix"]]).unwrap();
        assert_eq!(sheet.rows().next().unwrap().cell(prefix), "a");
    }

    #[test]
    fn a_broken_file_is_one_sentence_with_its_line() {
        let error = sheet("a,b\n1,2\n1,2,3\n").unwrap_err().to_string();
        assert_eq!(
            error,
            "p.csv, line 3: the row has 3 cells and the header 2; is a quote missing?"
        );
        assert!(matches!(sheet(" \r\n"), Err(CsvError::Empty(_))));
    }

    #[test]
    fn statuses_in_another_language_are_noticed() {
        let check = |text: &str| {
            let sheet = sheet(text).unwrap();
            let [status] = sheet.need([&["status"]]).unwrap();
            sheet.check_language(status, &["active"], &["container"]).map_err(|it| it.to_string())
        };
        let error = check("Status\nAktiv\nContainer\nReserviert\n").unwrap_err();
        assert!(error.contains("`aktiv`"), "{error}");
        assert_eq!(check("Status\nActive\nPlanned\n"), Ok(()));
        assert_eq!(check("Status\nContainer\n"), Ok(()));
    }
}
