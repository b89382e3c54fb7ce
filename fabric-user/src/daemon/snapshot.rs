//! Reads everything anew while changes go on being applied.
//!
//! A dump of many MAC addresses or routes takes seconds. A thread reads it and makes a model of it, and
//! whatever changes meanwhile is both applied to the model in use and kept: with it the new model takes
//! the old one's place.

use std::{collections::BTreeSet, mem, thread, time::Instant};

use anyhow::Context as _;
use tokio::sync::oneshot;

use crate::{
    model::{Dirty, Network},
    observe::{Asker, Batch, Event, ObserveError, Scope},
};

/// What a snapshot is for. Of those that wait the greatest one is made first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// Bridges, or what `tc` classifies, may have changed in a way of which the kernel says nothing.
    Bridges,
    /// The same, and which VLANs suppress questions.
    BridgesByVlan,
    /// Chains of nftables have changed.
    Netfilter,
    /// A link went down, and with it nexthops and routes, of which the kernel says nothing.
    Routing,
    /// To find out whether the maps hold what they should.
    Audit,
    /// Nothing is known, or messages were lost.
    Sync,
}

impl Purpose {
    /// Whether the maps may be wrong until this is done. The next audit comes by itself.
    pub(super) const fn is_needed(self) -> bool {
        !matches!(self, Self::Audit)
    }

    /// Everything is read for it.
    const fn covers_all(self) -> bool {
        matches!(self, Self::Audit | Self::Sync)
    }
}

/// What a thread has read.
pub(super) enum Found {
    /// Everything.
    All(Box<Network>),
    /// See [`Scope::Routing`].
    Routing(Vec<Event>),
    /// See [`Scope::Bridges`].
    Bridges(Vec<Event>),
    /// See [`Scope::Netfilter`].
    Netfilter(Vec<Event>),
}

/// What a snapshot has brought.
pub(super) struct Snapshot {
    pub(super) purpose: Purpose,
    /// What it was made in place of.
    pub(super) covers: BTreeSet<Purpose>,
    pub(super) found: Found,
    /// What has changed since before it began.
    pub(super) since: Vec<Event>,
    /// The kernel changed all the time, so that it should be asked again.
    pub(super) restless: bool,
}

/// A snapshot that came to nothing.
pub(super) struct Failed {
    pub(super) purpose: Purpose,
    pub(super) error: anyhow::Error,
}

/// What a thread has found, and whether the kernel changed all the time.
type Answer = Result<(Found, bool), ObserveError>;

/// Makes snapshots, one at a time.
pub(super) struct Snapshots {
    /// Is there as long as no thread has it. None after a failure: what the socket still has to say is
    /// of no use.
    asker: Option<Asker>,
    under_way: Option<UnderWay>,
    waiting: BTreeSet<Purpose>,
}

struct UnderWay {
    purpose: Purpose,
    /// What it is made in place of: if it comes to nothing, these do.
    covers: BTreeSet<Purpose>,
    answer: oneshot::Receiver<(Asker, Answer)>,
    since: Vec<Event>,
    /// Changes have happened that are not among those.
    is_void: bool,
}

/// Changes during a snapshot that are kept at most, 90 MB; with more it is made again.
const MOST: usize = 1 << 19;

impl Snapshots {
    /// One that has nothing to do. Whatever happens from now on must already be listened to.
    pub(super) const fn new() -> Self {
        Self { asker: None, under_way: None, waiting: BTreeSet::new() }
    }

    /// Begins a snapshot, or remembers to do so when the present one has ended.
    pub(super) fn begin(&mut self, purpose: Purpose) -> Result<(), Failed> {
        if self.under_way.is_some() {
            self.waiting.insert(purpose);
            return Ok(());
        }
        self.start(purpose, BTreeSet::new()).map_err(|error| Failed { purpose, error })
    }

    fn start(&mut self, purpose: Purpose, covers: BTreeSet<Purpose>) -> anyhow::Result<()> {
        let mut asker = match self.asker.take() {
            Some(asker) => asker,
            None => Asker::open()?,
        };
        let (send, answer) = oneshot::channel();
        // Nobody waits for the thread: the daemon may end while it reads.
        let thread = thread::Builder::new().name("snapshot".into()).spawn(move || {
            let start = Instant::now();
            let found = read(&mut asker, purpose);
            tracing::debug!(?purpose, elapsed = ?start.elapsed(), "read");
            drop(send.send((asker, found)));
        });
        thread.context("cannot start the thread that reads the kernel's tables")?;
        let since = Vec::new();
        self.under_way = Some(UnderWay { purpose, covers, answer, since, is_void: false });
        Ok(())
    }

    /// Keeps what has changed, if a snapshot is under way. If that was lost, everything is read anew.
    pub(super) fn record(&mut self, batch: &Batch) -> Result<(), Failed> {
        let Some(snapshot) = &mut self.under_way else {
            return match batch {
                Batch::Events(_) => Ok(()),
                Batch::Lost => self.begin(Purpose::Sync),
            };
        };
        match batch {
            Batch::Events(events) if snapshot.since.len() + events.len() <= MOST => {
                snapshot.since.extend_from_slice(events);
            }
            Batch::Events(_) => snapshot.is_void = true,
            Batch::Lost => {
                snapshot.is_void = true;
                self.waiting.insert(Purpose::Sync);
            }
        }
        Ok(())
    }

    /// What changes now is not known: what is under way says nothing.
    pub(super) const fn void(&mut self) {
        if let Some(snapshot) = &mut self.under_way {
            snapshot.is_void = true;
        }
    }

