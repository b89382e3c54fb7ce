//! The pinned maps of an instance, typed.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt, io,
    os::fd::{AsFd as _, OwnedFd},
};

use aya::maps::{MapData, MapError};
use fabric_common::{
    all_blocks,
    reason::{REASONS, Reason},
    schema::{counters::reason_index, *},
    table,
};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use thiserror::Error;

use super::{
    blocks,
    counters::{Count, PerCpu},
    memory::MappedArray,
    pins::Instance,
    programs::LoadError,
    sizes::Sizes,
};

/// Why the maps cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// There are none.
    #[error(
        "no maps of instance {0:?} are pinned; start fabric-xdpd, or name another instance with --instance"
    )]
    NoInstance(String),
    /// One is missing or of another kind.
    #[error("cannot open the map {name}: {source}")]
    Map {
        /// The map.
        name: &'static str,
        /// The system's answer.
        source: MapError,
    },
    /// How large the counters are is not known.
    #[error(transparent)]
    Cpus(#[from] LoadError),
    /// One cannot be mapped into memory.
    #[error("cannot map {name} into memory: {source}")]
    Memory {
        /// The map.
        name: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

/// Where the entries of a map are.
struct Backing {
    memory: OwnedFd,
    bytes: u32,
}

/// Entries that are in memory.
trait Entries: Sized {
    fn map(backing: Backing, cpus: u32, writable: bool) -> io::Result<Self>;

    /// Number of entries, those of one CPU where each has its own.
    fn room(&self) -> u32;

    /// Stores that were made through the mapping, if they are worth counting.
    fn counted(&self) -> u64;

    /// Gives what is not zero to `each`, with its index.
    fn each(&self, each: &mut dyn FnMut(u32, &dyn fmt::Debug));
}

impl<T: bytemuck::Pod + fmt::Debug> Entries for MappedArray<T> {
    fn map(Backing { memory, bytes }: Backing, _: u32, writable: bool) -> io::Result<Self> {
        Self::new(memory, bytes / size_of::<T>() as u32, writable)
    }

    fn room(&self) -> u32 {
        self.len()
    }

    fn counted(&self) -> u64 {
        self.stores()
    }

    fn each(&self, each: &mut dyn FnMut(u32, &dyn fmt::Debug)) {
        for index in (0..self.len()).filter(|index| !self.is_zero(*index)) {
            each(index, &self.get(index));
        }
    }
}

impl<T: Count> Entries for PerCpu<T> {
    fn map(Backing { memory, bytes }: Backing, cpus: u32, writable: bool) -> io::Result<Self> {
        Self::new(memory, bytes / size_of::<T>() as u32 / cpus, cpus, writable)
    }

    fn room(&self) -> u32 {
        self.len()
    }

    fn counted(&self) -> u64 {
        0
    }

    fn each(&self, each: &mut dyn FnMut(u32, &dyn fmt::Debug)) {
        let sums = (0..self.len()).map(|index| (index, self.sum(index)));
        for (index, sum) in sums.filter(|(_, sum)| *sum != T::default()) {
            each(index, &sum);
        }
    }
}

macro_rules! maps {
    ($($name:ident $static:ident: $kind:ident<$value:ty>, $entries:expr, $about:literal;)+) => {
        /// All maps but the device map, which can only be written by system calls.
        pub struct Maps {
            $(#[doc = $about] pub $name: $kind<$value>,)+
        }

        impl Maps {
            fn by(
                cpus: u32,
                writable: bool,
                backing: impl Fn(&'static str) -> Result<Backing, OpenError>,
            ) -> Result<Self, OpenError> {
                $(
                    let name = stringify!($name);
                    let $name = Entries::map(backing(name)?, cpus, writable)
                        .map_err(|source| OpenError::Memory { name, source })?;
                )+
                Ok(Self { $($name,)+ })
            }

            /// Number of 64-bit stores that were made through these mappings, without counters.
            #[must_use]
            pub fn stores(&self) -> u64 {
                [$(self.$name.counted(),)+].iter().sum()
            }

            /// Number of entries of a map; 0 for the device map, or if there is no such map.
            #[must_use]
            pub fn room(&self, map: &str) -> u32 {
                match map {
                    $(stringify!($name) => Entries::room(&self.$name),)+
                    _ => 0,
                }
            }

            /// Gives each entry of a map that is not zero to `each`, with its index; of counters the sum
            /// over all CPUs. Nothing for the device map, or if there is no such map.
            pub fn each_entry(&self, map: &str, each: &mut dyn FnMut(u32, &dyn fmt::Debug)) {
                match map {
                    $(stringify!($name) => self.$name.each(each),)+
                    _ => {}
                }
            }
        }
    };
}

/// What the maps of each kind are in memory.
type Block<T> = MappedArray<T>;
type PerCpuBlock<T> = PerCpu<T>;

all_blocks!(maps);

impl Maps {
    /// Opens the pinned maps of an instance; `writable` for the daemon and for `bypass`.
    ///
    /// # Errors
    /// If one is missing or cannot be used.
    pub fn open(instance: &Instance, writable: bool) -> Result<Self, OpenError> {
        if !instance.exists() {
            return Err(OpenError::NoInstance(instance.name().into()));
        }
        Self::by(blocks::cpus()?, writable, |name| pinned(instance, name))
    }

    /// Empty maps of these sizes in plain memory, which no program reads.
    ///
    /// # Errors
    /// If there is not so much memory.
    pub fn in_memory(sizes: &Sizes) -> Result<Self, OpenError> {
        Self::over(sizes, &RefCell::default())
    }

    /// The same maps twice, for a writer and for who looks at what it writes.
    #[cfg(test)]
    pub(crate) fn in_memory_twice(sizes: &Sizes) -> Result<(Self, Self), OpenError> {
        let files = RefCell::default();
        Ok((Self::over(sizes, &files)?, Self::over(sizes, &files)?))
    }

    fn over(
        sizes: &Sizes,
        files: &RefCell<BTreeMap<&'static str, OwnedFd>>,
    ) -> Result<Self, OpenError> {
        let cpus = 1;
        Self::by(cpus, true, |name| {
            let error = |source: io::Error| OpenError::Memory { name, source };
            let spec = MAPS.iter().find(|spec| spec.name == name);
            let bytes = spec.map_or(0, |spec| spec.shape(sizes.entries(spec, cpus), cpus).0);
            let mut files = files.borrow_mut();
            let file = match files.entry(name) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let file = memfd_create(name, MemfdFlags::CLOEXEC);
                    entry.insert(file.map_err(|errno| error(errno.into()))?)
                }
            };
            ftruncate(&*file, bytes.into()).map_err(|errno| error(errno.into()))?;
            Ok(Backing { memory: file.try_clone().map_err(error)?, bytes })
        })
    }

    /// Packets from the port in `slot` that ended with `reason` so far.
    #[must_use]
    pub fn ended(&self, slot: u32, reason: Reason) -> u64 {
        self.counted(self.row(slot), reason)
    }

    /// Rows of `reasons`.
    #[must_use]
    pub const fn rows(&self) -> u32 {
        self.reasons.len() / REASONS
    }

    /// Packets that were counted in a row of `reasons` so far.
    #[must_use]
    pub fn counted(&self, row: u32, reason: Reason) -> u64 {
        self.reasons.get(reason_index(row, reason as u8)).map(|counter| counter.packets).sum()
    }

    /// The row of `reasons` of the port in `slot`.
    #[must_use]
    pub fn row(&self, slot: u32) -> u32 {
        self.ports.get(slot).row.into()
    }

    /// Packets from any port in use that ended with `reason` so far.
    #[must_use]
    pub fn ended_anywhere(&self, reason: Reason) -> u64 {
        self.counted_in(&self.rows_in_use(), reason)
    }

    /// The same of each reason.
    #[must_use]
    pub fn all_ended_anywhere(&self) -> BTreeMap<Reason, u64> {
        let rows = self.rows_in_use();
        Reason::ALL.iter().map(|reason| (*reason, self.counted_in(&rows, *reason))).collect()
    }

    /// The rows of `reasons` of all ports in use. Ports without a row of their own have one in common.
    fn rows_in_use(&self) -> BTreeSet<u16> {
        let in_use = self.ports.iter().filter(|(_, port)| port.ifindex != 0);
        in_use.map(|(_, port)| port.row).collect()
    }

    fn counted_in(&self, rows: &BTreeSet<u16>, reason: Reason) -> u64 {
        rows.iter().map(|row| self.counted((*row).into(), reason)).sum()
    }
}

fn pinned(instance: &Instance, name: &'static str) -> Result<Backing, OpenError> {
    let error = |source| OpenError::Map { name, source };
    let data = MapData::from_pin(instance.map(name)).map_err(error)?;
    let bytes = data.info().map_err(error)?.value_size();
    let memory = data.fd().as_fd().try_clone_to_owned();
    let memory = memory.map_err(|source| OpenError::Memory { name, source })?;
    Ok(Backing { memory, bytes })
}

/// Maps one pinned map into memory.
///
/// # Errors
/// If it is missing or cannot be mapped.
pub fn mapped<T: bytemuck::Pod + fmt::Debug>(
    instance: &Instance,
    name: &'static str,
    writable: bool,
) -> Result<MappedArray<T>, OpenError> {
    Entries::map(pinned(instance, name)?, 1, writable)
        .map_err(|source| OpenError::Memory { name, source })
}
