//! What is counted by port, VNI, VTEP and reason.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use fabric_common::{
    reason::{Reason, Verdict},
    schema::counters::{Counter, Traffic},
};
use serde::{Serialize, Serializer};

use super::sums::Sums;
use crate::cli::{
    format::{bytes, rate},
    maps::role,
    row::{Said, Shown, percent, rows},
    view::View,
};
use crate::kernel::counters::Count as _;

/// What the tables show.
pub(super) struct Scene<'a> {
    pub(super) view: &'a View,
    pub(super) sums: Sums,
    /// The slot of the only port to show.
    pub(super) port: Option<u32>,
    /// With what is zero.
    pub(super) all: bool,
    /// The time of which the counters are; `None` for all.
    pub(super) over: Option<Duration>,
}

/// Packets and bytes, as totals or rates.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Amount {
    Total { packets: u64, bytes: u64 },
    Rate { packets_per_s: f64, bits_per_s: f64 },
}

impl Amount {
    fn packets(&self) -> String {
        match self {
            Self::Total { packets, .. } => packets.to_string(),
            Self::Rate { packets_per_s, .. } => rate(*packets_per_s, ""),
        }
    }
}

impl Shown for Amount {
    const RIGHT: bool = true;

    /// Packets, and behind them bytes under each other.
    fn shown(&self) -> String {
        let packets = self.packets();
        match self {
            Self::Total { bytes: all, .. } => format!("{packets}  {:>8}", bytes(*all)),
            Self::Rate { bits_per_s, .. } => format!("{packets}  {:>9}", rate(*bits_per_s, "bit")),
        }
    }
}

/// An amount of which people see the packets alone.
#[derive(Clone, Debug)]
pub(super) struct Packets(Amount);

impl Serialize for Packets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Shown for Packets {
    const RIGHT: bool = true;

    fn shown(&self) -> String {
        self.0.packets()
    }
}

rows! {
    /// What a port received and sent.
    pub(super) struct PortRow, "no port is accelerated" {
        /// Name of the interface.
        "PORT" port: String,
        /// `access`, `routed`, `underlay`, `gateway` or `none`.
        "ROLE" role: &'static str,
        /// Received.
        "RECEIVED" received: Amount,
        /// Of these, what Fabric forwarded.
        "FORWARDED" forwarded: Packets,
        /// Of these, what the kernel got.
        "KERNEL" passed: Packets,
        /// Of these, what was dropped.
        "DROPPED" dropped: Packets,
        /// Of these, what was answered by itself.
        "ANSWERED" [detail] answered: Packets,
        /// Sent.
        "SENT" sent: Amount,
        /// Its place in the map `ports`.
        "SLOT" [detail] slot: u32,
    }
}

rows! {
    /// Inner frames into and out of the tunnels of a VNI.
    pub(super) struct VniRow, "no frame has gone through a tunnel of any VNI" {
        /// The VNI.
        "VNI" vni: Option<u32>,
        /// Name of the bridge, with the VLAN if it is VLAN-aware.
        "BRIDGE" bridge: Option<String>,
        /// The VRF in which its hosts are routed; null for the default one or none.
        "VRF" vrf: Option<String>,
        /// Into tunnels.
        "ENCAPSULATED" encapsulated: Amount,
        /// Out of tunnels.
        "DECAPSULATED" decapsulated: Amount,
        /// Index of the bridge domain.
        "INDEX" [detail] index: u32,
    }
}

rows! {
    /// Inner frames to and from a remote VTEP.
    pub(super) struct VtepRow, "no frame has gone to or come from any VTEP" {
        /// Its address.
        "VTEP" vtep: Option<IpAddr>,
        /// The local address of tunnels to it.
        "LOCAL" [detail] local: Option<IpAddr>,
        /// Into tunnels.
        "ENCAPSULATED" encapsulated: Amount,
        /// Out of tunnels.
        "DECAPSULATED" decapsulated: Amount,
        /// Index of the VTEP.
        "INDEX" [detail] index: u32,
    }
}

rows! {
    /// Received packets with one end, over all ports.
    pub(super) struct ReasonRow, "no packet has been received" {
        /// The reason, which names the stage.
        "REASON" reason: &'static str,
        /// `redirect`, `pass`, `drop` or `reply`.
        "VERDICT" verdict: &'static str,
        /// How many.
        "PACKETS" received: Amount,
        /// Part of all received packets, in percent.
        "SHARE" [right] share_percent: Said<Option<f64>>,
        /// What it means.
        "WHAT" [detail, wrapped] about: &'static str,
    }
}

/// What becomes of a packet, as a word.
const fn verdict(reason: Reason) -> &'static str {
    match reason.verdict() {
        Verdict::Redirect => "redirect",
        Verdict::Pass => "pass",
        Verdict::Drop => "drop",
        Verdict::Reply => "reply",
    }
}

