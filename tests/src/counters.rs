//! All counters that a packet can change.

use std::{
    collections::BTreeMap,
    ffi::c_long,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd as _, AsRawFd as _},
};

use anyhow::{Context as _, Result};
use aya::{Pod, maps::MapData, util::nr_cpus};
use fabric_common::{
    reason::{REASONS, Reason},
    schema::counters::{Counter, Traffic, reason_index},
};
use fabric_user::kernel::pins::Instance;

/// The counters that are not zero, summed over all CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// By port slot and the reason's name.
    pub reasons: BTreeMap<(u32, String), Counter>,
    /// By port slot.
    pub port_tx: BTreeMap<u32, Counter>,
    /// By domain index.
    pub domains: BTreeMap<u32, Traffic>,
    /// By VTEP index.
    pub vteps: BTreeMap<u32, Traffic>,
}

/// Which entries of the maps are read. Index 0 always is: nothing may ever be counted there but
/// the reasons of unknown ports.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Port slots.
    pub slots: Vec<u32>,
    /// Number of domains in use, from index 1 on.
    pub domains: u32,
    /// Number of VTEPs in use, from index 1 on.
    pub vteps: u32,
}

/// The maps of counters. They are read thousands of times, which aya does by asking for the number
/// of CPUs each time.
#[derive(Debug)]
pub struct CounterMaps {
    cpus: usize,
    reasons: MapData,
    port_tx: MapData,
    domains: MapData,
    vteps: MapData,
}

impl CounterMaps {
    /// Opens the pinned maps of an instance.
    ///
    /// # Errors
    /// If one is missing.
    pub fn open(instance: &Instance) -> Result<Self> {
        let open = |name| MapData::from_pin(instance.map(name)).context(name);
        Ok(Self {
            cpus: nr_cpus().map_err(|(file, error)| error_of(file, error))?,
            reasons: open("reasons")?,
            port_tx: open("port_tx")?,
            domains: open("domain_traffic")?,
            vteps: open("vtep_traffic")?,
        })
    }

    /// The traffic of a VTEP.
    ///
    /// # Errors
    /// If there is no such index.
    pub fn vtep(&self, index: u32) -> Result<Traffic> {
        self.sum(&self.vteps, index, add_traffic)
    }

    fn sum<T: Pod + Default>(&self, map: &MapData, index: u32, add: fn(T, T) -> T) -> Result<T> {
        let values = lookup(map, index, self.cpus);
        let values = values.with_context(|| format!("cannot read counter {index}"))?;
        Ok(values.into_iter().fold(T::default(), add))
    }
}

fn error_of(file: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot read {file}: {error}"))
}

