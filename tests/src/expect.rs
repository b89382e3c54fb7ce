//! What became of a packet, compared with what should have: the verdict, every byte, every counter.

use std::{cell::RefCell, collections::BTreeSet, fmt::Write as _};

use fabric_common::{
    reason::{Reason, Verdict},
    schema::counters::{Counter, Traffic},
};

use crate::{
    counters::Counters,
    model::Forecast,
    packet::{OUTER, OUTER6, ether_type},
    run::{Run, action},
    world::{DomainId, Port, VtepId},
};

/// A packet's end. It is worth nothing until it is compared.
#[must_use = "an outcome must be compared with what is expected"]
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Where the packet entered.
    pub port: Port,
    /// The packet.
    pub input: Vec<u8>,
    /// The action and the packet afterwards.
    pub run: Run,
    /// What the counters gained.
    pub counted: Counters,
}

/// A tunnel that a packet entered or left.
#[derive(Clone, Copy, Debug)]
enum Tunnel {
    Entered(DomainId, VtepId),
    Left(DomainId, VtepId),
}

impl Outcome {
    /// The kernel gets the packet as it came.
    #[track_caller]
    pub fn passes(self, reason: Reason) {
        let bytes = self.input.clone();
        self.check(reason, Verdict::Pass, &bytes, None, None);
    }

    /// The packet is dropped.
    #[track_caller]
    pub fn is_dropped(self, reason: Reason) {
        let bytes = self.input.clone();
        self.check(reason, Verdict::Drop, &bytes, None, None);
    }

    /// The packet is dropped at the last moment, when it already looked like `bytes`; `tunnel` says
    /// which one it had entered by then.
    #[track_caller]
    pub fn is_dropped_as(self, reason: Reason, bytes: &[u8], tunnel: Option<(DomainId, VtepId)>) {
        let tunnel = tunnel.map(|(domain, vtep)| Tunnel::Entered(domain, vtep));
        self.check(reason, Verdict::Drop, bytes, None, tunnel);
    }

    /// The frame leaves through another local port as `bytes`.
    #[track_caller]
    pub fn is_bridged(self, to: &Port, bytes: &[u8]) {
        self.check(Reason::Bridged, Verdict::Redirect, bytes, Some(to.slot), None);
    }

    /// The frame leaves through an underlay port inside the VXLAN packet `bytes`.
    #[track_caller]
    pub fn is_encapsulated(self, to: &Port, domain: DomainId, vtep: VtepId, bytes: &[u8]) {
        let tunnel = Some(Tunnel::Entered(domain, vtep));
        self.check(Reason::Encapsulated, Verdict::Redirect, bytes, Some(to.slot), tunnel);
    }

    /// The inner frame leaves through a local port as `bytes`.
    #[track_caller]
    pub fn is_decapsulated(self, to: &Port, domain: DomainId, vtep: VtepId, bytes: &[u8]) {
        let tunnel = Some(Tunnel::Left(domain, vtep));
        self.check(Reason::Decapsulated, Verdict::Redirect, bytes, Some(to.slot), tunnel);
    }

    /// The packet is routed: it leaves through another port as `bytes`.
    #[track_caller]
    pub fn is_routed(self, to: &Port, bytes: &[u8]) {
        self.check(Reason::Routed, Verdict::Redirect, bytes, Some(to.slot), None);
    }

    /// The packet is routed into a tunnel: it leaves through an underlay port inside the VXLAN packet `bytes`.
    #[track_caller]
    pub fn is_routed_into(self, to: &Port, domain: DomainId, vtep: VtepId, bytes: &[u8]) {
        let tunnel = Some(Tunnel::Entered(domain, vtep));
        self.check(Reason::Routed, Verdict::Redirect, bytes, Some(to.slot), tunnel);
    }

    /// The inner packet is routed: it leaves through another port as `bytes`.
    #[track_caller]
    pub fn is_routed_out_of(self, to: &Port, domain: DomainId, vtep: VtepId, bytes: &[u8]) {
        let tunnel = Some(Tunnel::Left(domain, vtep));
        self.check(Reason::Routed, Verdict::Redirect, bytes, Some(to.slot), tunnel);
    }

    /// The packet has become its answer, `bytes`, and goes back.
    #[track_caller]
    pub fn is_answered(self, reason: Reason, bytes: &[u8]) {
        let slot = self.port.slot;
        self.check(reason, Verdict::Reply, bytes, Some(slot), None);
    }