impl Scene<'_> {
    fn amount(&self, Counter { packets, bytes }: Counter) -> Amount {
        match self.over.map(|over| over.as_secs_f64()) {
            None => Amount::Total { packets, bytes },
            Some(seconds) => Amount::Rate {
                packets_per_s: packets as f64 / seconds,
                bits_per_s: bytes as f64 * 8.0 / seconds,
            },
        }
    }

    /// All ports: there are few, and one that is silent is news.
    pub(super) fn ports(&self) -> impl Iterator<Item = PortRow> {
        let ports = self.view.contents.ports.iter();
        let ports = ports.filter(|(slot, _)| self.port.is_none_or(|port| port == **slot));
        ports.map(|(slot, port)| {
            let of = |verdict: Option<Verdict>| {
                let reasons = self.sums.reasons.iter().filter(|((row, reason), _)| {
                    *row == port.row && verdict.is_none_or(|v| v == reason.verdict())
                });
                self.amount(reasons.fold(Counter::default(), |all, (_, one)| all.plus(*one)))
            };
            PortRow {
                port: self.view.port(*slot),
                role: role(port.role),
                received: of(None),
                forwarded: Packets(of(Some(Verdict::Redirect))),
                passed: Packets(of(Some(Verdict::Pass))),
                dropped: Packets(of(Some(Verdict::Drop))),
                answered: Packets(of(Some(Verdict::Reply))),
                sent: self.amount(self.sums.sent.get(slot).copied().unwrap_or_default()),
                slot: *slot,
            }
        })
    }

    fn tunnels(&self, of: &BTreeMap<u32, Traffic>) -> impl Iterator<Item = (u32, [Amount; 2])> {
        let silent = |t: &Traffic| t.encapsulated.packets + t.decapsulated.packets == 0;
        let wanted = of.iter().filter(move |(_, traffic)| self.all || !silent(traffic));
        wanted.map(|(index, t)| (*index, [t.encapsulated, t.decapsulated].map(|c| self.amount(c))))
    }

    pub(super) fn vnis(&self) -> impl Iterator<Item = VniRow> {
        let rows = self.tunnels(&self.sums.domains);
        rows.map(|(index, [encapsulated, decapsulated])| VniRow {
            vni: self.view.vni(index),
            bridge: self.view.bridge(index),
            vrf: self.view.vrf_of_domain(index),
            encapsulated,
            decapsulated,
            index,
        })
    }

    pub(super) fn vteps(&self) -> impl Iterator<Item = VtepRow> {
        let rows = self.tunnels(&self.sums.vteps);
        rows.map(|(index, [encapsulated, decapsulated])| {
            let vtep = self.view.contents.vteps.get(&index);
            let (vtep, local) = (vtep.map(|v| v.remote()), vtep.map(|v| v.local()));
            VtepRow { vtep, local, encapsulated, decapsulated, index }
        })
    }

    pub(super) fn reasons(&self) -> impl Iterator<Item = ReasonRow> {
        let mut sums: BTreeMap<Reason, Counter> = BTreeMap::new();
        if self.all {
            sums.extend(Reason::ALL.iter().map(|reason| (*reason, Counter::default())));
        }
        let wanted = self.port.map(|slot| self.view.contents.ports.get(&slot).map(|port| port.row));
        for ((row, reason), counter) in &self.sums.reasons {
            if wanted.is_none_or(|wanted| wanted == Some(*row)) {
                let sum = sums.entry(*reason).or_default();
                *sum = sum.plus(*counter);
            }
        }
        let total: u64 = sums.values().map(|counter| counter.packets).sum();
        let seen = sums.into_iter().filter(|(_, counter)| self.all || counter.packets > 0);
        seen.map(move |(reason, counter)| ReasonRow {
            reason: reason.name(),
            verdict: verdict(reason),
            received: self.amount(counter),
            share_percent: percent(counter.packets, total),
            about: reason.describe().trim(),
        })
    }
}

#[cfg(test)]
mod tests {
    use fabric_common::schema::counters::reason_index;

    use super::*;
    use crate::{
        cli::{
            counters::Document,
            golden,
            print::Of,
            row::Row as _,
            table::{Look, Table},
            view::tests::leaf,
        },
        kernel::maps::Maps,
        settings::Settings,
    };

    fn sums() -> Sums {
        let counter = |packets| Counter { packets, bytes: packets * 100 };
        Sums {
            reasons: [
                ((13, Reason::Encapsulated), counter(990)),
                ((14, Reason::Encapsulated), counter(6)),
                ((14, Reason::FrameGuardSourceZero), counter(4)),
            ]
            .into(),
            sent: [(1, counter(996))].into(),
            ..Sums::default()
        }
    }