/// The values of an element, one for each CPU.
fn lookup<T: Pod>(map: &MapData, index: u32, cpus: usize) -> io::Result<Vec<T>> {
    /// `BPF_MAP_LOOKUP_ELEM` of `linux/bpf.h`.
    const LOOKUP: c_long = 1;
    /// The part of `union bpf_attr` that this command has.
    #[repr(C)]
    struct Attributes {
        map: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    const { assert!(size_of::<T>().is_multiple_of(8), "the kernel rounds up to eight bytes") };
    let mut values = vec![MaybeUninit::<T>::uninit(); cpus];
    let attributes = Attributes {
        map: map.fd().as_fd().as_raw_fd() as u32,
        key: std::ptr::from_ref(&index) as u64,
        value: values.as_mut_ptr() as u64,
        flags: 0,
    };
    // SAFETY: key and values live until the call returns and have the sizes of this map.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, LOOKUP, &raw const attributes, size_of::<Attributes>())
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel wrote one plain value for each CPU.
    Ok(values.into_iter().map(|value| unsafe { value.assume_init() }).collect())
}

/// The values of `count` elements from `first` on, one after the other, one for each CPU. Rows of
/// reasons are read thousands of times, for which a call for each element takes too long.
fn lookup_row<T: Pod>(map: &MapData, first: u32, count: u32, cpus: usize) -> io::Result<Vec<T>> {
    /// `BPF_MAP_LOOKUP_BATCH` of `linux/bpf.h`.
    const LOOKUP_BATCH: c_long = 24;
    /// The part of `union bpf_attr` that this command has.
    #[repr(C)]
    struct Attributes {
        before: u64,
        last: u64,
        keys: u64,
        values: u64,
        count: u32,
        map: u32,
        element_flags: u64,
        flags: u64,
    }
    const { assert!(size_of::<T>().is_multiple_of(8), "the kernel rounds up to eight bytes") };
    let mut keys = vec![0_u32; count as usize];
    let mut values = vec![MaybeUninit::<T>::uninit(); count as usize * cpus];
    let (before, mut last) = (first.wrapping_sub(1), 0_u32);
    let mut attributes = Attributes {
        before: if first == 0 { 0 } else { std::ptr::from_ref(&before) as u64 },
        last: std::ptr::from_mut(&mut last) as u64,
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count,
        map: map.fd().as_fd().as_raw_fd() as u32,
        element_flags: 0,
        flags: 0,
    };
    // SAFETY: all buffers live until the call returns and have room for `count` elements of this
    // map.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, LOOKUP_BATCH, &raw mut attributes, size_of::<Attributes>())
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    if attributes.count != count || !keys.iter().copied().eq(first..first + count) {
        return Err(io::Error::other("the kernel gives other elements than it was asked for"));
    }
    // SAFETY: the kernel wrote one plain value for each element and CPU.
    Ok(values.into_iter().map(|value| unsafe { value.assume_init() }).collect())
}

impl Counters {
    /// Reads the counters in `scope`.
    ///
    /// # Errors
    /// If a map cannot be read.
    pub fn read(maps: &CounterMaps, scope: &Scope) -> Result<Self> {
        let mut counters = Self::default();
        for slot in scope.slots.iter().copied().chain([0]) {
            let row = lookup_row(&maps.reasons, reason_index(slot, 0), REASONS, maps.cpus)
                .with_context(|| format!("cannot read the reasons of slot {slot}"))?;
            for (number, values) in row.chunks(maps.cpus).enumerate() {
                let sum = values.iter().copied().fold(Counter::default(), add);
                counters.reasons.insert((slot, reason_name(number as u8)), sum);
            }
            counters.port_tx.insert(slot, maps.sum(&maps.port_tx, slot, add)?);
        }
        for domain in 0..=scope.domains {
            counters.domains.insert(domain, maps.sum(&maps.domains, domain, add_traffic)?);
        }
        for vtep in 0..=scope.vteps {
            counters.vteps.insert(vtep, maps.sum(&maps.vteps, vtep, add_traffic)?);
        }
        Ok(counters)
    }

    /// What was added since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            reasons: difference(&self.reasons, &before.reasons, subtract),
            port_tx: difference(&self.port_tx, &before.port_tx, subtract),
            domains: difference(&self.domains, &before.domains, subtract_traffic),
            vteps: difference(&self.vteps, &before.vteps, subtract_traffic),
        }
    }

    /// Adds what another packet counted.
    pub fn add(&mut self, other: &Self) {
        merge(&mut self.reasons, &other.reasons, add);
        merge(&mut self.port_tx, &other.port_tx, add);
        merge(&mut self.domains, &other.domains, add_traffic);
        merge(&mut self.vteps, &other.vteps, add_traffic);
    }

    /// How many packets left with `reason` on the port `slot`.
    #[must_use]
    pub fn packets(&self, slot: u32, reason: Reason) -> u64 {
        self.reasons.get(&(slot, reason.name().into())).map_or(0, |c| c.packets)
    }
}

fn reason_name(number: u8) -> String {
    Reason::from_number(number).map_or(format!("unused_{number}"), |r| r.name().into())
}

fn difference<K: Clone + Ord, T: Copy + Default + PartialEq>(
    after: &BTreeMap<K, T>,
    before: &BTreeMap<K, T>,
    subtract: fn(T, T) -> T,
) -> BTreeMap<K, T> {
    after
        .iter()
        .map(|(key, value)| {
            let old = before.get(key).copied().unwrap_or_default();
            (key.clone(), subtract(*value, old))
        })
        .filter(|(_, value)| *value != T::default())
        .collect()
}

fn merge<K: Clone + Ord, T: Copy + Default>(
    into: &mut BTreeMap<K, T>,
    from: &BTreeMap<K, T>,
    add: fn(T, T) -> T,
) {
    for (key, value) in from {
        let sum = into.entry(key.clone()).or_default();
        *sum = add(*sum, *value);
    }
}

const fn add(a: Counter, b: Counter) -> Counter {
    Counter { packets: a.packets + b.packets, bytes: a.bytes + b.bytes }
}

const fn subtract(a: Counter, b: Counter) -> Counter {
    Counter { packets: a.packets - b.packets, bytes: a.bytes - b.bytes }
}

const fn add_traffic(a: Traffic, b: Traffic) -> Traffic {
    Traffic {
        encapsulated: add(a.encapsulated, b.encapsulated),
        decapsulated: add(a.decapsulated, b.decapsulated),
    }
}

const fn subtract_traffic(a: Traffic, b: Traffic) -> Traffic {
    Traffic {
        encapsulated: subtract(a.encapsulated, b.encapsulated),
        decapsulated: subtract(a.decapsulated, b.decapsulated),
    }
}
