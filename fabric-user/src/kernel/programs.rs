//! Loading the programs against the pinned maps of an instance.

use aya::{
    EbpfError,
    maps::{DevMap, MapData, MapError},
    programs::{ProgramError, Xdp},
};
use thiserror::Error;

use super::{
    blocks::{self, BlockError, Object},
    object::OBJECT,
    pins::{Instance, PinError},
    schema_check::SchemaError,
    sizes::Sizes,
};

/// Why the programs could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The kernel does not describe its types.
    #[error(
        "this kernel has no BTF (/sys/kernel/btf/vmlinux is missing); Fabric needs a kernel built with CONFIG_DEBUG_INFO_BTF, such as Debian's"
    )]
    NoBtf,
    /// Not allowed to.
    #[error(
        "not allowed to load BPF programs: run as root, or with the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
    )]
    NotPermitted,
    /// A pin problem.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// How many CPUs there are is not known.
    #[error("cannot read {file}, which says how many CPUs the machine may have: {source}")]
    Cpus {
        /// The file.
        file: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The object does not fit.
    #[error("the BPF object cannot be used: {0}")]
    Block(#[from] BlockError),
    /// A pinned map of another layout.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The object was refused.
    #[error("cannot load the BPF object: {0}")]
    Object(#[from] EbpfError),
    /// A program was refused.
    #[error("the kernel refuses the program {name}: {source}")]
    Program {
        /// The program.
        name: &'static str,
        /// The system's answer, with the verifier's log.
        source: ProgramError,
    },
    /// A map that must be there is not.
    #[error("cannot use the map {name}: {source}")]
    Map {
        /// The map.
        name: &'static str,
        /// The system's answer.
        source: MapError,
    },
}

/// Names of the programs in the object.
pub const ACCESS: &str = "fabric_access";
/// See [`ACCESS`].
pub const ROUTED: &str = "fabric_routed";
/// See [`ACCESS`].
pub const HEARTBEAT: &str = "fabric_heartbeat";

/// The loaded programs and the map that only they and system calls can reach.
pub struct Programs {
    object: Object,
    /// Redirect targets by port slot.
    pub tx_ports: DevMap<MapData>,
}

impl Programs {
    /// Loads all programs. Maps that are pinned already are used as they are; missing ones are made.
    ///
    /// # Errors
    /// If a pinned map has another layout, or the kernel refuses something. Nothing that runs is
    /// affected then.
    pub fn load(instance: &Instance, sizes: &Sizes) -> Result<Self, LoadError> {
        if !std::path::Path::new("/sys/kernel/btf/vmlinux").exists() {
            return Err(LoadError::NoBtf);
        }
        let mut object = blocks::open(OBJECT, instance, sizes).map_err(|error| match error {
            LoadError::Object(e) if is_permission(&e) => LoadError::NotPermitted,
            other => other,
        })?;
        for name in [ACCESS, ROUTED, HEARTBEAT] {
            program(&mut object, name)?
                .load()
                .map_err(|source| LoadError::Program { name, source })?;
        }
        #[cfg(feature = "bpf-log")]
        start_log(&mut object.ebpf);
        Ok(Self { object, tx_ports: tx_ports(instance)? })
    }

    /// A program by name.
    ///
    /// # Errors
    /// If the object has no XDP program of that name.
    pub fn get(&mut self, name: &'static str) -> Result<&mut Xdp, LoadError> {
        program(&mut self.object, name)
    }
}

/// The pinned redirect targets of an instance.
///
/// # Errors
/// If they are missing or cannot be used.
pub fn tx_ports(instance: &Instance) -> Result<DevMap<MapData>, LoadError> {
    MapData::from_pin(instance.map("tx_ports"))
        .and_then(|data| DevMap::try_from(aya::maps::Map::DevMap(data)))
        .map_err(|source| LoadError::Map { name: "tx_ports", source })
}

fn program<'a>(object: &'a mut Object, name: &'static str) -> Result<&'a mut Xdp, LoadError> {
    let program = object
        .ebpf
        .program_mut(name)
        .ok_or(LoadError::Program { name, source: ProgramError::NotLoaded })?;
    program.try_into().map_err(|source| LoadError::Program { name, source })
}

fn is_permission(error: &EbpfError) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(e) = source {
        if let Some(io) = e.downcast_ref::<std::io::Error>() {
            return io.kind() == std::io::ErrorKind::PermissionDenied;
        }
        source = e.source();
    }
    false
}

/// Sends the log of the packet path, which debug builds have, to `tracing`.
#[cfg(feature = "bpf-log")]
fn start_log(ebpf: &mut aya::Ebpf) {
    match aya_log::EbpfLogger::init(ebpf) {
        Ok(logger) => {
            // SAFETY: the logger owns its descriptor and keeps it open as long as it lives.
            let watched = unsafe {
                tokio::io::unix::AsyncFd::register_with_interest(
                    logger,
                    tokio::io::Interest::READABLE,
                )
            };
            if let Ok(mut fd) = watched {
                tokio::spawn(async move {
                    while let Ok(mut guard) = fd.readable_mut().await {
                        guard.get_inner_mut().flush();
                        guard.clear_ready();
                    }
                });
            }
        }
        Err(error) => tracing::warn!(%error, "the packet path's log cannot be read"),
    }
}