    /// Waits for the end of a snapshot; for ever while there is none. Cancel-safe.
    pub(super) async fn ended(&mut self) -> Result<Snapshot, Failed> {
        loop {
            let Some(snapshot) = &mut self.under_way else {
                return std::future::pending().await;
            };
            let answer = (&mut snapshot.answer).await;
            let Some(UnderWay { purpose, covers, since, is_void, .. }) = self.under_way.take()
            else {
                continue;
            };
            let found = match answer {
                Ok((asker, Ok(found))) => {
                    self.asker = Some(asker);
                    Ok(found)
                }
                Ok((_, Err(error))) => Err(error.into()),
                Err(_) => {
                    Err(anyhow::anyhow!("the thread that reads the kernel's tables has panicked"))
                }
            };
            let need = greatest_need(purpose, &covers);
            if is_void {
                self.waiting.extend(&covers);
                self.waiting.extend(purpose.is_needed().then_some(purpose));
            }
            if let Some(next) = self.waiting.pop_last() {
                let covers = match next.covers_all() {
                    true => mem::take(&mut self.waiting),
                    false => BTreeSet::new(),
                };
                // Whoever tries again makes up for all of them, and for the one that has ended.
                let next_need = greatest_need(next, &covers);
                self.start(next, covers).map_err(|error| {
                    let purpose = greatest_need(need, &BTreeSet::from([next_need]));
                    Failed { purpose, error }
                })?;
            }
            match found {
                _ if is_void => tracing::debug!(?purpose, "void: changes were lost or too many"),
                Ok((found, restless)) => {
                    return Ok(Snapshot { purpose, covers, found, since, restless });
                }
                Err(error) => return Err(Failed { purpose: need, error }),
            }
        }
    }
}

/// Of a snapshot and what it covers, that which has to be made good if it fails.
fn greatest_need(purpose: Purpose, covers: &BTreeSet<Purpose>) -> Purpose {
    let all = covers.iter().copied().chain([purpose]);
    all.filter(|each| each.is_needed()).max().unwrap_or(purpose)
}

fn read(asker: &mut Asker, purpose: Purpose) -> Answer {
    match purpose {
        Purpose::Routing => {
            let (events, restless) = list(asker, Scope::Routing)?;
            Ok((Found::Routing(events), restless))
        }
        Purpose::Bridges => {
            let (events, restless) = list(asker, Scope::Bridges)?;
            Ok((Found::Bridges(events), restless))
        }
        Purpose::BridgesByVlan => {
            let (events, restless) = list(asker, Scope::BridgesByVlan)?;
            Ok((Found::Bridges(events), restless))
        }
        Purpose::Netfilter => {
            let (events, restless) = list(asker, Scope::Netfilter)?;
            Ok((Found::Netfilter(events), restless))
        }
        Purpose::Audit | Purpose::Sync => {
            let (mut network, mut unused) = (Network::new(), Dirty::default());
            let consistent = asker.dump_to(Scope::All, &mut |event| {
                network.apply_to(event, &mut unused);
                unused.clear();
            })?;
            Ok((Found::All(Box::new(network)), !consistent))
        }
    }
}

fn list(asker: &mut Asker, scope: Scope) -> Result<(Vec<Event>, bool), ObserveError> {
    let mut events = Vec::new();
    let consistent = asker.dump_to(scope, &mut |event| events.push(event))?;
    Ok((events, !consistent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests::live::{PATIENCE, in_namespace};

    async fn ended(snapshots: &mut Snapshots) -> Result<Purpose, Purpose> {
        let ended = tokio::time::timeout(PATIENCE, snapshots.ended()).await.expect("it ends");
        ended.map(|snapshot| snapshot.purpose).map_err(|failed| failed.purpose)
    }

    /// An audit is under way in place of what has waited for the end of another snapshot.
    async fn audit_in_place_of(covered: &[Purpose]) -> Snapshots {
        let mut snapshots = Snapshots::new();
        for purpose in [&[Purpose::Bridges], covered, &[Purpose::Audit]].concat() {
            snapshots.begin(purpose).ok().expect("it begins or waits");
        }
        assert_eq!(ended(&mut snapshots).await, Ok(Purpose::Bridges));
        snapshots
    }

    #[test]
    fn an_audit_that_fails_is_made_good_if_something_else_was_to_be_read_by_it() {
        in_namespace(|| async {
            for (covered, need) in [
                (&[][..], Purpose::Audit),
                (&[Purpose::Bridges], Purpose::Bridges),
                (&[Purpose::Bridges, Purpose::Routing], Purpose::Routing),
            ] {
                let mut snapshots = audit_in_place_of(covered).await;
                // Its thread has gone without an answer.
                snapshots.under_way.as_mut().expect("the audit").answer = oneshot::channel().1;
                assert_eq!(ended(&mut snapshots).await, Err(need));
            }
        });
    }

    #[test]
    fn what_an_audit_was_to_read_too_is_read_after_it_if_it_is_void() {
        in_namespace(|| async {
            let covered = [Purpose::Bridges, Purpose::Routing];
            let mut snapshots = audit_in_place_of(&covered).await;
            snapshots.void();
            assert_eq!(ended(&mut snapshots).await, Ok(Purpose::Routing));
            assert_eq!(ended(&mut snapshots).await, Ok(Purpose::Bridges));
            assert!(snapshots.under_way.is_none());
        });
    }

    #[test]
    fn nothing_is_needed_less_than_an_audit() {
        for other in [Purpose::Bridges, Purpose::Netfilter, Purpose::Routing, Purpose::Sync] {
            assert_eq!(greatest_need(Purpose::Audit, &[other].into()), other);
            assert_eq!(greatest_need(other, &[Purpose::Audit].into()), other);
        }
    }
}
