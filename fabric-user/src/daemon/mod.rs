//! `fabric-xdpd`: observe, model, reconcile, and say so.
//!
//! The loop ends by a signal and by nothing else. What can fail in it, and what follows:
//!
//! | what | what follows |
//! |---|---|
//! | the kernel drops messages, refuses or interrupts a dump, a netlink socket fails, a thread cannot be started or panics | [`Follower`] opens what failed anew and reads everything, after a while that doubles |
//! | somebody removed pins, or programs and maps cannot be made anew | [`Applier`] says so in the state, applies nothing more, and everything is read and compared anew, with new maps where pins have gone |
//! | an entry of a map finds no room, a port takes no program | it is left to the kernel, named, and tried again |
//! | the thread that watches links ends | [`Applier::beat`] starts it again |
//! | the heartbeat program does not run | the next beat tries again |
//! | the state file cannot be written, systemd or a client does not listen, a neighbour cannot be asked for, settings are not valid, metrics cannot be served | it is logged |
//!
//! In the first two rows, and without the thread, the heart does not beat until it is made good, so that
//! the kernel forwards if that takes longer than the timeout. Before the loop a failure ends the daemon with
//! a sentence: nothing of what runs has been touched by then, and systemd starts the next one.
//!
//! News goes one way, from the follower to the applier and on into the maps; what then has to be read
//! anew stands in the [`Agenda`], which the follower goes by.

mod agenda;
mod applier;
mod backoff;
mod control;
mod follower;
mod ipvs;
mod legacy;
mod liveness;
mod lock;
mod paths;
pub mod premises;
mod resolution;
mod retries;
mod room;
pub mod run_file;
mod sentence;
mod signals;
mod snapshot;
mod sources;
pub mod state;
mod sysctl;
mod ticks;

use std::{sync::Arc, time::Duration};

use anyhow::bail;

use crate::{
    kernel::pins::Instance,
    metrics,
    observe::{Asker, ObserveError, Observer},
    settings::Settings,
};
use agenda::Agenda;
use applier::Applier;
use control::{Control, Pending};
pub use control::{Request, Response, ask};
use follower::Follower;
pub use liveness::Liveness;
use lock::Lock;
use paths::Paths;
pub use sentence::sentence;
use signals::{Signals, Wish};
use snapshot::Purpose;
use ticks::Ticks;

/// How often it is looked at whether something has become free, or is to be asked.
const TICK: Duration = Duration::from_millis(100);
/// How often buckets of resilient groups are looked at that wait for being idle.
const REBALANCE: Duration = Duration::from_millis(250);

