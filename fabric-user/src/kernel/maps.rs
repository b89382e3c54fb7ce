//! The pinned maps of an instance, typed.

use std::{collections::BTreeSet, io};

use aya::maps::{MapData, MapError};
use fabric_common::{
    reason::{REASONS, Reason},
    schema::{
        bucket_use::ChunkUse, buckets::Chunk, circuits::Circuit, counters::Counter,
        counters::Traffic, counters::reason_index, domains::Domain, domains6::Domain6, fdb::Times,
        groups::Group, hosts6::Address6, local_addresses::LocalAddresses, nexthops::Nexthop,
        ports::Port, reverse_paths::ReversePath, settings::Settings, trie::Word, views::View,
        vlans::PortVlans, vteps::Vtep,
    },
    table::{Narrow, Wide},
};
use thiserror::Error;

use super::{blocks, counters::PerCpu, memory::MappedArray, pins::Instance, programs::LoadError};

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

/// All maps but the device map, which can only be written by system calls.
pub struct Maps {
    /// Heartbeat, bypass switch, seed.
    pub settings: MappedArray<Settings>,
    /// Interfaces by slot.
    pub ports: MappedArray<Port>,
    /// Tagged VLANs by port slot.
    pub vlans: MappedArray<PortVlans>,
    /// Attachment circuits.
    pub circuits: MappedArray<Circuit>,
    /// Bridge domains.
    pub domains: MappedArray<Domain>,
    /// Bridge domains over IPv6: what they have beside.
    pub domains6: MappedArray<Domain6>,
    /// MAC addresses.
    pub fdb: MappedArray<Narrow>,
    /// When the owners of MAC addresses were last shown to the kernel.
    pub fdb_times: MappedArray<Times>,
    /// Remote VTEPs.
    pub vteps: MappedArray<Vtep>,
    /// Ports that accept the packets of VTEPs.
    pub reverse_paths: MappedArray<ReversePath>,
    /// Addresses of tunnels to VTEP.
    pub peers: MappedArray<Narrow>,
    /// VNI to domain.
    pub vnis: MappedArray<Narrow>,
    /// Filter of the box's own addresses.
    pub local_addresses: MappedArray<LocalAddresses>,
    /// Routing views.
    pub views: MappedArray<View>,
    /// IPv4 hosts.
    pub hosts: MappedArray<Wide>,
    /// IPv6 hosts by fingerprint.
    pub hosts6: MappedArray<Wide>,
    /// IPv6 hosts in full.
    pub addresses6: MappedArray<Address6>,
    /// Prefixes.
    pub trie: MappedArray<Word>,
    /// ECMP groups.
    pub groups: MappedArray<Group>,
    /// Buckets of the groups.
    pub buckets: MappedArray<Chunk>,
    /// Last use of the buckets.
    pub bucket_use: MappedArray<ChunkUse>,
    /// Underlay nexthops.
    pub nexthops: MappedArray<Nexthop>,
    /// Received packets per port and reason.
    pub reasons: PerCpu<Counter>,
    /// Sent packets per port.
    pub port_tx: PerCpu<Counter>,
    /// Packets per domain.
    pub domain_traffic: PerCpu<Traffic>,
    /// Packets per VTEP.
    pub vtep_traffic: PerCpu<Traffic>,
}

impl Maps {
    /// Opens the pinned maps of an instance; `writable` for the daemon and for `bypass`.
    ///
    /// # Errors
    /// If one is missing or cannot be used.
    pub fn open(instance: &Instance, writable: bool) -> Result<Self, OpenError> {
        if !instance.exists() {
            return Err(OpenError::NoInstance(instance.name().into()));
        }
        let cpus = blocks::cpus()?;
        Ok(Self {
            settings: mapped(instance, "settings", writable)?,
            ports: mapped(instance, "ports", writable)?,
            vlans: mapped(instance, "vlans", writable)?,
            circuits: mapped(instance, "circuits", writable)?,
            domains: mapped(instance, "domains", writable)?,
            domains6: mapped(instance, "domains6", writable)?,
            fdb: mapped(instance, "fdb", writable)?,
            fdb_times: mapped(instance, "fdb_times", writable)?,
            vteps: mapped(instance, "vteps", writable)?,
            reverse_paths: mapped(instance, "reverse_paths", writable)?,
            peers: mapped(instance, "peers", writable)?,
            vnis: mapped(instance, "vnis", writable)?,
            local_addresses: mapped(instance, "local_addresses", writable)?,
            views: mapped(instance, "views", writable)?,
            hosts: mapped(instance, "hosts", writable)?,
            hosts6: mapped(instance, "hosts6", writable)?,
            addresses6: mapped(instance, "addresses6", writable)?,
            trie: mapped(instance, "trie", writable)?,
            groups: mapped(instance, "groups", writable)?,
            buckets: mapped(instance, "buckets", writable)?,
            bucket_use: mapped(instance, "bucket_use", writable)?,
            nexthops: mapped(instance, "nexthops", writable)?,
            reasons: per_cpu(instance, "reasons", cpus, writable)?,
            port_tx: per_cpu(instance, "port_tx", cpus, writable)?,
            domain_traffic: per_cpu(instance, "domain_traffic", cpus, writable)?,
            vtep_traffic: per_cpu(instance, "vtep_traffic", cpus, writable)?,
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
        let in_use = self.ports.iter().filter(|(_, port)| port.ifindex != 0);
        // Ports without a row of their own have one in common.
        let rows: BTreeSet<u16> = in_use.map(|(_, port)| port.row).collect();
        rows.into_iter().map(|row| self.counted(row.into(), reason)).sum()
    }

    /// Number of 64-bit stores that were made through these mappings.
    #[must_use]
    pub fn stores(&self) -> u64 {
        [
            self.settings.stores(),
            self.ports.stores(),
            self.vlans.stores(),
            self.circuits.stores(),
            self.domains.stores(),
            self.domains6.stores(),
            self.fdb.stores(),
            self.fdb_times.stores(),
            self.vteps.stores(),
            self.peers.stores(),
            self.vnis.stores(),
            self.local_addresses.stores(),
            self.views.stores(),
            self.hosts.stores(),
            self.hosts6.stores(),
            self.addresses6.stores(),
            self.trie.stores(),
            self.groups.stores(),
            self.buckets.stores(),
            self.bucket_use.stores(),
            self.nexthops.stores(),
        ]
        .iter()
        .sum()
    }
}

/// Maps one pinned map into memory.
///
/// # Errors
/// If it is missing or cannot be mapped.
pub fn mapped<T: aya::Pod>(
    instance: &Instance,
    name: &'static str,
    writable: bool,
) -> Result<MappedArray<T>, OpenError> {
    let error = |source| OpenError::Map { name, source };
    let data = MapData::from_pin(instance.map(name)).map_err(error)?;
    let size = data.info().map_err(error)?.value_size();
    MappedArray::new(data.fd(), size / size_of::<T>() as u32, writable)
        .map_err(|source| OpenError::Memory { name, source })
}

fn per_cpu<T: aya::Pod + Default>(
    instance: &Instance,
    name: &'static str,
    cpus: u32,
    writable: bool,
) -> Result<PerCpu<T>, OpenError> {
    let error = |source| OpenError::Map { name, source };
    let data = MapData::from_pin(instance.map(name)).map_err(error)?;
    let size = data.info().map_err(error)?.value_size();
    PerCpu::new(data.fd(), size / size_of::<T>() as u32 / cpus, cpus, writable)
        .map_err(|source| OpenError::Memory { name, source })
}
