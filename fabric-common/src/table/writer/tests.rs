//! What the writer keeps, finds and moves.

use super::*;
use crate::schema::hosts6;
use crate::table::{Long, Narrow, Rest, SharedLong, SharedNarrow, SharedWide, buckets_for};

fn memory(entries: u32) -> Vec<SharedNarrow> {
    (0..buckets_for::<Narrow>(entries)).map(|_| SharedNarrow::default()).collect()
}

/// MAC addresses as hypervisors hand them out: one prefix, counting up, in few domains.
fn key(i: u32) -> u64 {
    let [a, b, c, d] = i.to_be_bytes();
    u64::from(1 + i % 7) << 48 | u64::from_le_bytes([0x52, 0x54, a, b, c, d, 0, 0])
}

#[test]
fn a_table_at_two_thirds_of_its_load_places_and_finds_every_entry() {
    for entries in [1_000_u32, 65_536, 1 << 20] {
        let memory = memory(entries);
        let table = Table::new(&memory);
        for i in 0..entries {
            assert!(table.insert(key(i), i & 0xffff), "entry {i} of {entries} found no slot");
        }
        for i in 0..entries {
            assert_eq!(table.get(key(i)), Some(i & 0xffff));
        }
        assert_eq!(table.iter().count(), entries as usize);
    }
}

/// IPv6 addresses as hosts have them: some networks, and in each counted up or as random as SLAAC makes them.
fn host6(i: u32) -> (u64, Rest) {
    let network = u64::from_be(0x2001_0db8_0000_0000 | u64::from(i % 97));
    let random = u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let host = if i.is_multiple_of(2) { u64::from(i).to_be() } else { random };
    let (view, address) = ((1 + i % 7) as u16, [network, host]);
    (hosts6::key(view, address), hosts6::rest(view, address))
}

#[test]
fn longer_keys_find_their_places_at_two_thirds_of_the_load_as_well() {
    for entries in [1_000_u32, 65_536, 1_000_000] {
        let memory: Vec<_> =
            (0..buckets_for::<Long>(entries)).map(|_| SharedLong::default()).collect();
        let table = Table::new(&memory);
        for i in 0..entries {
            let (key, rest) = host6(i);
            assert!(table.insert_long(key, rest, i), "entry {i} of {entries} found no slot");
        }
        let (mut first, mut at_home) = (0, 0);
        for i in 0..entries {
            let (key, rest) = host6(i);
            assert_eq!(table.get_long(key, rest), Some(i));
            let ([home, _], slot) = table.homes(key);
            let spot = table.find(key);
            first += u32::from(spot == Some(Spot { bucket: home, slot }));
            at_home += u32::from(spot.is_some_and(|spot| spot.bucket == home));
        }
        assert!(first > entries * 68 / 100, "{first} of {entries}");
        assert!(at_home > entries * 85 / 100, "{at_home} of {entries}");
    }
}

/// At the highest load that is aimed at.
#[test]
fn most_keys_stand_where_readers_look_first_and_few_in_their_other_bucket() {
    let memory = memory(65_536);
    let table = Table::new(&memory);
    let mask = memory.len() as u32 - 1;
    for i in 0..65_536 {
        assert!(table.insert(key(i), i));
    }
    let home = |key| &memory[(Hash::of(key).home() & mask) as usize];
    let has = |key, slot: usize| home(key).keys()[slot].load(Ordering::Relaxed) == key;
    let stands_first = |key| has(key, Hash::of(key).first::<Narrow>() as usize);
    let first = (0..65_536).filter(|i| stands_first(key(*i))).count();
    let at_home = (0..65_536).filter(|i| (0..6).any(|slot| has(key(*i), slot))).count();
    assert!(first > 65_536 * 70 / 100, "{first} of 65536");
    assert!(at_home > 65_536 * 93 / 100, "{at_home} of 65536");
}

#[test]
fn buckets_of_one_line_keep_targets_of_their_size() {
    let wide: Vec<_> = (0..16).map(|_| SharedWide::default()).collect();
    let narrow: Vec<_> = (0..16).map(|_| SharedNarrow::default()).collect();
    for i in 1..40 {
        assert!(Table::new(&wide).insert(key(i), u32::MAX - i));
        assert!(Table::new(&narrow).insert(key(i), 0xffff - i));
    }
    for i in 1..40 {
        assert_eq!(Table::new(&wide).get(key(i)), Some(u32::MAX - i));
        assert_eq!(Table::new(&narrow).get(key(i)), Some(0xffff - i));
    }
}

