//! What is to be read anew, and when.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{backoff::Backoff, snapshot::Purpose};

/// After some events the kernel changes more without a message, as nexthops and routes after one of a
/// link; this much later they are read anew.
const SETTLES: Duration = Duration::from_millis(50);

/// Shared by whoever finds out that something has to be read and who reads it.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda(Rc<RefCell<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    due: BTreeMap<Purpose, Instant>,
    /// One each: what fails again and again makes nothing else wait.
    backoffs: BTreeMap<Purpose, Backoff>,
}

impl Agenda {
    /// Reads something as soon as possible.
    pub(super) fn now(&self, purpose: Purpose) {
        self.after(Duration::ZERO, purpose);
    }

    /// Something is not what it was, or will not be in a moment: reads it then.
    pub(super) fn is_stale(&self, purpose: Purpose) {
        self.after(SETTLES, purpose);
    }

    /// Reads something after a time, unless that happens before anyway.
    pub(super) fn after(&self, wait: Duration, purpose: Purpose) {
        let at = Instant::now() + wait;
        let due = &mut self.0.borrow_mut().due;
        let due = due.entry(purpose).or_insert(at);
        *due = at.min(*due);
    }

    /// Something failed that reading makes good: reads it, later with each failure. Returns how much later.
    pub(super) fn retry(&self, purpose: Purpose) -> Duration {
        let mut entries = self.0.borrow_mut();
        let wait = entries.backoffs.entry(purpose).or_default().after_failure(Instant::now());
        drop(entries);
        self.after(wait, purpose);
        wait
    }

    /// Waits until something is to be read, which is taken off then; for ever if nothing is. Cancel-safe.
    pub(super) async fn next(&self) -> Purpose {
        let first = self.0.borrow().due.iter().min_by_key(|(_, at)| **at).map(|(p, at)| (*p, *at));
        let Some((purpose, at)) = first else { return std::future::pending().await };
        sleep_until(at).await;
        self.0.borrow_mut().due.remove(&purpose);
        purpose
    }

    /// What is to be read sooner or later, which is taken off.
    #[cfg(test)]
    pub(super) fn take(&self) -> Vec<Purpose> {
        std::mem::take(&mut self.0.borrow_mut().due).into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_due_first_comes_first_and_once_and_a_later_wish_for_the_same_changes_nothing()
    {
        let agenda = Agenda::default();
        let hour = Duration::from_secs(3_600);
        let start = Instant::now();
        agenda.is_stale(Purpose::Routing);
        agenda.after(hour, Purpose::Audit);
        agenda.after(hour, Purpose::Routing);
        agenda.now(Purpose::Bridges);
        assert_eq!(agenda.next().await, Purpose::Bridges);
        assert_eq!(agenda.next().await, Purpose::Routing);
        assert!(start.elapsed() >= SETTLES);
        agenda.now(Purpose::Audit);
        assert_eq!(agenda.next().await, Purpose::Audit);
        let more = tokio::time::timeout(SETTLES, agenda.next()).await;
        assert!(more.is_err(), "{more:?}");
    }

    #[test]
    fn audits_that_fail_again_and_again_make_nothing_else_wait() {
        let agenda = Agenda::default();
        let waits: Vec<_> = (0..5).map(|_| agenda.retry(Purpose::Audit)).collect();
        assert!(waits.is_sorted_by(|a, b| a < b), "{waits:?}");
        assert_eq!(agenda.retry(Purpose::Sync), waits[0]);
    }
}
