//! `fabricd`: observe, model, reconcile, and say so.

mod control;
mod following;
mod liveness;
mod lock;
mod retries;
mod round;
pub mod state;
mod survey;
mod sysctl;

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use crate::{
    kernel::pins::Instance,
    observe::{Asker, Observer},
    settings::Settings,
};
use control::{Control, Pending};
pub use control::{Request, Response, ask};
use following::Following;
pub use liveness::Liveness;
use lock::Lock;
use round::Round;

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
    let mut following = Following::begin(Observer::open()?)?;
    let mut asker = Asker::open()?;
    let mut round = Round::new(instance, settings)?;

    let mut beat = ticks(round.settings.heartbeat_timeout() / 4);
    let mut audit = ticks(Duration::from_secs(round.settings.audit_interval_s));
    audit.reset();
    let mut rebalance = ticks(REBALANCE);
    let [terminate, interrupt] = &mut ends;
    loop {
        let is_started = following.is_started();
        // In this order: a stream of changes that never pauses must not hold up all else.
        tokio::select! {
            biased;
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = beat.tick() => {
                round.beat()?;
                round.look_at_sysctls()?;
                notify(&[sd_notify::NotifyState::Watchdog]);
                if round.has_bridges() {
                    following.look_at_bridges()?;
                }
                for hop in round.next_to_resolve() {
                    if let Err(error) = asker.trigger_resolution(hop.ifindex, hop.gateway) {
                        tracing::debug!(%error, "cannot resolve {}", hop.gateway);
                    }
                }
            }
            Some(pending) = control.next(), if is_started => {
                let Pending { request, reply } = pending;
                let response = round.control(request);
                // Whoever asked may have left without waiting for the answer.
                let _left = reply.send(response);
            }
            _ = audit.tick() => following.audit()?,
            _ = rebalance.tick(), if round.is_unbalanced() => round.rebalance()?,
            news = following.news() => {
                following.tell(news?, &mut round)?;
                if !is_started {
                    round.beat()?;
                    tracing::info!("{}", round.summary());
                    notify(&[sd_notify::NotifyState::Ready]);
                }
            }
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
