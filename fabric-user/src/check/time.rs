//! When a case is decided: at once, when it becomes true, or when it has stayed true.

use std::time::Duration;

use super::{
    finding::{Finding, Judged, Stop, not_asked},
    span::measured,
};

/// A look takes a while itself: what it finds counts as found in time so long after the end.
const LATE: Duration = Duration::from_secs(1);

/// What a table says of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time {
    /// It must become true so soon after it was looked at first; none: one look decides.
    pub(crate) within: Option<Duration>,
    /// It must then stay true for so long.
    pub(crate) hold: Option<Duration>,
}

/// A case that is looked at until it is decided. Times are since the beginning of the suite.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    time: Time,
    /// When it was looked at first: from there on its time runs, and not from the suite's beginning.
    begun: Option<Duration>,
    /// When it was looked at last.
    last: Duration,
    /// When it was true first, since it has been so.
    since: Option<Duration>,
    /// Looks so far.
    pub(crate) looks: u32,
}

/// What a look has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It has to be looked at again, not later than this time since the beginning.
    Again(Option<Duration>),
    /// This is it.
    Decided(Judged),
}

impl Watch {
    pub(crate) fn new(time: Time) -> Self {
        Self { time, ..Self::default() }
    }

    /// Its time runs from here on, unless it runs already.
    pub(crate) fn begin(&mut self, at: Duration) {
        self.begun.get_or_insert(at);
    }

    /// Since when it has been true.
    pub(crate) fn true_since(&self) -> Option<Duration> {
        self.since
    }

    /// Time from its first look to another moment.
    pub(crate) fn until(&self, moment: Duration) -> Duration {
        self.begun.map_or(Duration::ZERO, |begun| moment.saturating_sub(begun))
    }

    /// After a look.
    pub(crate) fn seen(&mut self, at: Duration, judged: Judged) -> Next {
        self.begin(at);
        self.looks += 1;
        let before = std::mem::replace(&mut self.last, at);
        let Time { within, hold } = self.time;
        let (begun, hold) = (self.begun.unwrap_or(at), hold.unwrap_or_default());
        let end = within.map(|within| begun.saturating_add(within));
        match (judged, self.since) {
            (Ok(_), None)
                if self.looks > 1 && end.is_some_and(|end| at > end.saturating_add(LATE)) =>
            {
                let [now, before] = [at, before].map(|it| measured(it.saturating_sub(begun)));
                let within = measured(within.unwrap_or_default());
                Next::Decided(Err(not_asked(format!(
                    "it was as expected after {now} and not yet after {before}; whether it was within {within} nobody has seen"
                ))))
            }
            (Ok(found), since) => {
                let since = *self.since.insert(since.unwrap_or(at));
                match at.saturating_sub(since) >= hold {
                    true => Next::Decided(Ok(found)),
                    false => Next::Again(Some(since.saturating_add(hold))),
                }
            }
            (Err(stop), Some(since)) => {
                let held = measured(at.saturating_sub(since));
                Next::Decided(Err(relapsed(stop, &held)))
            }
            (Err(stop), None) => match end {
                Some(end) if at < end => Next::Again(Some(end)),
                _ => Next::Decided(Err(stop)),
            },
        }
    }
}

/// It was true for a while, and is not any more.
fn relapsed(stop: Stop, held: &str) -> Stop {
    match stop {
        Stop::Failed(Finding { expected, actual, likely, next }) => Stop::Failed(Finding {
            actual: format!("{actual}, after it was as expected for {held}"),
            expected,
            likely,
            next,
        }),
        Stop::NotAsked(why) => {
            Stop::NotAsked(format!("{why}, after it was as expected for {held}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn failed() -> Judged {
        Err(Finding::new("up", "down", "", "").into())
    }

    fn passed() -> Judged {
        Ok("up".into())
    }

    #[test]
    fn without_a_word_about_time_one_look_decides() {
        let mut watch = Watch::new(Time::default());
        assert_eq!(watch.seen(s(0), failed()), Next::Decided(failed()));
        assert_eq!(Watch::new(Time::default()).seen(s(0), passed()), Next::Decided(passed()));
    }

    #[test]
    fn within_a_time_it_may_become_true_and_behind_it_it_has_failed() {
        let time = Time { within: Some(s(10)), hold: None };
        let mut watch = Watch::new(time);
        assert_eq!(watch.seen(s(0), failed()), Next::Again(Some(s(10))));
        assert_eq!(watch.seen(s(4), passed()), Next::Decided(passed()));
        assert_eq!((watch.looks, watch.true_since()), (2, Some(s(4))));
        let mut watch = Watch::new(time);
        watch.seen(s(0), failed());
        assert_eq!(watch.seen(s(11), failed()), Next::Decided(failed()));
    }

    #[test]
    fn its_time_runs_from_its_first_look_however_late_in_the_suite_that_is() {
        let mut watch = Watch::new(Time { within: Some(s(2)), hold: None });
        assert_eq!(watch.seen(s(14), failed()), Next::Again(Some(s(16))));
        assert_eq!(watch.seen(s(15), passed()), Next::Decided(passed()));
        assert_eq!(watch.until(s(15)), s(1));
    }

    #[test]
    fn what_became_true_while_nobody_looked_may_have_been_late() {
        let mut watch = Watch::new(Time { within: Some(s(10)), hold: None });
        watch.seen(s(1), failed());
        assert_eq!(
            watch.seen(s(41), passed()),
            Next::Decided(Err(not_asked(
                "it was as expected after 40.0 s and not yet after 0 µs; whether it was within 10.0 s nobody has seen"
            )))
        );
        let mut first = Watch::new(Time { within: Some(s(10)), hold: None });
        assert_eq!(first.seen(s(41), passed()), Next::Decided(passed()), "it was never false");
        let mut last = Watch::new(Time { within: Some(s(10)), hold: None });
        last.seen(s(0), failed());
        let at_the_end = s(10) + Duration::from_millis(300);
        assert_eq!(last.seen(at_the_end, passed()), Next::Decided(passed()), "the last look");
    }

    #[test]
    fn a_time_that_never_ends_is_no_reason_to_panic() {
        let time = Time { within: Some(Duration::MAX), hold: Some(Duration::MAX) };
        let mut watch = Watch::new(time);
        assert_eq!(watch.seen(s(1), failed()), Next::Again(Some(Duration::MAX)));
        assert_eq!(watch.seen(s(2), passed()), Next::Again(Some(Duration::MAX)));
    }

    #[test]
    fn what_has_to_stay_true_is_decided_when_it_has_and_at_once_when_it_has_not() {
        let mut watch = Watch::new(Time { within: None, hold: Some(s(5)) });
        assert_eq!(watch.seen(s(1), passed()), Next::Again(Some(s(6))));
        assert_eq!(watch.clone().seen(s(6), passed()), Next::Decided(passed()));
        let Next::Decided(Err(Stop::Failed(finding))) = watch.seen(s(3), failed()) else {
            panic!("it has failed")
        };
        assert_eq!(finding.actual, "down, after it was as expected for 2.0 s");
    }
}
