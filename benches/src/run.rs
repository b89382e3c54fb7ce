//! How a question's binary runs: what it is asked with, which entries it measures, and where the
//! answers go.

use std::{process::ExitCode, slice};

use anyhow::{Result, bail};
use clap::Parser;
use serde::Serialize;

use crate::{arena, environment::Environment, processor::Processor, report};

/// What every question is asked with.
#[derive(Clone, Debug, Parser)]
pub struct Asked {
    /// Only this entry of the report.
    pub entry: Option<String>,
    /// All entries, also those that a usual run leaves out.
    #[arg(long, conflicts_with = "quick")]
    pub all: bool,
    /// Fewer entries, rounds and frames: to see that everything works, not to compare.
    #[arg(long)]
    pub quick: bool,
}

/// What a question is asked with whose contenders take turns.
#[derive(Clone, Debug, Parser)]
pub struct Rounds {
    /// Which entries.
    #[command(flatten)]
    pub asked: Asked,
    /// Rounds in which every contender takes one turn; by default few with --quick.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
}

/// When an entry is measured without being named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Always.
    Quick,
    /// Unless `--quick` is given.
    Usual,
    /// Only with `--all`.
    All,
}

impl Rounds {
    /// How many: what was asked for, or else this many.
    #[must_use]
    pub fn number(&self, usual: u32, quick: u32) -> u32 {
        self.rounds.unwrap_or(if self.asked.quick { quick } else { usual })
    }
}

impl Asked {
    /// The entry that was named, or without one all of those whose time it is. `about` is an entry's
    /// name and when it is measured.
    ///
    /// # Errors
    /// If there is no such entry.
    pub fn wanted<'e, E>(
        &self,
        entries: &'e [E],
        about: impl Fn(&E) -> (&'static str, When),
    ) -> Result<Vec<&'e E>> {
        let until = match (self.quick, self.all) {
            (true, _) => When::Quick,
            (false, false) => When::Usual,
            (false, true) => When::All,
        };
        let is_wanted = |entry: &&E| {
            let (this, when) = about(entry);
            self.entry.as_deref().map_or(when <= until, |name| name == this)
        };
        let wanted: Vec<_> = entries.iter().filter(is_wanted).collect();
        if wanted.is_empty() {
            let names: Vec<_> = entries.iter().map(|entry| about(entry).0).collect();
            bail!("there is no such entry; take one of {}", names.join(", "));
        }
        Ok(wanted)
    }

    /// Measures the [`wanted`](Self::wanted) entries on a `processor`, and writes the report.
    ///
    /// # Errors
    /// If something cannot be set up, or as `measure`.
    pub fn each<'e, E, F: Serialize>(
        &self,
        entries: &'e [E],
        about: impl Fn(&E) -> (&'static str, When),
        processor: impl FnOnce() -> Result<Processor>,
        mut measure: impl FnMut(&'e E, Environment) -> Result<F>,
    ) -> Result<Vec<F>> {
        let wanted = self.wanted(entries, about)?;
        let environment = Environment::read(processor()?);
        let mut found = Vec::new();
        for entry in wanted {
            // A fresh network for each entry: nothing of the one before is in the kernel's tables.
            arena::enter()?;
            let one = measure(entry, environment.clone())?;
            report::write(&report::path(), slice::from_ref(&one))?;
            found.push(one);
        }
        println!("written to target/bench/report.json");
        Ok(found)
    }
}

/// Ends a question's binary.
#[must_use]
pub fn end<T>(result: Result<T>) -> ExitCode {
    match result {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::{contest, daemon};

    const ENTRIES: [(&str, When); 3] = [("a", When::Quick), ("b", When::Usual), ("c", When::All)];

    fn names(name: Option<&str>, quick: bool, all: bool) -> Result<String> {
        let asked = Asked { entry: name.map(str::to_owned), quick, all };
        let wanted = asked.wanted(&ENTRIES, |entry| *entry)?;
        Ok(wanted.iter().map(|entry| entry.0).collect())
    }

    #[test]
    fn a_name_chooses_its_entry_and_no_name_those_of_the_run() {
        assert_eq!(names(None, true, false).unwrap(), "a");
        assert_eq!(names(None, false, false).unwrap(), "ab");
        assert_eq!(names(None, false, true).unwrap(), "abc");
        assert_eq!(names(Some("c"), true, false).unwrap(), "c", "also if the run is shorter");
        let error = names(Some("d"), false, true).unwrap_err().to_string();
        assert_eq!(error, "there is no such entry; take one of a, b, c");
    }

    #[test]
    fn what_questions_are_asked_with_fits_together() {
        let commands =
            [Rounds::command(), contest::Arguments::command(), daemon::Arguments::command()];
        commands.into_iter().for_each(clap::Command::debug_assert);
    }
}
