//! Waiting until a lab is ready: its control plane has converged, and Fabric forwards.

use std::time::{Duration, Instant};

use super::acceleration::Unaccelerated;
use super::ask::patience;
use super::error::LabError;
use super::running::Lab;

/// How often the fabric is looked at while waiting.
const POLL: Duration = Duration::from_millis(100);
/// What the daemons have declined for so long stays declined: they try again what may still change.
const SETTLED: Duration = Duration::from_secs(2);
/// How often somebody who waits is told for what.
const REPORT: Duration = Duration::from_secs(10);
/// How long the last round of asking may go on behind the limit: it takes milliseconds, and seconds on a busy
/// machine.
const LAST_ROUND: Duration = Duration::from_secs(2);
/// So many things are named then.
const NAMED: usize = 3;

impl Lab {
    /// Waits until the lab has converged and every fabric-xdpd is in sync and accelerates its ports. Returns
    /// what the daemons leave to the kernel for good, with their reasons: nothing if all is well. Calls
    /// `progress` with one sentence per step, and every ten seconds with what is waited for.
    ///
    /// # Errors
    /// [`LabError::NotReady`] at the end of `limit`, [`LabError::Daemon`] as soon as a fabric-xdpd or a
    /// daemon of FRR has ended, and [`LabError::Interrupted`].
    pub fn wait_ready(
        &self,
        limit: Duration,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Unaccelerated>, LabError> {
        let start = Instant::now();
        let mut reported = start;
        let mut has_converged = false;
        let mut settled: Option<(Instant, Vec<Unaccelerated>)> = None;
        loop {
            let state = self.state()?;
            self.check_daemons(&state)?;
            let mut missing = self.missing(asking_ends(limit.saturating_sub(start.elapsed())))?;
            self.go_on()?;
            if missing.is_empty() {
                if !has_converged && !state.fabric_xdpd.is_empty() {
                    progress("converged; waiting until Fabric forwards");
                }
                has_converged = true;
                let left = self.unaccelerated()?;
                if left.is_empty() {
                    return Ok(left);
                }
                missing = left.iter().map(ToString::to_string).collect();
                let is_settled = left.iter().all(|it| it.is_settled);
                settled = match settled {
                    Some((since, same)) if is_settled && same == left => {
                        if since.elapsed() > SETTLED {
                            return Ok(left);
                        }
                        Some((since, same))
                    }
                    _ => is_settled.then(|| (Instant::now(), left)),
                };
            } else {
                settled = None;
            }
            if start.elapsed() > limit {
                return Err(self.not_ready(limit, &missing));
            }
            if reported.elapsed() > REPORT {
                reported = Instant::now();
                progress(&format!("still waiting: {}", some_of(&missing)));
            }
            std::thread::sleep(POLL);
        }
    }

    /// What is said at the end of the limit.
    pub(super) fn not_ready(&self, limit: Duration, missing: &[String]) -> LabError {
        let (lab, missing) = (self.name().to_owned(), some_of(missing));
        LabError::NotReady { lab, seconds: limit.as_secs(), missing }
    }
}

/// Until when daemons are asked in one round of waiting, if `left` is left of the time to wait: a short time
/// also when that is over, so that who waited is told what is missing and not that nobody was asked.
pub(super) fn asking_ends(left: Duration) -> Instant {
    Instant::now().checked_add(left.max(LAST_ROUND)).unwrap_or_else(patience)
}

/// The first few things, and how many there are beyond.
fn some_of(things: &[String]) -> String {
    let named = things.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match things.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}, and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_told_of_a_few_things_and_how_many_there_are() {
        let things: Vec<String> = (1..=5).map(|it| format!("thing {it}")).collect();
        assert_eq!(some_of(&things[..2]), "thing 1, thing 2");
        assert_eq!(some_of(&things), "thing 1, thing 2, thing 3, and 2 more");
    }
}
