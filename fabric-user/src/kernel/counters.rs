//! The counters of all CPUs in our own memory.

use std::{fmt, io, os::fd::AsFd};

use bytemuck::Pod;
use fabric_common::schema::counters::{Counter, Traffic};

use super::memory::MappedArray;

/// Counters that add up.
pub trait Count: Pod + Default + PartialEq + fmt::Debug {
    /// The sum.
    #[must_use]
    fn plus(self, other: Self) -> Self;

    /// What came since `before`: all if the counter began anew meanwhile.
    #[must_use]
    fn since(self, before: Self) -> Self;
}

impl Count for Counter {
    fn plus(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, bytes: self.bytes + other.bytes }
    }

    fn since(self, before: Self) -> Self {
        // Fewer than before: the counter belongs to another object.
        let Some(packets) = self.packets.checked_sub(before.packets) else { return self };
        Self { packets, bytes: self.bytes.saturating_sub(before.bytes) }
    }
}

impl Count for Traffic {
    fn plus(self, other: Self) -> Self {
        Self {
            encapsulated: self.encapsulated.plus(other.encapsulated),
            decapsulated: self.decapsulated.plus(other.decapsulated),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            encapsulated: self.encapsulated.since(before.encapsulated),
            decapsulated: self.decapsulated.since(before.decapsulated),
        }
    }
}

/// All entries of a map that has them once for each CPU.
#[derive(Debug)]
pub struct PerCpu<T> {
    all: MappedArray<T>,
    entries: u32,
}

impl<T: Pod + Default> PerCpu<T> {
    /// Maps the map behind `fd`, which must have `entries` elements of type `T` for each of `cpus`.
    ///
    /// # Errors
    /// What `mmap` says.
    pub fn new(fd: impl AsFd, entries: u32, cpus: u32, writable: bool) -> io::Result<Self> {
        Ok(Self { all: MappedArray::new(fd, entries * cpus, writable)?, entries })
    }

    /// Number of entries for one CPU.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.entries
    }

    /// True if there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    fn places(&self, index: u32) -> impl Iterator<Item = u32> + use<T> {
        assert!(index < self.entries, "counter {index} of {}", self.entries);
        (index..self.all.len()).step_by(self.entries as usize)
    }

    /// What each CPU has counted at `index`.
    ///
    /// # Panics
    /// If there is no such index.
    pub fn get(&self, index: u32) -> impl Iterator<Item = T> + '_ {
        self.places(index).map(|place| self.all.get(place))
    }

    /// What all CPUs together have counted at `index`.
    ///
    /// # Panics
    /// If there is no such index.
    #[must_use]
    pub fn sum(&self, index: u32) -> T
    where
        T: Count,
    {
        self.get(index).fold(T::default(), T::plus)
    }

    /// Goes on at `to` where `from` is. What is counted at this moment may get lost.
    ///
    /// # Panics
    /// If there is no such index.
    pub fn copy(&self, from: u32, to: u32) {
        for (from, to) in self.places(from).zip(self.places(to)) {
            self.all.set(to, &self.all.get(from));
        }
    }

    /// Counts on the first CPU, as a program does.
    #[cfg(test)]
    pub(crate) fn count(&self, index: u32, change: impl FnOnce(&mut T)) {
        self.all.update(index, change);
    }

    /// Begins anew at `index`. A CPU that counts at this moment may undo it.
    ///
    /// # Panics
    /// If there is no such index.
    pub fn reset(&self, index: u32) {
        for place in self.places(index) {
            self.all.set(place, &T::default());
        }
    }
}
