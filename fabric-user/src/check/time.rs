//! When a case is decided: at once, when it becomes true, or when it has stayed true.

use std::time::Duration;

use super::{finding::Finding, finding::Judged, finding::Stop, span::measured};

/// What a table says of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time {
    /// It must become true so soon; none: one look decides.
    pub(crate) within: Option<Duration>,
    /// It must then stay true for so long.
    pub(crate) hold: Option<Duration>,
}

/// A case that is looked at until it is decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    time: Time,
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

    /// Since when it has been true, since the beginning.
    pub(crate) fn true_since(&self) -> Option<Duration> {
        self.since
    }

    /// After a look at a time since the beginning.
    pub(crate) fn seen(&mut self, elapsed: Duration, judged: Judged) -> Next {
        self.looks += 1;
        let hold = self.time.hold.unwrap_or_default();
        match (judged, self.since) {
            (Ok(found), since) => {
                let since = *self.since.insert(since.unwrap_or(elapsed));
                match elapsed.saturating_sub(since) >= hold {
                    true => Next::Decided(Ok(found)),
                    false => Next::Again(Some(since + hold)),
                }
            }
            (Err(stop), Some(since)) => {
                let held = measured(elapsed.saturating_sub(since));
                Next::Decided(Err(relapsed(stop, &held)))
            }
            (Err(stop), None) => match self.time.within {
                Some(within) if elapsed < within => Next::Again(Some(within)),
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
        assert_eq!(watch.seen(s(11), failed()), Next::Decided(failed()));
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
