//! Reads everything anew while changes go on being applied.
//!
//! A dump of many MAC addresses or routes takes seconds. A thread reads it and makes a model of it, and
//! whatever changes meanwhile is both applied to the model in use and kept: with it the new model takes
//! the old one's place.

use std::{collections::BTreeSet, io, thread};

use anyhow::Context as _;
use tokio::sync::oneshot;

use crate::{
    model::{Dirty, Network},
    observe::{Asker, Batch, Event, ObserveError, Scope},
};

/// What a survey is for. Of those that wait the greatest one is made first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// Bridges may have changed in a way of which the kernel says nothing.
    Bridges,
    /// A link went down, and with it nexthops and routes, of which the kernel says nothing.
    Routing,
    /// To find out whether the maps hold what they should.
    Audit,
    /// Nothing is known, or messages were lost.
    Sync,
}

/// What a thread has read.
pub(super) enum Found {
    /// Everything.
    All(Box<Network>),
    /// See [`Scope::Routing`].
    Routing(Vec<Event>),
    /// See [`Scope::Bridges`].
    Bridges(Vec<Event>),
}

/// What a survey has brought.
pub(super) struct Survey {
    pub(super) purpose: Purpose,
    pub(super) found: Found,
    /// What has changed since before it began.
    pub(super) since: Vec<Event>,
}

/// Makes surveys, one at a time.
pub(super) struct Surveyor {
    /// Is there as long as no thread has it.
    asker: Option<Asker>,
    under_way: Option<UnderWay>,
    waiting: BTreeSet<Purpose>,
}

struct UnderWay {
    purpose: Purpose,
    answer: oneshot::Receiver<(Asker, Result<Found, ObserveError>)>,
    since: Vec<Event>,
    /// Changes have happened that are not among those.
    is_void: bool,
}

/// Changes during a survey that are kept at most, 90 MB; with more it is made again.
const MOST: usize = 1 << 19;

impl Surveyor {
    /// One that has nothing to do. Whatever happens from now on must already be listened to.
    pub(super) fn new() -> Result<Self, ObserveError> {
        Ok(Self { asker: Some(Asker::open()?), under_way: None, waiting: BTreeSet::new() })
    }

    /// Begins a survey, or remembers to do so when the present one has ended.
    pub(super) fn begin(&mut self, purpose: Purpose) -> io::Result<()> {
        let Some(mut asker) = self.asker.take() else {
            self.waiting.insert(purpose);
            return Ok(());
        };
        let (send, answer) = oneshot::channel();
        // Nobody waits for the thread: the daemon may end while it reads.
        thread::Builder::new().name("survey".into()).spawn(move || {
            let found = read(&mut asker, purpose);
            drop(send.send((asker, found)));
        })?;
        self.under_way = Some(UnderWay { purpose, answer, since: Vec::new(), is_void: false });
        Ok(())
    }

    /// Keeps what has changed, if a survey is under way. If that was lost, everything is read anew.
    pub(super) fn note(&mut self, batch: &Batch) -> io::Result<()> {
        let Some(survey) = &mut self.under_way else {
            return match batch {
                Batch::Events(_) => Ok(()),
                Batch::Lost => self.begin(Purpose::Sync),
            };
        };
        match batch {
            Batch::Events(events) if survey.since.len() + events.len() <= MOST => {
                survey.since.extend_from_slice(events);
            }
            Batch::Events(_) => survey.is_void = true,
            Batch::Lost => {
                survey.is_void = true;
                self.waiting.insert(Purpose::Sync);
            }
        }
        Ok(())
    }

    /// Waits for the end of a survey; for ever while there is none. Cancel-safe.
    pub(super) async fn ended(&mut self) -> anyhow::Result<Survey> {
        loop {
            let Some(survey) = &mut self.under_way else {
                return std::future::pending().await;
            };
            let answer = (&mut survey.answer).await;
            let UnderWay { purpose, since, is_void, .. } =
                self.under_way.take().context("a survey ended that never began")?;
            let (asker, found) =
                answer.context("the thread that reads the kernel's tables ended")?;
            self.asker = Some(asker);
            // The next audit comes by itself.
            self.waiting.extend((is_void && purpose != Purpose::Audit).then_some(purpose));
            if let Some(next) = self.waiting.pop_last() {
                if matches!(next, Purpose::Audit | Purpose::Sync) {
                    // It covers all others.
                    self.waiting.clear();
                }
                self.begin(next)?;
            }
            match found {
                _ if is_void => tracing::debug!(?purpose, "void: changes were lost or too many"),
                Err(error @ ObserveError::Restless { .. }) if purpose == Purpose::Audit => {
                    tracing::warn!(%error, "no audit this time");
                }
                found => return Ok(Survey { purpose, found: found?, since }),
            }
        }
    }
}

fn read(asker: &mut Asker, purpose: Purpose) -> Result<Found, ObserveError> {
    match purpose {
        Purpose::Routing => asker.dump(Scope::Routing).map(|found| Found::Routing(found.events)),
        Purpose::Bridges => asker.dump(Scope::Bridges).map(|found| Found::Bridges(found.events)),
        Purpose::Audit | Purpose::Sync => {
            let (mut network, mut unused) = (Network::new(), Dirty::default());
            asker.dump_to(Scope::All, &mut |event| {
                network.apply_to(event, &mut unused);
                unused.clear();
            })?;
            Ok(Found::All(Box::new(network)))
        }
    }
}
