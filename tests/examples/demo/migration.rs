//! A VM moves from Site-01 to Site-02 while it pings its default gateway and a host of the other
//! site streams to it.

use std::time::Duration;

use anyhow::Context as _;
use fabric_tests::traffic::{Ping, Stream, StreamOptions};

use crate::{
    report::{GatewayPing, MigrationReport, PeerStream},
    stage::Stage,
};

const VM: &str = "app01";
const TARGET: &str = "leaf03";
const PEER: &str = "app06";
const PING_INTERVAL: Duration = Duration::from_millis(100);
const STREAM_INTERVAL: Duration = Duration::from_millis(5);
const BEFORE: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_secs(4);

pub(crate) fn show(stage: &Stage) -> anyhow::Result<MigrationReport> {
    let topology = stage.lab.topology();
    let host = topology.hosts.iter().find(|h| h.name == VM).context("the VM is missing")?;
    let network = topology.networks.iter().find(|n| host.network() == Some(&n.name));
    let gateway = network.context("the VM's network is missing")?.gateway;
    let gateway = gateway.context("the VM's network has no gateway")?.address;
    let vm = stage.netns(VM)?;
    let ping = Ping::start(&vm, gateway, PING_INTERVAL)?;
    let options = StreamOptions { interval: STREAM_INTERVAL, sizes: &[200], port: 7_100 };
    let stream = Stream::start(&stage.netns(PEER)?, &vm, host.address, options)?;
    stage.say(&format!("{VM} pings its gateway {gateway}, {PEER} streams to it"));
    stage.wait(BEFORE)?;
    let from = stage.lab.place(VM)?.switch;
    let moved = stage.lab.migrate(VM, TARGET)?;
    stage.say(&format!(
        "{VM} moved from {from} to {TARGET}: {:.1} ms without a link",
        moved.link_down_us as f64 / 1e3
    ));
    stage.wait(AFTER)?;
    let (ping, stream) = (ping.stop()?, stream.stop()?);
    let outage_ms = stream.outage.as_secs_f64() * 1e3;
    stage.say(&format!(
        "    gateway: {} of {} pings lost; stream from {PEER}: {} of {} datagrams lost, {outage_ms:.0} ms out",
        ping.lost,
        ping.sent,
        stream.lost(),
        stream.sent
    ));
    Ok(MigrationReport {
        gateway_ping: GatewayPing {
            interval_ms: PING_INTERVAL.as_millis() as u64,
            sent: ping.sent,
            lost: ping.lost,
        },
        peer_stream: PeerStream {
            interval_ms: STREAM_INTERVAL.as_millis() as u64,
            lost: stream.lost(),
            outage_ms,
        },
    })
}
