//! `fabricd`: observe, model, reconcile, and say so.

mod control;
mod liveness;
mod lock;
mod round;
pub mod state;

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::{
    kernel::pins::Instance,
    observe::{Batch, Observer},
    settings::Settings,
};
use control::{Control, Pending};
pub use control::{Request, Response, ask};
pub use liveness::Liveness;
use lock::Lock;
use round::Round;

/// After a link event the kernel removes nexthops and routes without a message; this much later
/// they are read anew.
const ROUTING_SETTLES: Duration = Duration::from_millis(50);
/// How often buckets of resilient groups are looked at that wait for being idle.
const REBALANCE: Duration = Duration::from_millis(250);

/// Runs until a signal ends it.
///
/// # Errors
/// If it cannot start, or the kernel cannot be observed or written any more. Programs and maps stay
/// as they are then, and the kernel takes over when the heartbeat expires.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    settings.check()?;
    if !rustix::process::geteuid().is_root() {
        bail!(
            "fabricd has to run as root, because it attaches XDP programs; start it by sudo or by its systemd unit"
        );
    }
    let instance = Instance::new(&settings.instance)?;
    let _lock = Lock::take(&settings)?;
    let mut control = Control::listen(&settings)?;
    let mut ends = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    let mut observer = Observer::open()?;
    let mut round = Round::new(instance, settings)?;
    round.replace(observer.dump().await?)?;
    round.beat()?;
    tracing::info!("{}", round.summary());
    notify(&[sd_notify::NotifyState::Ready]);

    let mut beat = ticks(round.settings.heartbeat_timeout() / 4);
    let mut audit = ticks(Duration::from_secs(round.settings.audit_interval_s));
    audit.reset();
    let mut rebalance = ticks(REBALANCE);
    let mut routing: Option<Instant> = None;
    let [terminate, interrupt] = &mut ends;
    loop {
        // In this order: a stream of changes that never pauses must not hold up all else.
        tokio::select! {
            biased;
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = beat.tick() => {
                round.beat()?;
                notify(&[sd_notify::NotifyState::Watchdog]);
                for hop in round.next_to_resolve() {
                    if let Err(error) = observer.trigger_resolution(hop.ifindex, hop.gateway).await {
                        tracing::debug!(%error, "cannot resolve {}", hop.gateway);
                    }
                }
            }
            Some(pending) = control.next() => {
                let Pending { request, reply } = pending;
                let response = round.control(request);
                // Whoever asked may have left without waiting for the answer.
                let _left = reply.send(response);
            }
            () = sleep_until(routing.unwrap_or_else(Instant::now)), if routing.is_some() => {
                routing = None;
                round.replace(observer.dump_routing().await?)?;
            }
            _ = audit.tick() => {
                let snapshot = observer.dump().await?;
                round.audit(snapshot)?;
            }
            _ = rebalance.tick(), if round.is_unbalanced() => round.rebalance()?,
            batch = observer.next() => match batch? {
                Batch::Events(events) => {
                    if round.events(events)? {
                        routing.get_or_insert(Instant::now() + ROUTING_SETTLES);
                    }
                }
                Batch::Lost => {
                    tracing::warn!("the kernel dropped messages, reading everything anew");
                    round.lost();
                    round.replace(observer.dump().await?)?;
                }
            },
        }
    }
    notify(&[sd_notify::NotifyState::Stopping]);
    round.finish()
}

/// Reads the settings and applies what was said on the command line.
///
/// # Errors
/// As [`Settings::load`].
pub fn load_settings(
    path: Option<&Path>,
    change: impl FnOnce(&mut Settings),
) -> anyhow::Result<Settings> {
    let mut settings = Settings::load(path).context("fabricd did not start")?;
    change(&mut settings);
    Ok(settings)
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Tells systemd; without it nobody listens.
fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd does not listen");
    }
}
