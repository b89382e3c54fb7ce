//! A reader that stops anywhere while keys move: it may miss one that stays only if the number tells so.

extern crate std;
use core::{
    cell::{Cell, RefCell},
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};
use std::{boxed::Box, rc::Rc, vec::Vec};

use super::{AWAY, Bucket as _, Hash, Moves, Narrow, Shared, SharedNarrow, Table};

/// A bucket that notes what readers see, whenever it is looked at. Nobody stores without a look.
#[derive(Default)]
struct Watched(SharedNarrow);

impl Shared for Watched {
    type Plain = Narrow;

    fn keys(&self) -> &[AtomicU64] {
        note();
        self.0.keys()
    }

    fn filter(&self) -> &AtomicU32 {
        note();
        self.0.filter()
    }

    fn target(&self, slot: usize) -> u32 {
        self.0.target(slot)
    }

    fn set_target(&self, slot: usize, target: u32) {
        note();
        self.0.set_target(slot, target);
    }

    fn rest(&self, _: usize) {}

    fn set_rest(&self, _: usize, (): ()) {}
}

/// What readers see at a moment.
#[derive(Clone, PartialEq)]
struct Moment {
    buckets: Vec<Narrow>,
    mask: u32,
    moves: u32,
}

/// A table, and all that it has been since it is watched.
#[derive(Clone)]
struct Film {
    memory: &'static [Watched],
    mask: Rc<Cell<u32>>,
    moves: Rc<Cell<u32>>,
    moments: Rc<RefCell<Vec<Moment>>>,
}

std::thread_local! {
    static FILM: RefCell<Option<Film>> = const { RefCell::new(None) };
}

fn note() {
    FILM.with_borrow(|film| film.iter().for_each(Film::note));
}

#[derive(Debug)]
struct Number;

impl Moves for Number {
    fn moved(&self) {
        note();
        FILM.with_borrow(|film| film.iter().for_each(|f| f.moves.set(f.moves.get() + 1)));
        note();
    }
}

impl Film {
    fn of(memory: &'static [Watched], mask: u32) -> Self {
        let (mask, moves) = (Rc::new(Cell::new(mask)), Rc::default());
        Self { memory, mask, moves, moments: Rc::default() }
    }

    fn note(&self) {
        let plain = |Watched(bucket): &Watched| Narrow {
            keys: core::array::from_fn(|i| bucket.keys()[i].load(Ordering::Relaxed)),
            targets: core::array::from_fn(|i| bucket.target(i) as u16),
            filter: bucket.filter().load(Ordering::Relaxed),
        };
        let buckets = self.memory.iter().map(plain).collect();
        let now = Moment { buckets, mask: self.mask.get(), moves: self.moves.get() };
        let mut moments = self.moments.borrow_mut();
        if moments.last() != Some(&now) {
            moments.push(now);
        }
    }

    /// What `change` does, moment by moment.
    fn during(&self, change: impl FnOnce()) -> Vec<Moment> {
        self.moments.borrow_mut().clear();
        FILM.set(Some(self.clone()));
        note();
        change();
        note();
        FILM.set(None);
        self.moments.take()
    }
}

fn memory(buckets: usize) -> &'static [Watched] {
    Box::leak((0..buckets).map(|_| Watched::default()).collect())
}

fn table(memory: &'static [Watched]) -> Table<'static, Watched> {
    Table::new(memory).telling(&Number)
}

fn key(i: u32) -> u64 {
    1 << 48 | u64::from(i) << 24 | 0x5254
}

/// A search as the packet path does it, which stops for a while in front of its load number `stop`.
struct Reader<'a> {
    early: &'a Moment,
    late: &'a Moment,
    stop: usize,
    loads: usize,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Found(u32),
    Absent,
    Unsure,
}

