//! Tables and chains of nftables: messages of a Linux 6.18 kernel, captured after the commands that stand
//! before them in `captured_netfilter.txt`, damaged ones, and a live kernel.

use std::{process::Command, time::Instant};

use super::{
    captured::recorded,
    live::{PATIENCE, in_namespace, sh},
    random::Random,
};
use crate::observe::{
    Asker, Batch, Chain, ChainFamily, ChainKind, Event, Hook, Observer, Scope, Tool,
    decode_netfilter,
};

fn messages() -> Vec<(&'static str, u16, u16, Vec<u8>)> {
    recorded(include_str!("captured_netfilter.txt"))
}

/// What followed a command, given by its first words.
fn events(command: &str) -> Vec<Event> {
    let all = messages().into_iter().filter(|(words, ..)| words.starts_with(command));
    all.filter_map(|(_, kind, flags, bytes)| decode_netfilter(kind, flags, &bytes).unwrap())
        .collect()
}

fn chain(path: &str, hook: Hook, kind: ChainKind, devices: &[&str], acts: bool) -> Event {
    let [family, table, name] = path.split(' ').collect::<Vec<_>>()[..] else { panic!("{path}") };
    let family = match family {
        "ip" => ChainFamily::Ip,
        "ip6" => ChainFamily::Ip6,
        "inet" => ChainFamily::Inet,
        "bridge" => ChainFamily::Bridge,
        "arp" => ChainFamily::Arp,
        _ => ChainFamily::Netdev,
    };
    let chain = Chain {
        tool: Tool::Nftables,
        family,
        table: table.into(),
        name: name.into(),
        hook,
        kind,
        devices: devices.iter().map(|name| (*name).into()).collect(),
        acts,
    };
    assert_eq!(chain.path(), path);
    Event::Chain(chain)
}

#[test]
fn a_base_chain_says_where_it_is_and_whether_it_does_anything() {
    use ChainKind::{Filter, Nat, Route};
    // Not the one that is only jumped to.
    let expected = [
        chain("inet fw forward", Hook::Forward, Filter, &[], true),
        chain("inet fw input", Hook::Input, Filter, &[], true),
        chain("inet fw ing", Hook::Ingress, Filter, &["d0"], true),
        chain("ip nat POSTROUTING", Hook::Postrouting, Nat, &[], true),
        chain("ip6 m out", Hook::Output, Route, &[], true),
        chain("bridge br pre", Hook::Prerouting, Filter, &[], false),
        chain("netdev nd in", Hook::Ingress, Filter, &["d0", "d1"], true),
        chain("netdev nd out", Hook::Egress, Filter, &["d1"], false),
        chain("arp a in", Hook::Input, Filter, &[], true),
        chain("ip off forwarded", Hook::Forward, Filter, &[], true),
    ];
    assert_eq!(events("dump chains"), expected);
}

/// The kernel goes on with flows that it has begun to translate.
#[test]
fn a_chain_that_translates_does_something_without_rules() {
    let mut answers = messages().into_iter().filter(|(words, ..)| *words == "dump chains");
    let is_it = |bytes: &[u8]| bytes.windows(11).any(|bytes| bytes == b"POSTROUTING");
    let (_, kind, flags, mut bytes) = answers.find(|(.., bytes)| is_it(bytes)).unwrap();
    // `NFTA_CHAIN_USE` is the last attribute.
    assert_eq!(bytes.split_off(bytes.len() - 4), [0, 0, 0, 1]);
    bytes.extend([0; 4]);
    let expected = chain("ip nat POSTROUTING", Hook::Postrouting, ChainKind::Nat, &[], true);
    assert_eq!(decode_netfilter(kind, flags, &bytes), Ok(Some(expected)));
}

#[test]
fn a_dormant_table_is_named_and_others_are_not() {
    let expected = Event::DormantTable { family: ChainFamily::Ip, name: "off".into() };
    assert_eq!(events("dump tables"), [expected]);
}

/// On Linux 6.16 and later a chain can be at all interfaces whose names begin alike.
#[test]
fn the_beginning_of_names_ends_with_an_asterisk() {
    let is_it = |bytes: &[u8]| bytes[0] == 5 && bytes.windows(4).any(|bytes| bytes == b"out\0");
    let mut answers = messages().into_iter().filter(|(words, ..)| *words == "dump chains");
    let (_, kind, flags, bytes) = answers.find(|(.., bytes)| is_it(bytes)).unwrap();
    // The list of names with one in it, and the single name behind it, which there is none of.
    let list = [0x0c, 0, 4, 0, 7, 0, 1, 0, b'd', b'1', 0, 0, 7, 0, 3, 0, b'd', b'1', 0, 0];
    let prefix = [0x0c, 0, 4, 0, 6, 0, 2, 0, b'd', b'1', 0, 0, 8, 0, 99, 0, 0, 0, 0, 0];
    let at = bytes.windows(list.len()).position(|window| window == list).unwrap();
    let changed = [&bytes[..at], &prefix, &bytes[at + list.len()..]].concat();
    let expected = chain("netdev nd out", Hook::Egress, ChainKind::Filter, &["d1*"], false);
    assert_eq!(decode_netfilter(kind, flags, &changed), Ok(Some(expected)));
}