    #[test]
    fn reasons_of_all_ports_are_added_up_and_zeros_left_out_unless_asked_for() {
        let view = leaf();
        let mut scene = Scene { view: &view, sums: sums(), port: None, all: false, over: None };
        let expected = "\
REASON                   VERDICT         PACKETS  SHARE
encapsulated             redirect  996  97.3 KiB  99.6%
frame_guard_source_zero  drop        4     400 B   0.4%
";
        assert_eq!(Table::of(scene.reasons()).text(Look::default()), expected);
        scene.all = true;
        assert_eq!(scene.reasons().count(), Reason::ALL.len());
        scene = Scene { port: Some(3), all: false, ..scene };
        assert_eq!(scene.reasons().count(), 1);
    }

    #[test]
    fn what_ports_without_a_row_of_their_own_received_is_counted_once() {
        let mut view = leaf();
        for slot in [3, 4] {
            view.contents.ports.get_mut(&slot).unwrap().row = 0;
        }
        let maps = Maps::in_memory(&Settings::default().sizes()).unwrap();
        let shared = reason_index(0, Reason::Encapsulated as u8);
        maps.reasons.count(shared, |counter| *counter = Counter { packets: 7, bytes: 700 });
        let sums = Sums::read(&maps, &view.contents).unwrap();
        let scene = Scene { view: &view, sums, port: None, all: false, over: None };
        let packets: Vec<_> = scene.reasons().map(|row| row.received.shown()).collect();
        assert_eq!(packets, ["7     700 B"]);
    }

    #[test]
    fn what_a_port_received_is_split_by_verdict() {
        let view = leaf();
        let over = Some(Duration::from_secs(2));
        let scene = Scene { view: &view, sums: sums(), port: None, all: false, over };
        let expected = "\
PORT  ROLE            RECEIVED  FORWARDED  KERNEL  DROPPED            SENT
swp1  underlay    0      0 bit          0       0        0  498   398 kbit
swp2  underlay    0      0 bit          0       0        0    0      0 bit
h1    access    495   396 kbit        495       0        0    0      0 bit
h2    access      5  4.00 kbit          3       0        2    0      0 bit
";
        assert_eq!(Table::of(scene.ports()).text(Look::default()), expected);
    }

    #[test]
    fn totals_are_exact_and_rates_are_per_second_and_in_bits() {
        let view = leaf();
        let mut scene =
            Scene { view: &view, sums: Sums::default(), port: None, all: false, over: None };
        let counter = Counter { packets: 3_000_000, bytes: 384_000_000 };
        let said = |scene: &Scene<'_>| {
            let amount = scene.amount(counter);
            (amount.shown(), serde_json::to_value(amount).unwrap())
        };
        let total = serde_json::json!({ "packets": 3_000_000, "bytes": 384_000_000 });
        assert_eq!(said(&scene), ("3000000   366 MiB".into(), total));
        scene.over = Some(Duration::from_secs(2));
        let rate = serde_json::json!({ "packets_per_s": 1.5e6, "bits_per_s": 1.536e9 });
        assert_eq!(said(&scene), ("1.50 M  1.54 Gbit".into(), rate));
    }
    #[test]
    fn what_is_printed_as_json_is_written_down() {
        let view = leaf();
        let traffic = |packets| Traffic {
            encapsulated: Counter { packets, bytes: packets * 100 },
            decapsulated: Counter { packets: 1, bytes: 64 },
        };
        let sums = Sums {
            domains: [(1, traffic(996))].into(),
            vteps: [(1, traffic(996))].into(),
            ..sums()
        };
        let mut scene = Scene { view: &view, sums, port: None, all: false, over: None };
        let document = |scene: &Scene<'_>| Document::of(None, false, scene);
        golden::golden("counters", &Of::new("golden", document(&scene)));
        scene.over = Some(Duration::from_secs(2));
        golden::golden("counters-rates", &Of::new("golden", document(&scene)));
    }

    #[test]
    fn every_field_is_documented() {
        golden::documented([
            ("`ports` of `counters`", PortRow::COLUMNS),
            ("`vnis` of `counters`", VniRow::COLUMNS),
            ("`vteps` of `counters`", VtepRow::COLUMNS),
            ("`reasons` of `counters`", ReasonRow::COLUMNS),
        ]);
    }

    #[test]
    fn every_reason_is_in_the_operations_manual() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
        let page = std::fs::read_to_string(path).expect("the page is there");
        let part = page.split("\n## ").find(|part| part.starts_with("Where did my packet go?"));
        let rows =
            part.unwrap().lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
        let named: Vec<&str> = rows.flat_map(|(first, _)| first.split('`')).collect();
        let missing = Reason::ALL.iter().map(|reason| reason.name());
        let missing = missing.filter(|name| !named.contains(name)).collect::<Vec<_>>();
        assert_eq!(missing, [""; 0], "{path} lacks these reasons");
    }
}
