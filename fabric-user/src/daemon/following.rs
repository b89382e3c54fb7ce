//! Keeps the model what the kernel says: by its messages, and by surveys where those do not suffice.

use std::{io, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    round::Round,
    survey::{Purpose, Survey, Surveyor},
};
use crate::observe::{Batch, ObserveError, Observer};

/// After a link event the kernel removes nexthops and routes without a message; this much later
/// they are read anew.
const ROUTING_SETTLES: Duration = Duration::from_millis(50);

/// Where news comes from.
pub(super) struct Following {
    observer: Observer,
    surveyor: Surveyor,
    /// When routing is to be read anew.
    routing: Option<Instant>,
    /// Everything was read at least once, so that changes have something that they change.
    is_started: bool,
}

/// What there is to know.
pub(super) enum News {
    /// Something happened.
    Batch(Batch),
    /// A survey has ended.
    Survey(Survey),
}

impl Following {
    /// Begins with a survey of everything.
    pub(super) fn begin(observer: Observer) -> anyhow::Result<Self> {
        let mut surveyor = Surveyor::new()?;
        surveyor.begin(Purpose::Sync)?;
        Ok(Self { observer, surveyor, routing: None, is_started: false })
    }

    /// Everything was read at least once.
    pub(super) const fn is_started(&self) -> bool {
        self.is_started
    }

    /// Begins to read everything, to compare it with the maps.
    pub(super) fn audit(&mut self) -> io::Result<()> {
        self.surveyor.begin(Purpose::Audit)
    }

    /// Waits for news. Cancel-safe.
    pub(super) async fn news(&mut self) -> anyhow::Result<News> {
        loop {
            tokio::select! {
                biased;
                survey = self.surveyor.ended() => return survey.map(News::Survey),
                () = until(self.routing) => {
                    self.routing = None;
                    self.surveyor.begin(Purpose::Routing)?;
                }
                batch = listen(&mut self.observer, self.is_started) => {
                    return Ok(News::Batch(batch?));
                }
            }
        }
    }

    /// Tells the round.
    pub(super) fn tell(&mut self, news: News, round: &mut Round) -> anyhow::Result<()> {
        match news {
            News::Batch(batch) => self.tell_batch(batch, round),
            News::Survey(survey) => self.tell_survey(survey, round),
        }
    }

    fn tell_batch(&mut self, batch: Batch, round: &mut Round) -> anyhow::Result<()> {
        match batch {
            Batch::Events(events) => {
                self.surveyor.note(&events);
                if round.events(events)? {
                    self.routing.get_or_insert(Instant::now() + ROUTING_SETTLES);
                }
            }
            Batch::Lost => {
                tracing::warn!("the kernel dropped messages, reading everything anew");
                round.lost();
                self.surveyor.lost()?;
            }
        }
        Ok(())
    }

    fn tell_survey(&mut self, mut survey: Survey, round: &mut Round) -> anyhow::Result<()> {
        // What the survey has seen happened before, so that there are messages of it by now. An audit
        // would take for a mistake what is only news.
        while self.is_started
            && let Some(batch) = self.observer.queued()?
        {
            match &batch {
                Batch::Events(events) => survey.since.extend_from_slice(events),
                Batch::Lost => return self.tell_batch(batch, round),
            }
            self.tell_batch(batch, round)?;
        }
        round.take(survey)?;
        self.is_started = true;
        Ok(())
    }
}

/// The next changes, which nobody can apply before the start.
async fn listen(observer: &mut Observer, is_started: bool) -> Result<Batch, ObserveError> {
    match is_started {
        true => observer.next().await,
        false => Err(observer.keep().await),
    }
}

/// Waits for ever if there is no such time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
