//! Keeps the model what the kernel says: by its messages, and by surveys where those do not suffice.

use std::{collections::BTreeMap, io, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    round::Round,
    survey::{Purpose, Survey, Surveyor},
};
use crate::observe::{Batch, ObserveError, Observer};

/// After some events the kernel changes more without a message, as nexthops and routes after one of a
/// link; this much later they are read anew.
const SETTLES: Duration = Duration::from_millis(50);

/// Where news comes from.
pub(super) struct Following {
    observer: Observer,
    surveyor: Surveyor,
    /// What is to be read anew, and when.
    stale: BTreeMap<Purpose, Instant>,
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
        Ok(Self { observer, surveyor, stale: BTreeMap::new(), is_started: false })
    }

    /// Everything was read at least once.
    pub(super) const fn is_started(&self) -> bool {
        self.is_started
    }

    /// Begins to read everything, to compare it with the maps.
    pub(super) fn audit(&mut self) -> io::Result<()> {
        self.surveyor.begin(Purpose::Audit)
    }

    /// Begins to read what bridges change without a message.
    pub(super) fn look_at_bridges(&mut self) -> io::Result<()> {
        self.surveyor.begin(Purpose::Bridges)
    }

    /// Waits for news. Cancel-safe.
    pub(super) async fn news(&mut self) -> anyhow::Result<News> {
        loop {
            tokio::select! {
                biased;
                survey = self.surveyor.ended() => return survey.map(News::Survey),
                purpose = due(&self.stale) => {
                    self.stale.remove(&purpose);
                    self.surveyor.begin(purpose)?;
                }
                batch = listen(&mut self.observer, self.is_started) => {
                    let batch = batch?;
                    self.surveyor.note(&batch)?;
                    return Ok(News::Batch(batch));
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
                for purpose in round.events(events)? {
                    self.stale.entry(purpose).or_insert_with(|| Instant::now() + SETTLES);
                }
            }
            Batch::Lost => {
                tracing::warn!("the kernel dropped messages, reading everything anew");
                round.lost();
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
            self.surveyor.note(&batch)?;
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

/// Waits until something is to be read; for ever if nothing is.
async fn due(stale: &BTreeMap<Purpose, Instant>) -> Purpose {
    match stale.iter().min_by_key(|(_, time)| **time) {
        Some((purpose, time)) => {
            sleep_until(*time).await;
            *purpose
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{
        Event,
        tests::live::{PATIENCE, in_namespace, sh},
    };

    /// So many that a survey takes longer than a change.
    const MACS: &str = "ip link add br10 up type bridge; ip link add p1 type veth peer p2; \
        ip link set p1 up; ip link set p2 up; ip link set p1 master br10; \
        for i in $(seq 0 159); do for j in $(seq 0 127); do \
        printf 'fdb add 02:bb:00:%02x:%02x:01 dev p1 master dynamic\n' $i $j; done; done \
        | bridge -batch -";

    async fn next(following: &mut Following) -> News {
        tokio::time::timeout(PATIENCE, following.news()).await.expect("there is news").unwrap()
    }

    fn has_mac(events: &[Event], byte: u8) -> bool {
        let is_it = |event: &Event| matches!(event, Event::BridgeMac(mac) if mac.mac.0[1] == byte);
        events.iter().any(is_it)
    }

    #[test]
    fn changes_are_told_during_an_audit_and_are_kept_for_its_end() {
        in_namespace(|| async {
            sh(MACS);
            let mut following = Following::begin(Observer::open().unwrap()).unwrap();
            let News::Survey(first) = next(&mut following).await else {
                panic!("nothing can be changed before everything was read once");
            };
            assert_eq!(first.purpose, Purpose::Sync);
            following.is_started = true;
            let deadline = Instant::now() + PATIENCE;
            // The machine may be so busy that the change comes too late.
            for turn in 0.. {
                following.audit().unwrap();
                sh(&format!("bridge fdb replace 02:aa:00:00:00:{turn:02x} dev p1 master dynamic"));
                let mut told = false;
                let audit = loop {
                    match next(&mut following).await {
                        News::Survey(survey) => break survey,
                        News::Batch(Batch::Events(events)) => told |= has_mac(&events, 0xaa),
                        News::Batch(Batch::Lost) => panic!("nothing is lost in this test"),
                    }
                };
                assert_eq!(audit.purpose, Purpose::Audit);
                assert_eq!(has_mac(&audit.since, 0xaa), told);
                if told {
                    return;
                }
                assert!(Instant::now() < deadline, "no change is told during an audit");
            }
        });
    }

    #[test]
    fn a_survey_during_which_messages_were_lost_is_made_again() {
        in_namespace(|| async {
            sh(MACS);
            let mut following = Following::begin(Observer::open().unwrap()).unwrap();
            next(&mut following).await;
            following.is_started = true;
            following.audit().unwrap();
            following.surveyor.note(&Batch::Lost).unwrap();
            // The new links still have news of their own.
            let survey = loop {
                if let News::Survey(survey) = next(&mut following).await {
                    break survey;
                }
            };
            assert_eq!(survey.purpose, Purpose::Sync);
        });
    }
}
