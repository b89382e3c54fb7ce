//! Rounds: each collects what undecided cases need, once, and lets them judge it, until all are decided.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    case::Case,
    finding::{Judged, Stop, not_asked},
    look::{Look, Seen},
    outcome::Decided,
    parallel,
    probe::{Probe, Ran},
    time::{Next, Watch},
};
use crate::facts::Facts;

/// Time between two looks at a case that is not true yet.
const PAUSE: Duration = Duration::from_millis(250);
/// How often somebody who waits looks whether to stop.
const POLL: Duration = Duration::from_millis(20);

/// Who can be asked.
pub(crate) trait Source: Sync {
    /// The facts of a device, or why there are none: a sentence.
    fn facts(&self, device: &str) -> Result<Facts, String>;

    /// What a program has left, or why it did not run.
    fn run(&self, probe: &Probe) -> Result<Ran, String>;

    /// Why a device is not asked at all, if it is not.
    fn leaves_out(&self, device: &str) -> Option<String>;

    /// Why nothing may be broken, if nothing may.
    fn spares(&self) -> Option<String>;
}

/// How a suite is run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// So many devices are asked at a time.
    pub(crate) width: NonZeroUsize,
    /// The longest time that it takes.
    pub(crate) timeout: Duration,
    /// Set when it is to end.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Options {
    /// Why what has begun at a time is over before all is decided, if it is.
    fn is_over(&self, start: Instant) -> Option<String> {
        match (self.stop.load(Ordering::Relaxed), start.elapsed() > self.timeout) {
            (true, _) => Some("it was interrupted".into()),
            (_, true) => {
                let timeout = humantime::format_duration(self.timeout);
                Some(format!("the suite's time of {timeout} was over"))
            }
            _ => None,
        }
    }
}

/// What has become of the cases, in their order, and the rounds that have decided some.
pub(crate) struct Ended {
    pub(crate) cases: Vec<Decided>,
    pub(crate) rounds: Vec<Arc<Seen>>,
    pub(crate) took: Duration,
}

/// A case that is not decided.
struct Pending<'a> {
    case: &'a Case,
    place: usize,
    watch: Watch,
    /// The round that the next one is compared with.
    first: Option<Arc<Seen>>,
    /// When it is looked at next, since the beginning.
    due: Duration,
    /// What the last look said.
    last: Option<Judged>,
}

/// Looks at all cases. `say` is called with what is going on.
pub(crate) fn run(
    file: &str,
    cases: &[Case],
    source: &dyn Source,
    options: &Options,
    say: &mut dyn FnMut(&str),
) -> Ended {
    let mut runner = Runner::new(file, cases, source, options);
    while !runner.pending.is_empty() {
        if let Some(why) = options.is_over(runner.start) {
            runner.give_up(&why);
            break;
        }
        let now = runner.start.elapsed();
        hold_back(&mut runner.pending, now);
        if runner.round(now) {
            let decided = cases.len() - runner.pending.len();
            say(&format!("round {}: {decided} of {} cases decided", runner.number, cases.len()));
        } else {
            std::thread::sleep(POLL);
        }
    }
    Ended {
        cases: runner.decided.into_values().collect(),
        rounds: runner.rounds.into_values().collect(),
        took: runner.start.elapsed(),
    }
}

struct Runner<'a> {
    file: &'a str,
    source: &'a dyn Source,
    options: &'a Options,
    start: Instant,
    /// Number of the last round.
    number: u32,
    pending: Vec<Pending<'a>>,
    /// By their places in the suite.
    decided: BTreeMap<usize, Decided>,
    /// Those that have decided a case.
    rounds: BTreeMap<u32, Arc<Seen>>,
}

impl<'a> Runner<'a> {
    /// With all cases that are not left out.
    fn new(file: &'a str, cases: &'a [Case], source: &'a dyn Source, options: &'a Options) -> Self {
        let (mut decided, mut pending) = (BTreeMap::new(), Vec::new());
        for (place, case) in cases.iter().enumerate() {
            let left_out = || left_out(case, source).map(|why| (why, true));
            match case.skip.clone().map(|why| (why, false)).or_else(left_out) {
                Some((why, left_out)) => {
                    let skipped = Decided::skipped(file, case, why);
                    decided.insert(place, Decided { left_out, ..skipped });
                }
                None => pending.push(Pending::new(case, place)),
            }
        }
        let (start, rounds) = (Instant::now(), BTreeMap::new());
        Self { file, source, options, start, number: 0, pending, decided, rounds }
    }

    /// Decides what is left by that.
    fn give_up(&mut self, why: &str) {
        let elapsed = self.start.elapsed();
        for left in self.pending.drain(..) {
            self.decided.insert(left.place, ended(self.file, &left, why, elapsed));
        }
    }

    /// Looks at all cases that are due at a time since the beginning; false if none is.
    fn round(&mut self, now: Duration) -> bool {
        let (due, mut left): (Vec<_>, Vec<_>) =
            self.pending.drain(..).partition(|it| it.due <= now);
        if due.is_empty() {
            self.pending = left;
            return false;
        }
        self.number += 1;
        let seen = Arc::new(collect(self.number, &due, self.start, self.source, self.options));
        let look = Look::of(&seen);
        left.extend(due.into_iter().filter_map(|one| self.judge(one, &look, &seen)));
        left.sort_by_key(|it| it.place);
        self.pending = left;
        true
    }

