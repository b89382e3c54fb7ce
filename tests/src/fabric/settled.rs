//! What fabric-xdpd has done when it has nothing to do any more.

use fabric_user::daemon::state::State;
use rustix::process::Signal;

use super::{PATIENCE, Router, until};

/// fabric-xdpd's state when everything that the kernel has told so far is in the maps: an audit that begins
/// after this was asked for ends behind all changes that it saw. One may have been under way, so the second
/// one counts.
#[must_use]
pub fn settled(router: &Router) -> State {
    for _ in 0..2 {
        let audits = router.state().audits;
        router.daemon().signal(Signal::USR1);
        until(PATIENCE, "an audit ends", || router.state().audits > audits);
    }
    router.state()
}