/// The table of the first `buckets` of some memory.
fn part(memory: &[SharedNarrow], buckets: usize) -> Table<'_, SharedNarrow> {
    Table::new(&memory[..buckets])
}

#[test]
fn a_table_that_doubles_keeps_every_entry_and_is_complete_at_every_step() {
    let memory = memory(4_096);
    let mut buckets = 1;
    let holds = |table: Table<'_, SharedNarrow>, entries: u32| {
        (0..entries).all(|i| table.get(key(i)) == Some(i))
    };
    for entries in 1..=4_096_u32 {
        if !part(&memory, buckets).insert(key(entries - 1), entries - 1) {
            let (small, large) = (part(&memory, buckets), part(&memory, 2 * buckets));
            large.unfold();
            assert!(holds(small, entries - 1), "the readers of {buckets} buckets miss some");
            assert!(holds(large, entries - 1), "{buckets} buckets and as many again");
            large.settle();
            buckets *= 2;
            assert!(large.insert(key(entries - 1), entries - 1));
        }
        if entries.is_power_of_two() {
            let table = part(&memory, buckets);
            assert!(holds(table, entries));
            assert_eq!(table.iter().count(), entries as usize, "none is there twice");
        }
    }
    assert!(buckets > 256, "it has doubled often: {buckets}");
}

#[test]
fn what_an_interrupted_doubling_left_does_not_come_back() {
    let memory = memory(1_000);
    let (small, large) = (part(&memory, 64), part(&memory, 128));
    for i in 0..150 {
        assert!(small.insert(key(i), i));
    }
    large.unfold();
    // The new size was never published; the old table goes on.
    for i in 0..100 {
        assert!(small.remove(key(i)));
    }
    assert!(small.insert(key(120), 7));
    large.unfold();
    large.settle();
    for i in 0..150 {
        let expected = (i >= 100).then_some(if i == 120 { 7 } else { i });
        assert_eq!(large.get(key(i)), expected);
    }
    assert_eq!(large.iter().count(), 50);
}

#[test]
fn what_an_interrupted_move_left_is_there_once_and_where_writers_look() {
    let memory = memory(1_000);
    let table = Table::new(&memory);
    let mut twice = Vec::new();
    for i in 0..400 {
        assert!(table.insert(key(i), i));
        // The daemon ends in front of the last step.
        let (spot, free) = (table.find(key(i)).unwrap(), table.free(key(i)));
        if let Some(free) = free.filter(|_| i % 4 == 0) {
            table.fill(free, &table.entry(spot));
            twice.push(i);
        }
    }
    assert!(table.iter().count() > 450, "{}", table.iter().count());
    table.settle();
    assert_eq!(table.iter().count(), 400);
    for i in twice {
        assert!(table.insert(key(i), 7) && may_hold(&memory, key(i)));
        assert_eq!(table.iter().filter(|(k, ..)| *k == key(i)).count(), 1);
        assert!(table.remove(key(i)) && table.get(key(i)).is_none());
    }
    let stores = AtomicU64::new(0);
    table.settle();
    table.counted(&stores).settle();
    assert_eq!(stores.into_inner(), 0, "a table that is settled stays as it is");
}

/// As the packet path does it: no key, if the filter does not know it.
fn may_hold(table: &[SharedNarrow], key: u64) -> bool {
    let hash = Hash::of(key);
    let home = &table[(hash.home() & (table.len() as u32 - 1)) as usize];
    let filter = home.filter().load(Ordering::Relaxed);
    let is_away = home.keys().iter().all(|k| k.load(Ordering::Relaxed) != key);
    filter & hash.mark() != 0 && (!is_away || filter & AWAY != 0)
}

#[test]
fn filters_know_all_keys_and_few_others_while_keys_come_and_go_and_the_table_doubles() {
    let memory = memory(8_192);
    let mut buckets = 16;
    for i in 0..6_000 {
        while !part(&memory, buckets).insert(key(i), i) {
            let large = part(&memory, 2 * buckets);
            large.unfold();
            assert!((0..i).filter(|i| i % 3 != 1).all(|i| may_hold(&memory[..buckets], key(i))));
            buckets *= 2;
            assert!((0..i).filter(|i| i % 3 != 1).all(|i| may_hold(&memory[..buckets], key(i))));
            large.settle();
        }
        if i % 3 == 2 {
            assert!(part(&memory, buckets).remove(key(i - 1)));
        }
    }
    let table = &memory[..buckets];
    assert!((0..6_000).filter(|i| i % 3 != 1).all(|i| may_hold(table, key(i))));
    let strangers = (10_000..20_000).filter(|i| may_hold(table, key(*i))).count();
    assert!(strangers < 2_000, "{strangers} of 10000 unknown keys are looked for");
    (0..6_000).filter(|i| i % 3 != 1).for_each(|i| assert!(part(table, buckets).remove(key(i))));
    part(table, buckets).settle();
    assert!(table.iter().all(|bucket| bucket.filter().load(Ordering::Relaxed) == 0));
}

