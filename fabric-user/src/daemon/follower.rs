//! Keeps the model what the kernel says: by its messages, and by snapshots where those do not suffice.

use std::time::{Duration, Instant};

use super::{
    agenda::Agenda,
    snapshot::{Failed, Found, Purpose, Snapshot, Snapshots},
};
use crate::observe::{Batch, Event, ObserveError, Observer};

/// What the kernel changed all the time while it was read is read again after this.
const QUIETER: Duration = Duration::from_secs(1);

/// Where news comes from.
pub(super) struct Follower {
    /// None after a failure, until it is tried again.
    observer: Option<Observer>,
    snapshots: Snapshots,
    /// For [`Purpose::Netfilter`], whose answer is small: a firewall does not wait until all routes are
    /// read.
    netfilter: Snapshots,
    /// A snapshot that waits for the messages of everything that it has seen.
    ended: Option<Snapshot>,
    /// What is to be read.
    agenda: Agenda,
    /// Everything was read at least once, so that changes have something that they change.
    is_started: bool,
}

/// What there is to know.
pub(super) enum News {
    /// Something happened.
    Batch(Batch),
    /// A snapshot has ended.
    Snapshot(Snapshot),
    /// Something cannot be known now. It is tried again after a time.
    Failed(Failed, Duration),
}

impl Follower {
    /// Begins with a snapshot of everything.
    pub(super) fn begin(observer: Observer, agenda: Agenda) -> Self {
        agenda.now(Purpose::Sync);
        Self {
            observer: Some(observer),
            snapshots: Snapshots::new(),
            netfilter: Snapshots::new(),
            ended: None,
            agenda,
            is_started: false,
        }
    }

    /// Everything was read at least once.
    pub(super) const fn is_started(&self) -> bool {
        self.is_started
    }

    /// When the oldest of what the last batch tells was read.
    pub(super) fn heard(&self) -> Instant {
        self.observer.as_ref().map_or_else(Instant::now, Observer::heard)
    }

    /// Everything that was read is applied.
    pub(super) const fn started(&mut self) {
        self.is_started = true;
    }

    /// Waits for news. Cancel-safe.
    pub(super) async fn news(&mut self) -> News {
        self.try_news().await.unwrap_or_else(|failed| {
            // Only an audit finds out nothing that has to be known.
            let purpose = match failed.purpose {
                Purpose::Audit => Purpose::Audit,
                _ => Purpose::Sync,
            };
            News::Failed(failed, self.agenda.retry(purpose))
        })
    }

    async fn try_news(&mut self) -> Result<News, Failed> {
        loop {
            if let Some(snapshot) = self.whole_snapshot() {
                return Ok(News::Snapshot(snapshot));
            }
            tokio::select! {
                biased;
                // Nothing is applied to it that has happened since: of that comes another one.
                snapshot = self.netfilter.ended() => {
                    let snapshot = snapshot?;
                    self.repeat_if_restless(&snapshot);
                    return Ok(News::Snapshot(snapshot));
                }
                snapshot = self.snapshots.ended(), if self.ended.is_none() => self.hold(snapshot?)?,
                purpose = self.agenda.next() => self.begin_snapshot(purpose)?,
                batch = listen(self.observer.as_mut(), self.is_started) => {
                    match batch {
                        Ok(batch) => {
                            self.record(&batch)?;
                            return Ok(News::Batch(batch));
                        }
                        Err(error) => {
                            // What has happened meanwhile is unknown, to a snapshot as well.
                            self.observer = None;
                            self.ended = None;
                            self.snapshots.void();
                            self.netfilter.void();
                            return Err(sync_failed(error));
                        }
                    }
                }
            }
        }
    }