/// Runs until a signal ends it. SIGHUP has the settings read anew by `read`.
///
/// # Errors
/// If it cannot start: programs and maps stay as they are then, and the kernel takes over when the
/// heartbeat expires. Or if it cannot take them off at the end as it is told to.
pub async fn run(
    settings: Settings,
    read: impl Fn() -> anyhow::Result<Settings>,
) -> anyhow::Result<()> {
    settings.check()?;
    if !rustix::process::geteuid().is_root() {
        bail!(
            "fabric-xdpd has to run as root, because it attaches XDP programs; start it by sudo or by its systemd unit"
        );
    }
    let mut signals = Signals::listen()?;
    let instance = Instance::new(&settings.instance)?;
    let _lock = Lock::take(&settings)?;
    let mut control = Control::listen(&settings)?;
    let agenda = Agenda::default();
    let mut follower = Follower::begin(Observer::open()?, agenda.clone());
    let mut asker = None;
    let metrics = settings.metrics;
    let mut applier = Applier::new(instance.clone(), settings, agenda.clone())?;
    if let Some(listen) = metrics {
        metrics::start(listen, instance, Arc::clone(&applier.board));
    }

    let mut beat = beats(&applier.settings);
    let mut audit = audits(&applier.settings);
    let mut rebalance = Ticks::now(REBALANCE);
    let mut tick = Ticks::now(TICK);
    let mut paths = Paths::new();
    loop {
        let is_started = follower.is_started();
        // In this order: a stream of changes that never pauses must not hold up all else. What holds up the
        // changes in turn leaves them at least a period of its ticks.
        tokio::select! {
            biased;
            wish = signals.next() => match wish {
                Wish::End => break,
                Wish::Audit => agenda.now(Purpose::Audit),
                Wish::Reload => {
                    reload(&read, &mut applier);
                    (beat, audit) = (beats(&applier.settings), audits(&applier.settings));
                }
            },
            _ = beat.next() => {
                applier.beat();
                notify(&[sd_notify::NotifyState::Watchdog]);
            }
            Some(pending) = control.next(), if is_started => {
                let Pending { request, reply } = pending;
                let response = applier.control(request);
                // Whoever asked may have left without waiting for the answer.
                let _left = reply.send(response);
            }
            _ = audit.next() => agenda.now(Purpose::Audit),
            _ = rebalance.next(), if applier.is_unbalanced() => applier.rebalance(),
            _ = tick.next(), if is_started => {
                applier.wake();
                resolve(&mut asker, &mut applier);
                ask_sources(&mut asker, &mut applier);
                if paths.tick(&mut applier, &mut asker) {
                    agenda.is_stale(Purpose::Routing);
                }
            }
            news = follower.news() => {
                let heard = follower.heard();
                applier.take(news, heard);
            }
        }
        if !is_started && applier.is_synced() {
            follower.started();
            applier.beat();
            tracing::info!("{}", applier.summary());
            notify(&[sd_notify::NotifyState::Ready]);
        }
    }
    notify(&[sd_notify::NotifyState::Stopping]);
    applier.finish()
}

/// Asks the kernel for neighbours.
fn resolve(asker: &mut Option<Asker>, applier: &mut Applier) {
    let mut hops = applier.next_to_resolve().into_iter();
    while let Some(hop) = hops.next() {
        let opened = match asker.take() {
            Some(asker) => Ok(asker),
            None => Asker::open(),
        };
        let asked = opened
            .and_then(|opened| asker.insert(opened).trigger_resolution(hop.ifindex, hop.gateway));
        let Err(error) = asked else { continue };
        tracing::debug!(%error, "cannot resolve {}", hop.gateway);
        if !matches!(error, ObserveError::Refused { .. }) {
            // What the socket still has to say is of no use.
            *asker = None;
            applier.resolve_later(hops.chain([hop]));
            return;
        }
    }
}

/// Asks the kernel from which addresses it sends.
fn ask_sources(asker: &mut Option<Asker>, applier: &mut Applier) {
    let mut answers = Vec::new();
    for question in applier.next_sources() {
        let opened = match asker.take() {
            Some(asker) => Ok(asker),
            None => Asker::open(),
        };
        match opened.and_then(|opened| asker.insert(opened).source(question)) {
            Ok(source) => answers.push((question, source)),
            Err(error) => {
                tracing::debug!(%error, "no answer about the way to {}", question.remote);
                // What the socket still has to say is of no use. The next turn asks for the rest.
                *asker = None;
                break;
            }
        }
    }
    applier.take_sources(answers);
}

/// Takes over settings as far as a running daemon can.
fn reload(read: impl Fn() -> anyhow::Result<Settings>, applier: &mut Applier) {
    notify(&[sd_notify::NotifyState::Status("reading the settings anew")]);
    let settings = read().and_then(|settings| {
        settings.check()?;
        Ok(settings)
    });
    match settings {
        Ok(settings) => applier.reload(settings),
        Err(error) => tracing::error!("the settings stay as they were: {}", sentence(&error)),
    }
    notify(&[sd_notify::NotifyState::Status("")]);
}

fn beats(settings: &Settings) -> Ticks {
    Ticks::now(settings.heartbeat_timeout() / 4)
}

fn audits(settings: &Settings) -> Ticks {
    Ticks::later(Duration::from_secs(settings.audit_interval_s))
}

/// Tells systemd; without it nobody listens.
fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd does not listen");
    }
}
