//! From which addresses the kernel sends to the VTEPs of vxlan devices without a local address, and of next hops that
//! choose their tunnel: it tells only who asks.

use std::time::{Duration, Instant};

use crate::{model::Structure, observe::SourceQuestion};

/// What the kernel is asked in one tick: some milliseconds.
const PORTION: usize = 512;
/// After so long all is asked again, whatever the kernel has told: it does not tell everything.
const REST: Duration = Duration::from_secs(10);

/// What is to be asked, and when.
pub(super) struct Sources {
    /// Of the present turn.
    waiting: Vec<SourceQuestion>,
    /// Another turn is to follow at once.
    again: bool,
    /// When the last turn began.
    began: Instant,
}

impl Default for Sources {
    fn default() -> Self {
        Self { waiting: Vec::new(), again: false, began: Instant::now() }
    }
}

impl Sources {
    /// The answers may be others from now on.
    pub(super) const fn changed(&mut self) {
        self.again = true;
    }

    /// What to ask at this moment.
    pub(super) fn next(&mut self, structure: &Structure) -> Vec<SourceQuestion> {
        if self.waiting.is_empty() {
            if !self.again && self.began.elapsed() < REST {
                return Vec::new();
            }
            (self.again, self.began) = (false, Instant::now());
            self.waiting.extend(&structure.questions);
        }
        let rest = self.waiting.len().saturating_sub(PORTION);
        self.waiting.split_off(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questions(count: u32) -> Structure {
        let question = |over| SourceQuestion {
            remote: "192.0.2.2".parse().expect("an address"),
            port: None,
            over: Some(over),
        };
        Structure { questions: (1..=count).map(question).collect(), ..Structure::default() }
    }

    #[test]
    fn all_is_asked_in_portions_after_a_change_and_then_no_more() {
        let structure = questions(2 * PORTION as u32 + 1);
        let mut sources = Sources::default();
        assert!(sources.next(&structure).is_empty());
        sources.changed();
        let turn = |sources: &mut Sources| -> Vec<usize> {
            let portions = std::iter::from_fn(|| Some(sources.next(&structure)));
            portions.take(4).map(|portion| portion.len()).collect()
        };
        assert_eq!(turn(&mut sources), [PORTION, PORTION, 1, 0]);
        // What changes meanwhile is asked for when the turn is over.
        sources.changed();
        assert_eq!(sources.next(&structure).len(), PORTION);
        sources.changed();
        assert_eq!(turn(&mut sources), [PORTION, 1, PORTION, PORTION]);
    }
}