    /// Begins a snapshot, which something has to listen beside.
    fn begin_snapshot(&mut self, purpose: Purpose) -> Result<(), Failed> {
        let purpose = match self.observer {
            Some(_) => purpose,
            None => {
                self.observer = Some(Observer::open().map_err(sync_failed)?);
                // What is under way began while nobody listened.
                self.ended = None;
                self.snapshots.void();
                Purpose::Sync
            }
        };
        match purpose {
            Purpose::Netfilter => self.netfilter.begin(purpose),
            _ => self.snapshots.begin(purpose),
        }
    }

    /// Keeps a snapshot until there are messages of all that it has seen: they are on their way, as it
    /// happened before. An audit would take for a mistake what is only news.
    fn hold(&mut self, snapshot: Snapshot) -> Result<(), Failed> {
        self.repeat_if_restless(&snapshot);
        if let Some(observer) = self.observer.as_mut().filter(|_| self.is_started) {
            observer.mark().map_err(sync_failed)?;
        }
        self.ended = Some(snapshot);
        Ok(())
    }

    fn repeat_if_restless(&self, snapshot: &Snapshot) {
        if snapshot.restless {
            tracing::debug!(purpose = ?snapshot.purpose, "the kernel changed while it was read");
            // What it was made in place of is not good yet, and is needed more than an audit is: the one
            // that makes up for all of them must not fail as an audit may.
            let purpose = match snapshot.covers.iter().any(|covered| covered.is_needed()) {
                true => Purpose::Sync,
                false => snapshot.purpose.min(Purpose::Audit),
            };
            self.agenda.after(QUIETER, purpose);
        }
    }

    /// The snapshot that has waited long enough.
    fn whole_snapshot(&mut self) -> Option<Snapshot> {
        let is_whole = |observer: &Observer| !self.is_started || observer.is_past_mark();
        let snapshot = self.ended.take_if(|_| self.observer.as_ref().is_some_and(is_whole))?;
        // What it has of chains may be older than what was read meanwhile.
        if matches!(snapshot.found, Found::All(_))
            && snapshot.since.contains(&Event::NetfilterChanged)
        {
            self.agenda.now(Purpose::Netfilter);
        }
        Some(snapshot)
    }

    /// Keeps what has changed for the snapshots that cannot have seen it.
    fn record(&mut self, batch: &Batch) -> Result<(), Failed> {
        match batch {
            Batch::Events(events) => {
                if let Some(snapshot) = &mut self.ended {
                    snapshot.since.extend_from_slice(events);
                }
            }
            Batch::Lost => {
                self.ended = None;
                // Else it may end behind the one of everything, with older chains.
                self.netfilter.void();
            }
        }
        self.snapshots.record(batch)
    }
}

fn sync_failed(error: ObserveError) -> Failed {
    Failed { purpose: Purpose::Sync, error: error.into() }
}

