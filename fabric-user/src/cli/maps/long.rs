//! Tables that can have a million rows: printed page by page, never cut short.

use super::{Each, Source, filter::Filter};
use crate::cli::{
    print::{self, Style},
    sheet::{Cell, Column, Sheet, Widths},
};

/// Rows of a page.
const PAGE: usize = 10_000;

/// How the rows of a long table come.
#[derive(Clone, Copy)]
pub(super) struct Long {
    pub(super) columns: &'static [Column],
    /// Said if there is none.
    pub(super) empty: &'static str,
    pub(super) rows: fn(&Source<'_>, Each<'_>) -> anyhow::Result<()>,
}

impl Long {
    /// A table without rows.
    pub(super) const fn head(self) -> Sheet {
        Sheet::new(self.columns, self.empty)
    }

    /// All rows at once.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(super) fn whole(self, source: &Source<'_>, filter: &Filter) -> anyhow::Result<Sheet> {
        let mut sheet = self.head();
        (self.rows)(source, &mut |row| {
            if filter.fits(&row) {
                sheet.row(row);
            }
            Ok(())
        })?;
        Ok(sheet)
    }

    /// Prints the rows; false if there was none, and then nothing is printed.
    ///
    /// # Errors
    /// If rows cannot be read or standard output is closed.
    pub(super) fn print(
        self,
        source: &Source<'_>,
        filter: &Filter,
        style: Style,
    ) -> anyhow::Result<bool> {
        let mut printer =
            Printer { sheet: self.head(), style, widths: Widths::default(), pages: 0 };
        (self.rows)(source, &mut |row| printer.row(row, filter))?;
        printer.end()
    }
}

struct Printer {
    /// The rows of the present page.
    sheet: Sheet,
    style: Style,
    widths: Widths,
    /// Pages that are printed.
    pages: usize,
}

impl Printer {
    fn row(&mut self, row: Vec<Cell>, filter: &Filter) -> anyhow::Result<()> {
        if !filter.fits(&row) {
            return Ok(());
        }
        if self.sheet.rows().len() == PAGE {
            self.page()?;
        }
        self.sheet.row(row);
        Ok(())
    }

    fn page(&mut self) -> anyhow::Result<()> {
        if self.style.json {
            // One list, whose brackets stand around all pages.
            let mut text = String::from(if self.pages == 0 { "[\n" } else { ",\n" });
            for (number, row) in self.sheet.rows().iter().enumerate() {
                text.push_str(if number == 0 { "" } else { ",\n" });
                text.push_str(&self.sheet.object(row).to_string());
            }
            print::text(&text)?;
        } else {
            print::text(&self.sheet.page(self.style.look(), &mut self.widths))?;
        }
        self.sheet.clear();
        self.pages += 1;
        Ok(())
    }

    fn end(mut self) -> anyhow::Result<bool> {
        let any = self.pages > 0 || !self.sheet.rows().is_empty();
        match (any, self.style.json, self.pages) {
            (false, ..) => {}
            (true, true, 0) => print::json(&self.sheet.json(), false)?,
            (true, true, _) => {
                self.page()?;
                print::text("\n]\n")?;
            }
            (true, false, _) => self.page()?,
        }
        Ok(any)
    }
}