    /// Lets a case judge a round; the case, if that has not decided it.
    fn judge(
        &mut self,
        mut one: Pending<'a>,
        look: &Look<'_>,
        seen: &Arc<Seen>,
    ) -> Option<Pending<'a>> {
        let at = Duration::from_millis(seen.at_ms);
        one.watch.begin(at);
        let window = one.case.draft.window;
        let before = one.first.take();
        if let Some(window) = window {
            // What comes next is compared with this round.
            (one.first, one.due) = (Some(Arc::clone(seen)), at.saturating_add(window));
            if before.is_none() {
                return Some(one);
            }
        }
        let judged = (one.case.draft.judge)(&look.since(before.as_deref()));
        one.last = Some(judged.clone());
        let is_as_it_should = judged.is_ok();
        match one.watch.seen(at, judged) {
            Next::Again(limit) => {
                if window.is_none() {
                    one.due = (at + PAUSE).min(limit.unwrap_or(Duration::MAX).max(at));
                }
                Some(one)
            }
            Next::Decided(judged) => {
                let since = one.watch.true_since().filter(|_| judged.is_ok()).unwrap_or(at);
                let decided = Decided {
                    took_ms: one.watch.until(since).as_millis() as u64,
                    looks: one.watch.looks,
                    late: is_as_it_should && judged.is_err(),
                    round: seen.number,
                    compared_with: before.as_ref().map(|it| it.number),
                    ..Decided::of(self.file, one.case, judged)
                };
                self.rounds
                    .extend(before.into_iter().chain([Arc::clone(seen)]).map(|it| (it.number, it)));
                self.decided.insert(one.place, decided);
                None
            }
        }
    }
}

impl<'a> Pending<'a> {
    fn new(case: &'a Case, place: usize) -> Self {
        let watch = Watch::new(case.time);
        Self { case, place, watch, first: None, due: Duration::ZERO, last: None }
    }
}

/// Why a case is left out by those who would be asked, if it is.
fn left_out(case: &Case, source: &dyn Source) -> Option<String> {
    let probes = case.draft.probes.iter().filter(|it| it.is_for_device());
    let asked = probes.map(Probe::device);
    let mut devices = case.draft.needs.iter().map(String::as_str).chain(asked);
    let spared = || if case.disrupts() { source.spares() } else { None };
    devices.find_map(|device| source.leaves_out(device)).or_else(spared)
}

/// Those that break something wait until all others are decided, and then for each other.
fn hold_back(pending: &mut [Pending<'_>], now: Duration) {
    let others = pending.iter().any(|it| !it.case.disrupts());
    let mut first = !others;
    for one in pending.iter_mut().filter(|it| it.case.disrupts()) {
        if !first {
            one.due = one.due.max(now + POLL);
        }
        first = false;
    }
}

/// A case that was not decided in time: whether it would have become true nobody knows.
fn ended(file: &str, left: &Pending<'_>, why: &str, elapsed: Duration) -> Decided {
    let so_far = match &left.last {
        Some(Err(Stop::Failed(finding))) => {
            format!("{why} before it became true: {}", finding.actual)
        }
        Some(Err(Stop::NotAsked(reason))) => format!("{why} before it became true: {reason}"),
        Some(Ok(found)) => format!("{why} while it was still to stay as it was: {found}"),
        None => format!("{why} before it was looked at"),
    };
    Decided {
        took_ms: left.watch.until(elapsed).as_millis() as u64,
        looks: left.watch.looks,
        ..Decided::of(file, left.case, Err(not_asked(so_far)))
    }
}

/// What these cases need: first what probes bring, which makes hosts speak, then facts.
fn collect(
    number: u32,
    cases: &[Pending<'_>],
    start: Instant,
    source: &dyn Source,
    options: &Options,
) -> Seen {
    let (mut devices, mut probes) = (BTreeSet::new(), BTreeSet::new());
    for one in cases {
        devices.extend(one.case.draft.needs.iter().cloned());
        // Where two rounds are compared, what is sent is sent between them.
        if one.case.draft.window.is_none() || one.first.is_some() {
            probes.extend(one.case.draft.probes.iter().cloned());
        }
    }
    // Also in the middle of a round: a thousand probes that nobody answers take long.
    let go_on = || options.is_over(start).map_or(Ok(()), Err);
    let mut answers = BTreeMap::new();
    let turns: BTreeSet<u8> = probes.iter().map(Probe::turn).collect();
    for turn in turns {
        let all: Vec<&Probe> = probes.iter().filter(|it| it.turn() == turn).collect();
        let ran =
            parallel::each(options.width, &all, |probe| go_on().and_then(|()| source.run(probe)));
        answers.extend(all.into_iter().cloned().zip(ran));
    }
    let devices: Vec<String> = devices.into_iter().collect();
    let facts = parallel::each(options.width, &devices, |device| {
        go_on().and_then(|()| source.facts(device))
    });
    Seen {
        number,
        at_ms: start.elapsed().as_millis() as u64,
        facts: devices.into_iter().zip(facts).collect(),
        answers,
    }
}