impl<'a> Reader<'a> {
    fn now(&mut self) -> &'a Moment {
        self.loads += 1;
        if self.loads > self.stop { self.late } else { self.early }
    }

    fn key(&mut self, bucket: u32, slot: u32) -> u64 {
        self.now().buckets[bucket as usize].keys[slot as usize]
    }

    fn filter(&mut self, bucket: u32) -> u32 {
        self.now().buckets[bucket as usize].filter
    }

    fn look_up(&mut self, key: u64) -> Answer {
        let before = self.now().moves;
        let mask = self.now().mask;
        match self.find(mask, key) {
            Some(answer) => answer,
            None if self.now().moves == before => Answer::Absent,
            None => Answer::Unsure,
        }
    }

    fn find(&mut self, mask: u32, key: u64) -> Option<Answer> {
        let hash = Hash::of(key);
        let (home, first) = (hash.home() & mask, hash.first::<Narrow>());
        if self.key(home, first) == key {
            return self.target(home, first, key);
        }
        if self.filter(home) & hash.mark() == 0 {
            return None;
        }
        let next = (first + 1) % Narrow::SLOTS;
        if self.key(home, next) == key {
            return self.target(home, next, key);
        }
        let slot = (0..Narrow::SLOTS).find(|slot| self.key(home, *slot) == key);
        if let Some(slot) = slot {
            return self.target(home, slot, key);
        }
        if self.filter(home) & AWAY == 0 {
            return None;
        }
        let other = hash.other() & mask;
        let slot = (0..Narrow::SLOTS).find(|slot| self.key(other, *slot) == key)?;
        self.target(other, slot, key)
    }

    fn target(&mut self, bucket: u32, slot: u32, key: u64) -> Option<Answer> {
        let target = self.now().buckets[bucket as usize].targets[slot as usize];
        let is_same = self.key(bucket, slot) == key;
        Some(if is_same { Answer::Found(target.into()) } else { Answer::Unsure })
    }
}

/// Looks up all of `keys`, whose targets are their numbers, with a stop between any two moments and in front
/// of any load. How often the answer was that nobody knows.
fn unsure(moments: &[Moment], keys: &[u32]) -> usize {
    let mut unsure = 0;
    for (i, early) in moments.iter().enumerate() {
        for late in &moments[i..] {
            for number in keys {
                for stop in 0.. {
                    let mut reader = Reader { early, late, stop, loads: 0 };
                    let answer = reader.look_up(key(*number));
                    if answer == Answer::Unsure {
                        unsure += 1;
                    } else {
                        assert_eq!(answer, Answer::Found(*number), "key {number}, load {stop}");
                    }
                    if reader.loads < stop {
                        break;
                    }
                }
            }
        }
    }
    unsure
}

#[test]
fn a_reader_of_a_table_that_doubles_misses_no_key_that_stays_without_being_told() {
    for buckets in [2, 4] {
        let memory = memory(2 * buckets);
        let film = Film::of(memory, buckets as u32 - 1);
        let small = table(&memory[..buckets]);
        let keys: Vec<u32> = (0..100).filter(|i| small.insert(key(*i), *i)).collect();
        let keys = &keys[keys.len().saturating_sub(12)..];
        let moments = film.during(|| {
            table(memory).unfold();
            film.mask.set(2 * buckets as u32 - 1);
            table(memory).settle();
        });
        assert!(moments.len() > 10, "{}", moments.len());
        assert!(unsure(&moments, keys) > 0, "somebody does miss a key");
    }
}

#[test]
fn a_reader_of_a_table_that_fills_misses_no_key_that_stays_without_being_told() {
    let memory = memory(8);
    let film = Film::of(memory, 7);
    let mut keys = Vec::new();
    let mut told = 0;
    for i in 0..100 {
        let mut placed = false;
        let moments = film.during(|| placed = table(memory).insert(key(i), i));
        told += unsure(&moments, &keys);
        keys.extend(placed.then_some(i));
        if i % 5 == 4 {
            let gone = keys.remove(i as usize / 5 % keys.len());
            let moments = film.during(|| assert!(table(memory).remove(key(gone))));
            assert_eq!(unsure(&moments, &keys), 0);
            let moments = film.during(|| table(memory).settle());
            told += unsure(&moments, &keys);
        }
    }
    assert!(told > 0 && keys.len() > 24, "{told}, {}", keys.len());
}
