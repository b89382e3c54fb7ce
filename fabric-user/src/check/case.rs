//! Cases: what a table becomes for each name that it is about.

use std::{collections::BTreeSet, fmt, time::Duration};

use super::{finding::Judged, look::Look, probe::Probe, time::Time};

/// What a case says of a round.
pub(crate) type Judge = Box<dyn Fn(&Look<'_>) -> Judged + Send + Sync>;

/// What a kind makes of a table: a case without a name yet.
pub(crate) struct Draft {
    /// What it is about, unique within the table: `app leaf03`.
    pub(crate) subject: String,
    /// The device that it is about, or the one that asks.
    pub(crate) device: String,
    /// The devices whose facts it looks at.
    pub(crate) needs: BTreeSet<String>,
    /// What is asked besides.
    pub(crate) probes: Vec<Probe>,
    /// It compares two looks that lie so far apart.
    pub(crate) window: Option<Duration>,
    /// What it says.
    pub(crate) judge: Judge,
}

/// A case.
pub(crate) struct Case {
    /// Unique in its suite, and the same as long as the table says the same: kind and subject.
    pub(crate) name: String,
    /// Its kind.
    pub(crate) kind: &'static str,
    /// Line of its table.
    pub(crate) line: usize,
    /// When it is decided.
    pub(crate) time: Time,
    /// Why it is not looked at, if it is not.
    pub(crate) skip: Option<String>,
    /// The rest.
    pub(crate) draft: Draft,
}

impl Draft {
    /// About one device, whose facts decide.
    pub(crate) fn of(
        device: &str,
        subject: impl Into<String>,
        judge: impl Fn(&Look<'_>) -> Judged + Send + Sync + 'static,
    ) -> Self {
        Self {
            subject: subject.into(),
            device: device.to_owned(),
            needs: BTreeSet::from([device.to_owned()]),
            probes: Vec::new(),
            window: None,
            judge: Box::new(judge),
        }
    }

    /// About one device, that asks, and whose facts nobody needs.
    pub(crate) fn asking(
        device: &str,
        subject: impl Into<String>,
        probes: Vec<Probe>,
        judge: impl Fn(&Look<'_>) -> Judged + Send + Sync + 'static,
    ) -> Self {
        Self { needs: BTreeSet::new(), probes, ..Self::of(device, subject, judge) }
    }

    /// Looks at these as well.
    #[must_use]
    pub(crate) fn needing<T: ToString>(mut self, devices: impl IntoIterator<Item = T>) -> Self {
        self.needs.extend(devices.into_iter().map(|it| it.to_string()));
        self
    }

    /// Compares two looks.
    #[must_use]
    pub(crate) fn over(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }
}

impl Case {
    /// Whether it changes something for a while.
    pub(crate) fn disrupts(&self) -> bool {
        self.draft.probes.iter().any(Probe::disrupts)
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}
