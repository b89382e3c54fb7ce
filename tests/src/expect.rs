//! What became of a packet, compared with what should have: the verdict, every byte, every counter.

use std::{cell::RefCell, collections::BTreeSet, fmt::Write as _};

use fabric_common::{
    reason::{Reason, Verdict},
    schema::counters::{Counter, Traffic},
};

use crate::{
    counters::Counters,
    packet::OUTER,
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
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn passes(self, reason: Reason) {
        let bytes = self.input.clone();
        self.check(reason, Verdict::Pass, &bytes, None, None);
    }

    /// The packet is dropped.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn is_dropped(self, reason: Reason) {
        let bytes = self.input.clone();
        self.check(reason, Verdict::Drop, &bytes, None, None);
    }

    /// The packet is dropped at the last moment, when it already looked like `bytes`; `tunnel` says
    /// which one it had entered by then.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn is_dropped_as(self, reason: Reason, bytes: &[u8], tunnel: Option<(DomainId, VtepId)>) {
        let tunnel = tunnel.map(|(domain, vtep)| Tunnel::Entered(domain, vtep));
        self.check(reason, Verdict::Drop, bytes, None, tunnel);
    }

    /// The frame leaves through another local port as `bytes`.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn is_bridged(self, to: &Port, bytes: &[u8]) {
        self.check(Reason::Bridged, Verdict::Redirect, bytes, Some(to), None);
    }

    /// The frame leaves through an uplink inside the VXLAN packet `bytes`.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn is_encapsulated(self, to: &Port, domain: DomainId, vtep: VtepId, bytes: &[u8]) {
        let tunnel = Some(Tunnel::Entered(domain, vtep));
        self.check(
            Reason::Encapsulated,
            Verdict::Redirect,
            bytes,
            Some(to),
            tunnel,
        );
    }

    /// The inner frame leaves through a local port as `bytes`.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn is_decapsulated(self, to: &Port, domain: DomainId, vtep: VtepId, bytes: &[u8]) {
        let tunnel = Some(Tunnel::Left(domain, vtep));
        self.check(
            Reason::Decapsulated,
            Verdict::Redirect,
            bytes,
            Some(to),
            tunnel,
        );
    }

    #[track_caller]
    fn check(
        self,
        reason: Reason,
        verdict: Verdict,
        bytes: &[u8],
        sent: Option<&Port>,
        tunnel: Option<Tunnel>,
    ) {
        let mut expected = Counters::default();
        let counter = |bytes: usize| Counter {
            packets: 1,
            bytes: bytes as u64,
        };
        let row = (self.port.slot, reason.name().to_owned());
        expected.reasons.insert(row, counter(self.input.len()));
        if let Some(port) = sent {
            expected.port_tx.insert(port.slot, counter(bytes.len()));
        }
        let traffic = match tunnel {
            None => None,
            Some(Tunnel::Entered(domain, vtep)) => {
                let encapsulated = counter(bytes.len() - OUTER);
                Some((
                    domain,
                    vtep,
                    Traffic {
                        encapsulated,
                        ..Traffic::default()
                    },
                ))
            }
            Some(Tunnel::Left(domain, vtep)) => {
                let decapsulated = counter(self.input.len() - OUTER);
                Some((
                    domain,
                    vtep,
                    Traffic {
                        decapsulated,
                        ..Traffic::default()
                    },
                ))
            }
        };
        if let Some((domain, vtep, traffic)) = traffic {
            expected.domains.insert(domain.0.into(), traffic);
            expected.vteps.insert(vtep.0, traffic);
        }
        assert_eq!(
            self.counted, expected,
            "left: what the counters gained, right: what they should"
        );
        assert_eq!(reason.verdict(), verdict, "{reason:?} has another verdict");
        let action = match verdict {
            Verdict::Redirect => action::REDIRECT,
            Verdict::Pass => action::PASS,
            Verdict::Drop => action::DROP,
        };
        assert_eq!(
            self.run.action, action,
            "the XDP action does not fit {reason:?}"
        );
        assert_bytes(&self.run.bytes, bytes);
        PROVOKED.with_borrow_mut(|all| all.insert(reason));
    }
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