/// The next changes, which nobody can apply before the start.
async fn listen(observer: Option<&mut Observer>, is_started: bool) -> Result<Batch, ObserveError> {
    match (observer, is_started) {
        (None, _) => std::future::pending().await,
        (Some(observer), true) => observer.next().await,
        (Some(observer), false) => Err(observer.buffer().await),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::observe::tests::live::{PATIENCE, in_namespace, sh};

    /// So many that a snapshot takes longer than a change.
    /// Hosts on a port whose other end says nothing itself, so that the bridge learns no address of its own
    /// accord.
    const MACS: &str = "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; ip link add br10 up type bridge; ip link add p1 type veth peer p2; \
        ip link set p1 up; ip link set p2 up; ip link set p1 master br10; \
        for i in $(seq 0 159); do for j in $(seq 0 127); do \
        printf 'fdb add 02:bb:00:%02x:%02x:01 dev p1 master dynamic\n' $i $j; done; done \
        | bridge -batch -";

    async fn next(follower: &mut Follower) -> News {
        tokio::time::timeout(PATIENCE, follower.news()).await.expect("there is news")
    }

    /// One that has read [`MACS`] once.
    async fn after_the_first_snapshot() -> Follower {
        sh(MACS);
        let mut follower = Follower::begin(Observer::open().unwrap(), Agenda::default());
        next(&mut follower).await;
        follower
    }

    fn is_mac(event: &Event, byte: u8) -> bool {
        matches!(event, Event::BridgeMac(mac) if mac.mac.0.starts_with(&[2, byte, 0]))
    }

    fn has_mac(events: &[Event], byte: u8) -> bool {
        events.iter().any(|event| is_mac(event, byte))
    }

    #[test]
    fn changes_are_told_during_an_audit_and_are_kept_for_its_end() {
        in_namespace(|| async {
            sh(MACS);
            let mut follower = Follower::begin(Observer::open().unwrap(), Agenda::default());
            let News::Snapshot(first) = next(&mut follower).await else {
                panic!("nothing can be changed before everything was read once");
            };
            assert_eq!(first.purpose, Purpose::Sync);
            follower.is_started = true;
            let deadline = Instant::now() + PATIENCE;
            // The machine may be so busy that the change comes too late.
            for turn in 0.. {
                follower.snapshots.begin(Purpose::Audit).ok().expect("the snapshot begins");
                sh(&format!("bridge fdb replace 02:aa:00:00:00:{turn:02x} dev p1 master dynamic"));
                let mut told = false;
                let audit = loop {
                    match next(&mut follower).await {
                        News::Snapshot(snapshot) => break snapshot,
                        News::Batch(Batch::Events(events)) => told |= has_mac(&events, 0xaa),
                        News::Batch(Batch::Lost) | News::Failed(..) => {
                            panic!("nothing is lost in this test")
                        }
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
    fn a_snapshot_during_which_messages_were_lost_is_made_again() {
        in_namespace(|| async {
            let mut follower = after_the_first_snapshot().await;
            follower.is_started = true;
            follower.snapshots.begin(Purpose::Audit).ok().expect("the snapshot begins");
            follower.snapshots.record(&Batch::Lost).ok().expect("it is recorded");
            // The new links still have news of their own.
            let snapshot = loop {
                if let News::Snapshot(snapshot) = next(&mut follower).await {
                    break snapshot;
                }
            };
            assert_eq!(snapshot.purpose, Purpose::Sync);
        });
    }

    #[test]
    fn what_a_snapshot_has_seen_is_told_before_its_end_however_much_that_is() {
        in_namespace(|| async {
            let count = |snapshot: Snapshot| match snapshot.found {
                Found::All(network) => network.mac_count(),
                _ => panic!("everything is to be read"),
            };
            sh(MACS);
            let mut follower = Follower::begin(Observer::open().unwrap(), Agenda::default());
            let News::Snapshot(first) = next(&mut follower).await else {
                panic!("it is the first")
            };
            let before = count(first);
            follower.started();
            follower.agenda.now(Purpose::Audit);
            // In several batches, between which the daemon looks at its signals.
            sh("for j in $(seq 0 255); do for i in $(seq 0 39); do \
                printf 'fdb add 02:aa:00:%02x:%02x:01 dev p1 master dynamic\\n' $i $j; done; done \
                | bridge -batch -");
            let (mut told, mut batches) = (0, 0);
            let snapshot = loop {
                match next(&mut follower).await {
                    News::Snapshot(snapshot) => break snapshot,
                    News::Batch(Batch::Events(events)) => {
                        told += events.iter().filter(|event| is_mac(event, 0xaa)).count();
                        batches += 1;
                    }
                    News::Batch(Batch::Lost) | News::Failed(..) => {
                        panic!("nothing is lost in this test")
                    }
                }
            };
            assert_eq!((count(snapshot) - before, told), (256 * 40, 256 * 40));
            assert!(batches > 1, "all in one batch");
        });
    }

    #[test]
    fn chains_are_read_while_everything_is() {
        in_namespace(|| async {
            let mut follower = after_the_first_snapshot().await;
            follower.started();
            // The machine may be so busy that the audit has ended before.
            for _ in 0..100 {
                follower.snapshots.begin(Purpose::Audit).ok().expect("the snapshot begins");
                follower.agenda.now(Purpose::Netfilter);
                let mut ended = Vec::new();
                while ended.len() < 2 {
                    if let News::Snapshot(snapshot) = next(&mut follower).await {
                        ended.push(snapshot.purpose);
                    }
                }
                if ended == [Purpose::Netfilter, Purpose::Audit] {
                    return;
                }
            }
            panic!("an audit is always first");
        });
    }

    #[test]
    fn chains_that_have_changed_during_an_audit_are_read_again_after_it() {
        in_namespace(|| async {
            let mut follower = Follower::begin(Observer::open().unwrap(), Agenda::default());
            let News::Snapshot(snapshot) = next(&mut follower).await else {
                panic!("it is the first")
            };
            follower.started();
            follower.ended = Some(Snapshot { since: vec![Event::NetfilterChanged], ..snapshot });
            let mut purposes = Vec::new();
            while purposes.len() < 2 {
                if let News::Snapshot(snapshot) = next(&mut follower).await {
                    purposes.push(snapshot.purpose);
                }
            }
            assert_eq!(purposes, [Purpose::Sync, Purpose::Netfilter]);
        });
    }

    #[test]
    fn chains_that_were_being_read_when_messages_were_lost_are_read_again() {
        in_namespace(|| async {
            let mut follower = Follower::begin(Observer::open().unwrap(), Agenda::default());
            let count = |snapshot: Result<Snapshot, Failed>| match snapshot.ok().map(|it| it.found)
            {
                Some(Found::Netfilter(chains)) => chains.len(),
                _ => panic!("chains are to be read"),
            };
            follower.netfilter.begin(Purpose::Netfilter).ok().expect("it begins");
            let before = count(follower.netfilter.ended().await);
            follower.netfilter.begin(Purpose::Netfilter).ok().expect("it begins");
            sh("nft add table ip t; \
                nft 'add chain ip t c { type filter hook forward priority 0; policy drop; }'");
            follower.record(&Batch::Lost).ok().expect("it is recorded");
            assert_eq!(count(follower.netfilter.ended().await), before + 1);
        });
    }

    #[test]
    fn a_restless_snapshot_is_repeated_once_as_needed_as_all_that_it_was_made_in_place_of() {
        use Purpose::{Audit, Bridges, Routing, Sync};
        in_namespace(|| async {
            let agenda = Agenda::default();
            let follower = Follower::begin(Observer::open().unwrap(), agenda.clone());
            assert_eq!(agenda.take(), [Sync]);
            for (purpose, covers, repeated) in [
                (Routing, &[][..], Routing),
                (Audit, &[], Audit),
                (Audit, &[Bridges, Routing], Sync),
                (Sync, &[], Audit),
                (Sync, &[Audit], Audit),
                (Sync, &[Routing, Audit], Sync),
            ] {
                follower.repeat_if_restless(&Snapshot {
                    purpose,
                    covers: covers.iter().copied().collect(),
                    found: Found::Routing(Vec::new()),
                    since: Vec::new(),
                    restless: true,
                });
                assert_eq!(agenda.take(), [repeated], "{purpose:?} in place of {covers:?}");
            }
        });
    }

    #[test]
    fn a_socket_that_fails_is_opened_anew_and_everything_is_read() {
        in_namespace(|| async {
            let mut follower = Follower::begin(Observer::open().unwrap(), Agenda::default());
            next(&mut follower).await;
            follower.started();
            follower.observer = None;
            follower.agenda.retry(Purpose::Sync);
            let snapshot = loop {
                if let News::Snapshot(snapshot) = next(&mut follower).await {
                    break snapshot;
                }
            };
            assert_eq!(snapshot.purpose, Purpose::Sync);
            sh("ip link add br10 type bridge");
            loop {
                if let News::Batch(Batch::Events(events)) = next(&mut follower).await
                    && events.iter().any(|event| matches!(event, Event::Link(_)))
                {
                    return;
                }
            }
        });
    }
}