#[test]
fn a_transaction_is_one_event_whatever_it_changes() {
    for command in ["nft add rule inet fw input", "nft 'add table ip nat", "nft flush ruleset"] {
        assert_eq!(events(command), [Event::NetfilterChanged], "{command}");
    }
}

#[test]
fn damaged_messages_are_errors_or_less_complete_but_never_panic() {
    let all = messages();
    for (_, kind, flags, bytes) in &all {
        for length in 0..bytes.len() {
            let _ = decode_netfilter(*kind, *flags, &bytes[..length]);
        }
    }
    let mut random = Random(0x2f7ab1e5);
    for _ in 0..100_000 {
        let (_, kind, flags, mut bytes) = all[random.below(all.len())].clone();
        random.damage(&mut bytes);
        let _ = decode_netfilter(kind, flags, &bytes);
    }
}

fn chains() -> Vec<Event> {
    Asker::open().unwrap().dump(Scope::Netfilter).unwrap().events
}

#[test]
fn chains_are_in_a_dump_and_an_event_says_when_to_make_one() {
    in_namespace(|| async {
        let mut observer = Observer::open().unwrap();
        assert_eq!(chains(), []);
        sh("nft 'add table inet t; \
            add chain inet t f { type filter hook forward priority 0; }; add rule inet t f drop'");
        let mut seen = Vec::new();
        while !seen.contains(&Event::NetfilterChanged) {
            let batch = tokio::time::timeout(PATIENCE, observer.next()).await.expect("news");
            let Batch::Events(events) = batch.unwrap() else { panic!("nothing is lost") };
            seen.extend(events);
        }
        let expected = chain("inet t f", Hook::Forward, ChainKind::Filter, &[], true);
        assert_eq!(chains(), std::slice::from_ref(&expected));
        assert!(Asker::open().unwrap().dump(Scope::All).unwrap().events.contains(&expected));
    });
}

#[test]
fn lost_messages_of_nftables_say_only_that_it_has_changed() {
    in_namespace(|| async {
        let mut observer = Observer::open().unwrap();
        observer.shrink_queues_for_test();
        sh("for i in $(seq 0 99); do nft add table inet t$i; done");
        observer.mark().unwrap();
        let (mut seen, deadline) = (0, Instant::now() + PATIENCE);
        while !observer.is_past_mark() {
            assert!(Instant::now() < deadline, "no mark comes");
            let batch = tokio::time::timeout(PATIENCE, observer.next()).await.expect("news");
            let Batch::Events(events) = batch.unwrap() else { panic!("nothing else is lost") };
            seen += events.iter().filter(|event| **event == Event::NetfilterChanged).count();
        }
        assert!(seen > 0 && seen < 100, "{seen} of 100 changes fit into the queue");
    });
}

/// The kernel counts a chain's rules ahead of the end of a transaction, of which it says nothing if it is given
/// up.
#[test]
fn a_transaction_that_is_only_tried_hides_no_rules() {
    in_namespace(|| async {
        sh("nft 'add table inet t; \
            add chain inet t f { type filter hook forward priority 0; }; add rule inet t f drop'");
        let expected = chain("inet t f", Hook::Forward, ChainKind::Filter, &[], true);
        // What takes long comes after the flush.
        let script = "(echo flush ruleset; echo add table ip u; echo add chain ip u c; \
            for i in $(seq 5000); do echo add rule ip u c counter; done) > $0; \
            for i in $(seq 20); do nft -c -f $0; done";
        let file = std::env::temp_dir().join(format!("fabric-tried-{}", std::process::id()));
        let mut tried = Command::new("sh").args(["-ec", script]).arg(&file).spawn().unwrap();
        let mut asker = Asker::open().unwrap();
        let (mut wrong, mut asked) = (0, 0);
        let status = loop {
            let found = asker.dump(Scope::Netfilter).unwrap().events;
            wrong += usize::from(found != [expected.clone()]);
            asked += 1;
            if let Some(status) = tried.try_wait().unwrap() {
                break status;
            }
        };
        std::fs::remove_file(file).unwrap();
        assert!(status.success());
        assert_eq!(wrong, 0, "of {asked} answers");
    });
}
