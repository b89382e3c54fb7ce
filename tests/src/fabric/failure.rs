//! A link that fails under many flows, and what became of them.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use fabric_user::lab::Fault;

use super::{Fabric, PATIENCE, carrier_watch::CarrierWatch, until};
use crate::traffic::{FlowOptions, FlowReport, FlowStream, Outage, flow_paths};

/// The flows of a failure: 1,000 with 20,000 packets a second together; a few more are sent, so that
/// a machine that hesitates still sends so many.
pub const FLOWS: FlowOptions =
    FlowOptions { flows: 1_000, rate: 21_000, first_port: 20_000, port: 7_900, sizes: &[16] };
/// If the kernel tells nothing of a silent link for so long, it tells nothing.
const WATCH: Duration = Duration::from_millis(1_500);

/// How a link fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The node's port loses its carrier.
    Cut,
    /// Nothing arrives any more, at either end.
    Silent,
}

/// A link to fail, and the flows over it.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Where the flows begin.
    pub from: &'a str,
    /// Where they end.
    pub to: &'a str,
    /// The node that chooses between several ports, of which the first one fails.
    pub node: &'a str,
    /// Its ports.
    pub ports: &'a [&'a str],
    /// Whether the flows are IPv6.
    pub ipv6: bool,
}

/// What became of the flows.
#[derive(Debug)]
pub struct Failure {
    /// The port of each flow before, as an index of the scene's ports.
    pub before: Vec<Option<usize>>,
    /// The same while the link was broken and everything had settled.
    pub after: Vec<Option<usize>>,
    /// What arrived.
    pub report: FlowReport,
    /// When the link was broken: the moment before.
    pub began: Instant,
    /// When the node's kernel told that the carrier was lost.
    pub event: Option<Instant>,
}

impl Failure {
    /// Whether a flow had the way that failed.
    #[must_use]
    pub fn had_failed(&self, flow: u16) -> bool {
        self.before[usize::from(flow)] == Some(0)
    }

    /// The outage of the flows that had the way that failed; nothing if they lost no packet.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        self.report.span(|flow| self.had_failed(flow))
    }

    /// From the fault to the first packet that arrived after the last lost one.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.outage().map_or(Duration::ZERO, |it| it.ended.saturating_duration_since(self.began))
    }

    /// The same from the moment on at which the node could know: when its kernel told that the carrier
    /// was lost.
    #[must_use]
    pub fn lasted_from_event(&self) -> Option<Duration> {
        let ended = self.outage().map_or(self.began, |outage| outage.ended);
        self.event.map(|event| ended.saturating_duration_since(event))
    }

    /// Packets that flows on other ways have lost.
    #[must_use]
    pub fn survivors_lost(&self) -> u64 {
        self.report.lost(|flow| !self.had_failed(flow))
    }

    /// Flows that had another way than the one that failed, and have yet another one now.
    #[must_use]
    pub fn survivors_moved(&self) -> usize {
        let pairs = self.before.iter().zip(&self.after);
        pairs.filter(|(before, after)| **before != Some(0) && before != after).count()
    }

    /// The failure in one line, for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
        let event = self.event.zip(self.lasted_from_event()).map(|(event, lasted)| {
            let late = millis(event.saturating_duration_since(self.began));
            format!(", {:.2} ms from the link event on, {late:.2} ms later", millis(lasted))
        });
        let outage = self.outage().map_or_else(
            || "nothing lost".to_owned(),
            |outage| format!("{} lost within {:.2} ms", outage.lost, millis(outage.length())),
        );
        let failed = self.before.iter().filter(|port| **port == Some(0)).count();
        format!(
            "{:.0} packets/s; {failed} of {} flows on the failed way: {outage}; outage {:.2} ms from the fault on{}; others: {} lost, {} of {} flows moved; slowest packet {:.2} ms",
            self.report.rate(),
            self.before.len(),
            millis(self.lasted()),
            event.unwrap_or_default(),
            self.survivors_lost(),
            self.survivors_moved(),
            self.before.len() - failed,
            millis(self.report.slowest()),
        )
    }
}

impl Fabric {
    /// The port of each flow of a scene at this moment; nothing else may send meanwhile.
    #[must_use]
    pub fn paths(&self, scene: Scene<'_>) -> Vec<Option<usize>> {
        let (from, to, at) = (self.netns(scene.from), self.netns(scene.to), self.netns(scene.node));
        flow_paths(&from, (&to, self.target(scene)), &at, scene.ports, FLOWS)
            .expect("flows can be sent")
    }

    fn target(&self, scene: Scene<'_>) -> IpAddr {
        let host = self.lab().topology().host(scene.to).expect("the host is in the topology");
        let address6 = || host.address6.expect("the host has an IPv6 address").into();
        if scene.ipv6 { address6() } else { host.address.into() }
    }

    /// Starts the many flows of a scene and waits until they arrive.
    #[must_use]
    pub fn flows(&self, scene: Scene<'_>) -> FlowStream {
        let (from, to) = (self.netns(scene.from), self.netns(scene.to));
        let stream = FlowStream::start(&from, self.target(scene), &[to], FLOWS)
            .expect("a stream can be started");
        let twice = 2 * u64::from(FLOWS.flows);
        until(PATIENCE, "the flows arrive", || stream.received() > twice);
        stream
    }

    /// Breaks the link of a scene's first port under traffic and mends it under traffic: the second
    /// report is of flows that began while the link was broken and ended after the fabric had
    /// converged.
    #[must_use]
    pub fn fail_and_return(&self, scene: Scene<'_>, kind: Kind) -> (Failure, FlowReport) {
        let (failure, fault) = self.break_link(scene, kind);
        let stream = self.flows(scene);
        fault.mend().expect("the link can be mended");
        self.wait_converged();
        go_on(&stream, FLOWS.rate / 2);
        (failure, stream.stop().expect("the flows can be sent"))
    }

    fn break_link(&self, scene: Scene<'_>, kind: Kind) -> (Failure, Fault<'_>) {
        let before = self.paths(scene);
        let port = scene.ports[0];
        let whole = self.groups_over(scene.node, port);
        let stream = self.flows(scene);
        let (break_it, limit): (fn(_, _, _) -> _, _) = match kind {
            Kind::Cut => (Fault::cut, PATIENCE),
            Kind::Silent => (Fault::silence, WATCH),
        };
        let watch = CarrierWatch::start(&self.netns(scene.node), port, limit);
        let fault = break_it(self.lab(), scene.node, port).expect("the link can be broken");
        go_on(&stream, FLOWS.rate * 3 / 2);
        let event = watch.lost().expect("the kernel tells of links");
        let report = stream.stop().expect("the flows can be sent");
        let after = self.paths(scene);
        if kind == Kind::Cut {
            self.wait_forgotten(scene.node, &whole);
        }
        (Failure { before, after, report, began: fault.began(), event }, fault)
    }
}

/// Waits until so many more packets have arrived.
fn go_on(stream: &FlowStream, packets: u32) {
    let enough = stream.received() + u64::from(packets);
    until(PATIENCE, "the flows go on", || stream.received() > enough);
}
