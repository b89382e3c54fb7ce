//! Builds the fabric and waits until BGP and EVPN have converged and every leaf is in sync.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use fabric_user::lab::{Lab, Options, Topology};

use crate::stage::{NAME, Stage, program, say};

/// A fabric converges in seconds, and within minutes on a machine that has much else to do.
const LIMIT: Duration = Duration::from_secs(300);

pub(crate) fn show(
    topology: &Topology,
    cancel: &Arc<AtomicBool>,
) -> anyhow::Result<(Stage, Duration)> {
    let start = Instant::now();
    let options = Options {
        name: Some(NAME.into()),
        fabric_xdpd: Some(program("fabric-xdpd")),
        cancel: cancel.clone(),
    };
    let lab = Lab::up(topology, &options, &mut |line| say(start, line))?;
    say(start, "waiting for BGP and EVPN to converge");
    lab.wait_converged(LIMIT).context("the fabric does not converge")?;
    let converged = start.elapsed();
    let left = lab.wait_ready(LIMIT, &mut |line| say(start, line))?;
    if let Some(thing) = left.first() {
        bail!("Fabric does not forward everything: {thing}");
    }
    let stage = Stage::new(lab, start, cancel.clone());
    stage.say(&format!("converged {:.1} s after the first link was made", converged.as_secs_f64()));
    Ok((stage, converged))
}
