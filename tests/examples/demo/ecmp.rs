//! Many flows from one leaf to the other site spread over both spines.

use anyhow::ensure;
use fabric_tests::traffic::send_flows;

use crate::{counters, report::EcmpReport, stage::Stage};

const FLOWS: u16 = 16_384;
const PACKETS: u32 = 2;

pub(crate) fn show(stage: &Stage) -> anyhow::Result<EcmpReport> {
    let before = counters::sent_by_port(stage, "leaf01")?;
    send_flows(&stage.netns("app02")?, stage.address("app04")?, FLOWS, PACKETS)?;
    let after = counters::sent_by_port(stage, "leaf01")?;
    let sent: Vec<u64> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
    let total: u64 = sent.iter().sum();
    ensure!(
        total >= u64::from(FLOWS) * u64::from(PACKETS) * 99 / 100,
        "only {total} packets of {FLOWS} flows left leaf01 through XDP"
    );
    let mean = total as f64 / sent.len() as f64;
    let share = sent.iter().copied().max().unwrap_or(0) as f64 / mean;
    stage.say(&format!(
        "{FLOWS} flows from leaf01 over {} spines: {sent:?} packets, the fullest has {share:.3} of its share",
        sent.len()
    ));
    Ok(EcmpReport { paths: sent.len(), flows: FLOWS.into(), share_max_over_mean: share })
}
