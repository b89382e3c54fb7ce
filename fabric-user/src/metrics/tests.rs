//! What is answered, as somebody who asks reads it.

mod documents;
mod http;
mod pages;

use std::{net::IpAddr, sync::Arc, time::Duration};

use fabric_common::{
    reason::Reason,
    schema::counters::{Counter, Traffic},
};

use super::{board::Board, exposition::Exposition, format::Format, source::Source};
use crate::{
    cli::sight::{Living, Port, Sight, Vni},
    daemon::state::State,
};

fn counter(packets: u64) -> Counter {
    Counter { packets, bytes: packets * 100 }
}

fn traffic(packets: u64) -> Traffic {
    Traffic { encapsulated: counter(packets), decapsulated: counter(packets + 1) }
}

/// A leaf with something in every family.
fn leaf() -> (Arc<Board>, State, Sight) {
    let board = Board::default();
    board.apply.observe(Duration::from_micros(300));
    board.failover.observe(Duration::from_micros(30));
    board.compared();
    let state = State { synced: true, resyncs: 2, audits: 3, writes: 9, ..State::default() };
    let port = |role, is_at_fault, refusal: Option<&str>| Port {
        role,
        mode: "native",
        is_up: true,
        is_accelerated: refusal.is_none(),
        is_at_fault,
        refusal: refusal.map(str::to_owned),
    };
    let vni = |bridge: &str, is_l3| Vni {
        bridge: bridge.into(),
        vrf: "red".into(),
        is_l3,
        traffic: traffic(50),
        local_macs: 2,
        remote_macs: 3,
        vteps: 1,
    };
    let sight = Sight {
        ports: [
            ("h1".to_owned(), port("access", true, Some("a \"quoted\" \\ reason"))),
            ("swp1".to_owned(), port("underlay", false, None)),
        ]
        .into(),
        received: [
            (("h1".to_owned(), Reason::Bridged), counter(7)),
            (("swp1".to_owned(), Reason::VxlanInputUnknownVtep), counter(1)),
        ]
        .into(),
        sent: [("h1".to_owned(), counter(4))].into(),
        vnis: [(10_200, vni("br200", false)), (104_007, vni("br7", true))].into(),
        vteps: [(IpAddr::from([10, 0, 0, 2]), traffic(50))].into(),
        vrfs: [("red".to_owned(), [104_007].into()), ("default".to_owned(), [].into())].into(),
        nexthops: Living { live: 2, dead: 1 },
        groups: Living { live: 1, dead: 0 },
        maps: vec![("fdb", 5, 131_072)],
        heartbeat: Some(7.5),
        timeout: 10.0,
        is_bypassed: false,
    };
    (Arc::new(board), state, sight)
}

/// What is answered about a leaf.
async fn page((board, state, sight): (Arc<Board>, State, Sight), format: Format) -> String {
    let page = Source::of(board, state, sight).answer(format).await.unwrap();
    String::from_utf8(page.to_vec()).unwrap()
}

async fn read(leaf: (Arc<Board>, State, Sight), format: Format) -> Exposition {
    let page = page(leaf, format).await;
    Exposition::read(&page).unwrap_or_else(|error| panic!("{error:#}:\n{page}"))
}
