//! The parts of a test run on the terminal, with how long each took.

use std::time::Instant;

use super::tally::Tally;

/// A part of the run that has begun.
pub(super) struct Section {
    title: String,
    start: Instant,
}

impl Section {
    /// Prints the heading.
    pub(super) fn begin(title: &str) -> Self {
        println!("\n== {title} ==");
        Self { title: title.to_owned(), start: Instant::now() }
    }

    /// Prints how long it took and, for tests, what they came to.
    pub(super) fn end(self, tally: Option<Tally>) {
        let seconds = self.start.elapsed().as_secs_f32();
        match tally {
            Some(Tally { passed, failed, ignored }) => println!(
                "-- {}: {passed} passed, {failed} failed, {ignored} ignored in {seconds:.1} s",
                self.title
            ),
            None => println!("-- {}: {seconds:.1} s", self.title),
        }
    }
}
