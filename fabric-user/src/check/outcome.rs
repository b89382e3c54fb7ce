//! What has become of a suite.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    case::Case,
    finding::{Finding, Judged, Stop},
};

/// What has become of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// All is as it should be.
    Passed,
    /// It was left out, and says why.
    Skipped,
    /// Somebody could not be asked, or has said nothing that decides.
    NotAsked,
    /// Something is not as it should be.
    Failed,
}

impl Outcome {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Passed, Self::Failed, Self::NotAsked, Self::Skipped];

    /// As people read it.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotAsked => "could not be asked",
            Self::Skipped => "skipped",
        }
    }

    /// The first word of a line.
    pub(crate) const fn mark(self) -> &'static str {
        match self {
            Self::Passed => "pass",
            Self::Failed => "FAIL",
            Self::NotAsked => "ASK ",
            Self::Skipped => "skip",
        }
    }
}

/// A case and what has become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decided {
    /// Name of the case, unique in the suite.
    pub(crate) case: String,
    /// Its kind.
    pub(crate) kind: String,
    /// The device that it is about.
    pub(crate) device: String,
    /// The suite's file.
    pub(crate) file: String,
    /// The line of its table there.
    pub(crate) line: usize,
    /// What has become of it.
    pub(crate) outcome: Outcome,
    /// What should be, if it has failed.
    pub(crate) expected: Option<String>,
    /// What is.
    pub(crate) actual: Option<String>,
    /// The likely cause, if it has failed.
    pub(crate) likely: Option<String>,
    /// The next command, if it has failed.
    pub(crate) next: Option<String>,
    /// Why it was left out, or could not be asked.
    pub(crate) why: Option<String>,
    /// It was left out not by its table, but because nobody asks its device or may break something there.
    #[serde(default)]
    pub(crate) left_out: bool,
    /// At the last look it was as it should be, and too late for that to count.
    #[serde(default)]
    pub(crate) late: bool,
    /// Milliseconds from its first look until it was true, if it has passed, or else until it was decided.
    pub(crate) took_ms: u64,
    /// How often it was looked at: more than once only where its table says something of time.
    pub(crate) looks: u32,
    /// Number of the round that has decided it.
    pub(crate) round: u32,
    /// Number of the round that this was compared with.
    pub(crate) compared_with: Option<u32>,
}

impl Decided {
    /// A case that was looked at.
    pub(crate) fn of(file: &str, case: &Case, judged: Judged) -> Self {
        let mut this = Self {
            case: case.name.clone(),
            kind: case.kind.to_owned(),
            device: case.draft.device.clone(),
            file: file.to_owned(),
            line: case.line,
            outcome: Outcome::Passed,
            expected: None,
            actual: None,
            likely: None,
            next: None,
            why: None,
            left_out: false,
            late: false,
            took_ms: 0,
            looks: 0,
            round: 0,
            compared_with: None,
        };
        match judged {
            Ok(actual) => this.actual = Some(actual),
            Err(Stop::NotAsked(why)) => (this.outcome, this.why) = (Outcome::NotAsked, Some(why)),
            Err(Stop::Failed(Finding { expected, actual, likely, next })) => {
                this.outcome = Outcome::Failed;
                (this.expected, this.actual) = (Some(expected), Some(actual));
                (this.likely, this.next) = (Some(likely), Some(next));
            }
        }
        this
    }

    /// One that was left out.
    pub(crate) fn skipped(file: &str, case: &Case, why: String) -> Self {
        Self {
            outcome: Outcome::Skipped,
            actual: None,
            why: Some(why),
            ..Self::of(file, case, Ok(String::new()))
        }
    }
}

/// What has become of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The suite's title.
    pub(crate) title: String,
    /// Its file.
    pub(crate) file: String,
    /// Name of the topology.
    pub(crate) topology: String,
    /// Milliseconds since 1970 at the beginning.
    pub(crate) began_ms: u64,
    /// Milliseconds from there to the end.
    pub(crate) took_ms: u64,
    /// The version of fabricctl.
    pub(crate) version: String,
    /// The cases in the order of the file.
    pub(crate) cases: Vec<Decided>,
}

impl Report {
    /// Cases of an outcome.
    pub(crate) fn of(&self, outcome: Outcome) -> impl Iterator<Item = &Decided> {
        self.cases.iter().filter(move |it| it.outcome == outcome)
    }

    /// How many of them there are.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.of(outcome).count()
    }

    /// 0 if all have passed that were not left out, 1 if one has failed, else 3 if one could not be asked or nothing was
    /// checked.
    pub(crate) fn status(&self) -> u8 {
        match (self.count(Outcome::Failed), self.count(Outcome::NotAsked)) {
            (0, 0) if self.is_empty() => 3,
            (0, 0) => 0,
            (0, _) => 3,
            _ => 1,
        }
    }

    /// Whether nothing was checked, and not because the suite says so.
    pub(crate) fn is_empty(&self) -> bool {
        let is_skipped = |it: &Decided| it.outcome == Outcome::Skipped;
        self.cases.iter().all(is_skipped) && self.cases.iter().any(|it| it.left_out)
    }

    /// How long it took.
    pub(crate) const fn took(&self) -> Duration {
        Duration::from_millis(self.took_ms)
    }

    /// How many cases of each outcome: `12 passed (3 after several looks), 1 failed`.
    pub(crate) fn tally(&self) -> String {
        let is_told = |it: &Outcome| self.count(*it) > 0 || *it == Outcome::Passed;
        let words = |outcome: Outcome| {
            let several = match self.of(outcome).filter(|it| it.looks > 1).count() {
                0 => String::new(),
                count => format!(" ({count} after several looks)"),
            };
            format!("{} {}{several}", self.count(outcome), outcome.words())
        };
        Outcome::ALL.into_iter().filter(is_told).map(words).collect::<Vec<_>>().join(", ")
    }
}