#[test]
fn changing_and_removing_touches_only_the_entry_meant() {
    let memory = memory(1_000);
    let table = Table::new(&memory);
    for i in 0..1_000 {
        assert!(table.insert(key(i), i));
    }
    assert!(table.insert(key(500), 7));
    assert!(table.remove(key(501)) && !table.remove(key(501)));
    for i in 0..1_000 {
        let expected = match i {
            500 => Some(7),
            501 => None,
            i => Some(i),
        };
        assert_eq!(table.get(key(i)), expected);
    }
}

#[test]
fn a_full_table_refuses_and_keeps_what_it_has() {
    let memory: Vec<_> = (0..16).map(|_| SharedNarrow::default()).collect();
    let table = Table::new(&memory);
    let placed: Vec<_> = (0..1_000).filter(|i| table.insert(key(*i), *i)).collect();
    assert!(placed.len() <= 96 && placed.len() > 72, "{} of 96 slots used", placed.len());
    assert!(placed.iter().all(|i| table.get(key(*i)) == Some(*i)));
}

/// A bucket of which no reader ever meets a key with another one's rest.
#[derive(Default)]
struct Strict(SharedLong);

impl Shared for Strict {
    type Plain = Long;

    fn keys(&self) -> &[AtomicU64] {
        self.0.keys()
    }

    fn filter(&self) -> &AtomicU32 {
        self.0.filter()
    }

    fn target(&self, slot: usize) -> u32 {
        self.0.target(slot)
    }

    fn set_target(&self, slot: usize, target: u32) {
        self.0.set_target(slot, target);
    }

    fn rest(&self, slot: usize) -> Rest {
        self.0.rest(slot)
    }

    fn set_rest(&self, slot: usize, rest: Rest) {
        assert_eq!(self.0.keys()[slot].load(Ordering::Acquire), 0, "its key is there");
        self.0.set_rest(slot, rest);
    }
}

#[test]
fn longer_keys_have_their_own_rests_wherever_they_move() {
    let memory: Vec<Strict> = (0..512).map(|_| Strict::default()).collect();
    let rest = |i: u32| Rest { word: u64::from(i % 5), tag: i % 3 };
    let mut buckets = 4;
    let part = |buckets: usize| Table::new(&memory[..buckets]);
    for i in 0..1_000 {
        while !part(buckets).insert_long(key(i), rest(i), i) {
            part(2 * buckets).unfold();
            part(2 * buckets).settle();
            buckets *= 2;
        }
        if i % 7 == 3 {
            assert!(part(buckets).remove(key(i)));
        }
    }
    let table = part(buckets);
    for i in 0..1_000 {
        let expected = (i % 7 != 3).then_some(i);
        assert_eq!(table.get_long(key(i), rest(i)), expected);
        let others = [Rest { word: 9, ..rest(i) }, Rest { tag: 9, ..rest(i) }];
        for other in others {
            assert_eq!(table.get_long(key(i), other), None);
            assert!(expected.is_none() || !table.insert_long(key(i), other, 1), "another key");
        }
        assert_eq!(table.get_long(key(i), rest(i)), expected, "as it was");
    }
    let entries = table.entries().map(|entry| (entry.target, entry.rest));
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(|(target, _)| *target);
    let expected: Vec<_> = (0..1_000).filter(|i| i % 7 != 3).map(|i| (i, rest(i))).collect();
    assert_eq!(entries, expected);
}

#[test]
fn a_key_of_zero_is_in_no_table() {
    let memory: Vec<SharedLong> = (0..16).map(|_| SharedLong::default()).collect();
    let table = Table::new(&memory);
    let rest = Rest { word: 1, tag: 1 };
    // They fill the first bucket, where they leave their rest behind.
    let first: Vec<u64> =
        (1..u64::from(u32::MAX)).filter(|key| Hash::of(*key).home() & 15 == 0).take(3).collect();
    for key in &first {
        assert!(table.insert_long(*key, rest, 7));
    }
    assert!(first.iter().all(|key| table.remove(*key)));
    assert_eq!((table.get(0), table.get_long(0, rest), table.remove(0)), (None, None, false));
}
