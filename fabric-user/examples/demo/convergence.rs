//! Builds the fabric and waits until BGP and EVPN have converged and every leaf is in sync.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use fabric_user::lab::{Lab, Options, Topology, interrupt};

use crate::stage::{Stage, program, say};

const LIMIT: Duration = Duration::from_secs(90);

pub(crate) fn show(topology: &Topology) -> anyhow::Result<(Stage, Duration)> {
    let start = Instant::now();
    let cancel = interrupt::watch()?;
    let options = Options {
        name: Some("demo".into()),
        fabricd: Some(program("fabricd")),
        cancel: cancel.clone(),
    };
    let lab = Lab::up(topology, &options, &mut |line| say(start, line))?;
    say(start, "waiting for BGP and EVPN to converge");
    lab.wait_converged(LIMIT).context("the fabric does not converge")?;
    let converged = start.elapsed();
    let stage = Stage::new(lab, start, cancel);
    stage.say(&format!("converged {:.1} s after the first link was made", converged.as_secs_f64()));
    Ok((stage, converged))
}