    #[track_caller]
    fn check(
        self,
        reason: Reason,
        verdict: Verdict,
        bytes: &[u8],
        sent: Option<u32>,
        tunnel: Option<Tunnel>,
    ) {
        let expected = counters(&self.port, &self.input, reason, bytes, sent, tunnel);
        assert_eq!(
            self.counted, expected,
            "left: what the counters gained, right: what they should"
        );
        assert_eq!(reason.verdict(), verdict, "{reason:?} has another verdict");
        assert_run(&self.run, reason, bytes);
        PROVOKED.with_borrow_mut(|all| all.insert(reason));
    }
}

impl Forecast {
    /// Compares action and bytes with the model's.
    #[track_caller]
    pub fn assert_run(&self, packet: &[u8], run: &Run) {
        let bytes = self.sent.as_ref().map_or(packet, |sent| &sent.bytes);
        assert_run(run, self.reason, bytes);
    }

    /// What the counters should gain by a packet with this forecast.
    #[must_use]
    pub fn counters(&self, port: &Port, packet: &[u8]) -> Counters {
        let sent = self.sent.as_ref();
        let tunnel = sent.and_then(|sent| sent.tunnel).map(|(domain, vtep)| {
            if self.reason == Reason::Encapsulated {
                Tunnel::Entered(domain, vtep)
            } else {
                Tunnel::Left(domain, vtep)
            }
        });
        let bytes = sent.map_or(packet, |sent| &sent.bytes);
        counters(port, packet, self.reason, bytes, sent.map(|sent| sent.slot), tunnel)
    }
}

/// Length of a VXLAN packet's outer headers.
fn outer(packet: &[u8]) -> usize {
    let over_ipv6 = packet[12..14] == ether_type::IPV6.to_be_bytes();
    if over_ipv6 { OUTER6 } else { OUTER }
}

#[track_caller]
fn assert_run(run: &Run, reason: Reason, bytes: &[u8]) {
    let action = match reason.verdict() {
        Verdict::Redirect | Verdict::Reply => action::REDIRECT,
        Verdict::Pass => action::PASS,
        Verdict::Drop => action::DROP,
    };
    assert_eq!(run.action, action, "the XDP action does not fit {reason:?}");
    assert_bytes(&run.bytes, bytes);
}

/// What the counters gain by a packet that came in through `port` as `input` and ended as `bytes`.
fn counters(
    port: &Port,
    input: &[u8],
    reason: Reason,
    bytes: &[u8],
    sent: Option<u32>,
    tunnel: Option<Tunnel>,
) -> Counters {
    let counter = |bytes: usize| Counter { packets: 1, bytes: bytes as u64 };
    let mut gained = Counters::default();
    gained.reasons.insert((port.slot, reason.name().to_owned()), counter(input.len()));
    if let Some(slot) = sent {
        gained.port_tx.insert(slot, counter(bytes.len()));
    }
    let mut traffic = Traffic::default();
    let (domain, vtep) = match tunnel {
        None => return gained,
        Some(Tunnel::Entered(domain, vtep)) => {
            traffic.encapsulated = counter(bytes.len() - outer(bytes));
            (domain, vtep)
        }
        Some(Tunnel::Left(domain, vtep)) => {
            traffic.decapsulated = counter(input.len() - outer(input));
            (domain, vtep)
        }
    };
    gained.domains.insert(domain.0.into(), traffic);
    gained.vteps.insert(vtep.0, traffic);
    gained
}

thread_local! {
    /// The reasons that were expected and seen on this thread.
    static PROVOKED: RefCell<BTreeSet<Reason>> = const { RefCell::new(BTreeSet::new()) };
}

/// Runs `body` and returns the reasons that were expected and seen in it.
pub fn provoked_by(body: impl FnOnce()) -> BTreeSet<Reason> {
    PROVOKED.take();
    body();
    PROVOKED.take()
}

/// Adds reasons that were seen on another thread.
pub(crate) fn add_provoked(reasons: BTreeSet<Reason>) {
    PROVOKED.with_borrow_mut(|all| all.extend(reasons));
}

/// Compares two packets byte for byte.
///
/// # Panics
/// With both and the places where they differ, if they do.
#[track_caller]
pub fn assert_bytes(found: &[u8], expected: &[u8]) {
    if found == expected {
        return;
    }
    let places: Vec<_> = (0..found.len().max(expected.len()))
        .filter(|i| found.get(*i) != expected.get(*i))
        .collect();
    panic!(
        "the packets differ at {places:?}\nfound, {} bytes:\n{}expected, {} bytes:\n{}",
        found.len(),
        dump(found),
        expected.len(),
        dump(expected)
    );
}

/// Bytes as people read them, sixteen a line.
#[must_use]
pub fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, chunk) in bytes.chunks(16).enumerate() {
        let hex: Vec<_> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let _infallible = writeln!(text, "  {:4}  {}", line * 16, hex.join(" "));
    }
    text
}
