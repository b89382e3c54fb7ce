//! IPsec policies: messages of a Linux 6.18 kernel, captured after `ip xfrm policy` with the words that
//! stand before them in `captured_xfrm.txt`, damaged ones, and a live kernel.

use super::{
    captured::{ip, recorded},
    live::{PATIENCE, in_namespace, sh},
    random::Random,
};
use crate::observe::{
    Asker, Batch, Event, IpsecDefaults, IpsecDirection, IpsecPolicy, Observer, Prefix, Scope,
    decode_xfrm,
};

fn messages() -> Vec<(&'static str, u16, u16, Vec<u8>)> {
    recorded(include_str!("captured_xfrm.txt"))
}

/// What followed a command, given by its first words.
fn events(command: &str) -> Vec<Option<Event>> {
    let all = messages().into_iter().filter(|(words, ..)| words.starts_with(command));
    let events: Vec<_> =
        all.map(|(_, kind, _, bytes)| decode_xfrm(kind, &bytes).unwrap()).collect();
    assert!(!events.is_empty(), "{command} was recorded");
    events
}

fn prefix(address: &str, length: u8) -> Prefix {
    Prefix { address: ip(address), length }
}

/// What the first recorded command makes.
fn between_vteps() -> IpsecPolicy {
    IpsecPolicy {
        index: 1,
        direction: IpsecDirection::Out,
        priority: 0,
        source: prefix("10.0.0.1", 32),
        destination: prefix("10.0.0.2", 32),
        protocol: 17,
        source_port: (0, 0),
        destination_port: (4789, 0xffff),
        ifindex: 0,
        mark: None,
        interface: 0,
        sub: false,
        passes: false,
    }
}

#[test]
fn a_policy_says_which_packets_it_is_for() {
    assert_eq!(events("add src 10.0.0.1/32"), [Some(Event::IpsecPolicy(between_vteps()))]);
    let forward = IpsecPolicy {
        index: 10,
        direction: IpsecDirection::Forward,
        priority: 7,
        source: prefix("2001:db8:1::", 48),
        destination: prefix("2001:db8:2::", 48),
        protocol: 0,
        destination_port: (0, 0),
        mark: Some((0x10, 0xff)),
        ..between_vteps()
    };
    assert_eq!(events("add src 2001"), [Some(Event::IpsecPolicy(forward))]);
    let sub = IpsecPolicy {
        index: 16,
        direction: IpsecDirection::In,
        source: prefix("10.0.0.0", 8),
        destination: prefix("10.1.0.0", 16),
        protocol: 0,
        destination_port: (0, 0),
        interface: 9,
        sub: true,
        passes: true,
        ..between_vteps()
    };
    assert_eq!(events("add src 10.0.0.0/8 dst 10.1.0.0/16"), [Some(Event::IpsecPolicy(sub))]);
}

#[test]
fn a_policy_keeps_its_index_when_it_is_replaced() {
    // Without templates it lets packets through.
    let changed = IpsecPolicy { priority: 3, passes: true, ..between_vteps() };
    assert_eq!(events("update"), [Some(Event::IpsecPolicy(changed))]);
}

#[test]
fn a_policy_goes_by_deletion_by_flush_and_when_its_time_is_up() {
    assert_eq!(events("del"), [Some(Event::IpsecPolicyGone { index: 1 })]);
    let expiry = events("its time is up");
    assert_eq!(
        expiry,
        [None, Some(Event::IpsecPolicyGone { index: 25 })],
        "the soft limit is no end"
    );
    let flush = events("flush");
    let gone = |sub| Some(Event::IpsecPoliciesGone { sub });
    assert_eq!(flush, [gone(false), gone(true)]);
}

#[test]
fn the_default_policies_say_what_is_refused() {
    let defaults = IpsecDefaults { block_in: true, block_forward: true, block_out: false };
    assert_eq!(events("setdefault"), [Some(Event::IpsecDefaults(defaults))]);
}

#[test]
fn a_sockets_own_policy_is_none_of_ours() {
    let (_, kind, _, mut bytes) = messages().swap_remove(0);
    bytes[160] = 4;
    assert_eq!(decode_xfrm(kind, &bytes), Ok(None));
}

#[test]
fn damaged_messages_are_errors_or_less_complete_but_never_panic() {
    let all = messages();
    for (_, kind, _, bytes) in &all {
        for length in 0..bytes.len() {
            let _ = decode_xfrm(*kind, &bytes[..length]);
        }
        // A flush has no header.
        if *kind != 29 {
            assert!(decode_xfrm(*kind, &bytes[..2]).is_err(), "type {kind}");
        }
    }
    let mut random = Random(0x1b5ec);
    for _ in 0..100_000 {
        let (_, kind, _, mut bytes) = all[random.below(all.len())].clone();
        random.damage(&mut bytes);
        let _ = decode_xfrm(kind, &bytes);
        let _ = decode_xfrm(random.below(48) as u16, &bytes);
    }
}

#[test]
fn policies_are_in_a_dump_and_come_as_events() {
    in_namespace(|| async {
        sh("ip xfrm policy add src 10.0.0.1/32 dst 10.0.0.2/32 dir out action block");
        let mut observer = Observer::open().unwrap();
        let found = Asker::open().unwrap().dump(Scope::All).unwrap().events;
        let policies = found.iter().filter(|event| matches!(event, Event::IpsecPolicy(_)));
        assert_eq!(policies.count(), 1);
        assert!(found.contains(&Event::IpsecDefaults(IpsecDefaults::default())));

        sh("ip xfrm policy add src 10.0.0.0/8 dst 10.0.0.0/8 dir fwd action block; \
            ip xfrm policy setdefault in block out block; \
            ip xfrm policy flush; ip link add p1 type veth peer p2");
        let mut seen = Vec::new();
        let wanted = [
            Event::IpsecDefaults(IpsecDefaults {
                block_in: true,
                block_forward: false,
                block_out: true,
            }),
            Event::IpsecPoliciesGone { sub: false },
        ];
        let is_there = |seen: &[Event]| {
            let is_policy = |event: &Event| matches!(event, Event::IpsecPolicy(_));
            seen.iter().any(is_policy)
                && seen.iter().any(|event| matches!(event, Event::Link(_)))
                && wanted.iter().all(|event| seen.contains(event))
        };
        while !is_there(&seen) {
            let batch = tokio::time::timeout(PATIENCE, observer.next()).await.expect("news");
            let Batch::Events(events) = batch.unwrap() else { panic!("nothing is lost") };
            seen.extend(events);
        }
        let found = Asker::open().unwrap().dump(Scope::All).unwrap().events;
        assert!(!found.iter().any(|event| matches!(event, Event::IpsecPolicy(_))));
        assert!(found.contains(&wanted[0]));
    });
}
