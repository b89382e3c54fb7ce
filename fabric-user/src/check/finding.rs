//! What a case has found.

/// What is not as it should be: three phrases and the next command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What should be.
    pub(crate) expected: String,
    /// What is.
    pub(crate) actual: String,
    /// The likely cause.
    pub(crate) likely: String,
    /// The next command, or what else to do.
    pub(crate) next: String,
}

/// Why a case has not passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is not as it should be.
    Failed(Finding),
    /// Somebody could not be asked, or has said nothing that decides: a sentence.
    NotAsked(String),
}

/// What was found: a phrase, if it is as it should be.
pub(crate) type Judged = Result<String, Stop>;

impl Finding {
    /// Of these four.
    pub(crate) fn new(
        expected: impl Into<String>,
        actual: impl Into<String>,
        likely: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            expected: expected.into(),
            actual: actual.into(),
            likely: likely.into(),
            next: next.into(),
        }
    }
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Self::Failed(finding)
    }
}

/// Nobody can say.
pub(crate) fn not_asked(why: impl Into<String>) -> Stop {
    Stop::NotAsked(why.into())
}

/// Names as a sentence has them: `a, b, c`, or `nothing`.
pub(crate) fn list<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}
