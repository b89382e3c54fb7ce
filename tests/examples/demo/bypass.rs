//! The bypass switched on and off under traffic, on all leafs.

use std::time::Duration;

use anyhow::ensure;
use fabric_tests::traffic::{Stream, StreamOptions};

use crate::{counters, report::BypassReport, stage::Stage};

const INTERVAL: Duration = Duration::from_millis(1);
const PHASE: Duration = Duration::from_secs(1);

pub(crate) fn show(stage: &Stage) -> anyhow::Result<BypassReport> {
    let (from, to) = ("app03", "app06");
    let options = StreamOptions { interval: INTERVAL, sizes: &[100, 1400], port: 7_200 };
    let stream =
        Stream::start(&stage.netns(from)?, &stage.netns(to)?, stage.address(to)?, options)?;
    for (on, what) in [(false, "off"), (true, "on"), (false, "off again")] {
        for leaf in stage.leafs() {
            stage.maps(&leaf, true)?.settings.update(0, |s| s.bypass = u64::from(on));
        }
        let (before, received) = (counters::unicast(stage)?, stream.received());
        stage.wait(PHASE)?;
        let during = counters::unicast(stage)?.since(before);
        let received = stream.received() - received;
        stage.say(&format!(
            "bypass {what}: {received} datagrams from {from} to {to} arrived, XDP forwarded {} of {} frames",
            during.forwarded, during.frames
        ));
        ensure!(received > 0, "nothing arrives with the bypass {what}");
        ensure!(on == (during.forwarded == 0), "the bypass {what} makes no difference");
    }
    let report = stream.stop()?;
    Ok(BypassReport { sent: report.sent, lost: report.lost() })
}
