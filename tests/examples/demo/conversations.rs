//! Hosts talk: on one leaf, within a site, and across.

use std::time::Duration;

use anyhow::ensure;
use fabric_tests::traffic::{Stream, StreamOptions, transfer};

use crate::{counters, report::UnicastReport, stage::Stage};

/// From whom to whom, and what that shows.
const TALKS: [(&str, &str, &str); 4] = [
    ("app01", "app02", "on one leaf"),
    ("web01", "web02", "within Site-01, VLAN 100"),
    ("app03", "app04", "from Site-01 to Site-02, VLAN 200"),
    ("app06", "app01", "from Site-02 to Site-01, VLAN 200"),
];
const INTERVAL: Duration = Duration::from_micros(500);
const WARM_UP: Duration = Duration::from_secs(1);
const TIME: Duration = Duration::from_secs(5);
const TCP_BYTES: u64 = 20_000_000;

pub(crate) fn show(stage: &Stage) -> anyhow::Result<UnicastReport> {
    stage.say("hosts talk over UDP, sizes from 26 to 1472 bytes, every byte checked:");
    let mut streams = Vec::new();
    for (port, (from, to, what)) in (7_000..).zip(TALKS) {
        let options = StreamOptions { interval: INTERVAL, sizes: &[26, 512, 1024, 1472], port };
        let (from_ns, to_ns) = (stage.netns(from)?, stage.netns(to)?);
        streams.push((
            from,
            to,
            what,
            Stream::start(&from_ns, &to_ns, stage.address(to)?, options)?,
        ));
    }
    stage.wait(WARM_UP)?;
    let before = counters::unicast(stage)?;
    stage.wait(TIME)?;
    let during = counters::unicast(stage)?.since(before);
    for (from, to, what, stream) in streams {
        let report = stream.stop()?;
        stage.say(&format!(
            "    {from} to {to}, {what}: {} of {} datagrams arrived",
            report.received, report.sent
        ));
        ensure!(
            report.damaged == 0,
            "{} datagrams from {from} to {to} were damaged",
            report.damaged
        );
        ensure!(report.received > 0, "nothing of {from} reaches {to}");
    }
    let tcp = transfer(
        &stage.netns("app02")?,
        &stage.netns("app06")?,
        stage.address("app06")?,
        TCP_BYTES,
    )?;
    ensure!(tcp.intact == TCP_BYTES, "TCP: {} of {TCP_BYTES} bytes arrived intact", tcp.intact);
    stage.say(&format!(
        "    app02 to app06, across, TCP: {} MB arrived intact",
        TCP_BYTES / 1_000_000
    ));
    let share = during.forwarded as f64 / during.frames.max(1) as f64;
    stage.say(&format!(
        "    {} of {} unicast frames at the leafs were forwarded by XDP ({:.3} %)",
        during.forwarded,
        during.frames,
        share * 100.0
    ));
    Ok(UnicastReport { frames: during.frames, xdp_forwarded: during.forwarded, xdp_share: share })
}
