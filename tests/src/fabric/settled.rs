//! What fabric-xdpd has done when it has nothing to do any more.

use fabric_user::daemon::state::State;
use rustix::process::Signal;

use super::{PATIENCE, Router, until};

/// fabric-xdpd's state when everything that the kernel has told so far is in the maps: an audit looks at the
/// kernel after it was asked for, and ends behind all changes that it saw.
///
/// # Panics
/// If there is no audit.
#[must_use]
pub fn settled(router: &Router) -> State {
    let audits = router.state().audits;
    router.signal(Signal::USR1);
    until(PATIENCE, "an audit ends", || router.state().audits > audits);
    router.state()
}
