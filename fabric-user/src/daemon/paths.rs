//! What the kernel has learned by ICMP about the ways to the VTEPs: it tells only who asks.

use std::{
    mem,
    time::{Duration, Instant},
};

use super::applier::Applier;
use crate::{model::VtepKey, observe::Asker};

/// VTEPs that the kernel is asked about in one tick: some milliseconds.
const PORTION: usize = 512;
/// After all were asked about, they are asked about again so much later, also if no ICMP message was
/// seen: it may have come by a port that is none of ours, and what was learned is forgotten after a time.
const REST: Duration = Duration::from_secs(10);

/// Who is to be asked about, and when.
pub(super) struct Paths {
    /// Those of the present turn.
    waiting: Vec<VtepKey>,
    /// An ICMP message was seen in the last tick. The program sees it before the kernel does.
    told: bool,
    /// It was seen during a turn, so that another one follows at once.
    again: bool,
    /// When the last turn began.
    began: Instant,
    /// An ICMP message may have been about an address to which packets are routed.
    routes_stale: bool,
    /// When routes were last read for that: a million of them take seconds.
    read: Option<Instant>,
}

impl Paths {
    pub(super) fn new() -> Self {
        Self {
            waiting: Vec::new(),
            told: false,
            again: true,
            began: Instant::now(),
            routes_stale: false,
            read: None,
        }
    }

    /// Asks about some VTEPs, if there is a reason to. Returns whether all routes are to be read anew,
    /// among which the kernel shows what it has learned about the ways to other addresses.
    pub(super) fn tick(&mut self, applier: &mut Applier, asker: &mut Option<Asker>) -> bool {
        let told = mem::replace(&mut self.told, applier.take_path_news());
        self.again |= told;
        self.routes_stale |= told && applier.routes_ipv4();
        self.ask(applier, asker);
        let is_due = self.routes_stale && self.read.is_none_or(|read| read.elapsed() >= REST);
        if is_due {
            (self.routes_stale, self.read) = (false, Some(Instant::now()));
        }
        is_due
    }

    fn ask(&mut self, applier: &mut Applier, asker: &mut Option<Asker>) {
        if self.waiting.is_empty() {
            if !self.again && self.began.elapsed() < REST {
                return;
            }
            (self.again, self.began) = (false, Instant::now());
            applier.forget_ways();
            self.waiting = applier.vteps();
        }
        let rest = self.waiting.len().saturating_sub(PORTION);
        let some = self.waiting.split_off(rest);
        let mut answers = Vec::with_capacity(some.len());
        for vtep in some {
            let VtepKey { local, remote } = vtep;
            let asked = applier.asked(vtep);
            let opened = match asker.take() {
                Some(asker) => Ok(asker),
                None => Asker::open(),
            };
            match opened.and_then(|opened| asker.insert(opened).path(local, remote, asked.0)) {
                Ok(path) => answers.push((asked, path)),
                Err(error) => {
                    tracing::debug!(%error, "no answer about the way to {remote}");
                    // What the socket still has to say is of no use. The rest has its next turn.
                    *asker = None;
                    break;
                }
            }
        }
        applier.learn(answers);
    }
}
