//! What the kernel makes of the programs that fabric-xdpd loads.

use std::time::Instant;

use anyhow::{Context as _, Result};
use aya::{Ebpf, programs::Xdp};
use fabric_user::kernel::{
    blocks::{self, Object},
    object::OBJECT,
    pins::Instance,
    programs::{ACCESS, HEARTBEAT, ROUTED},
    sizes::Sizes,
};

use crate::namespace::in_own_namespace;

/// A loaded program.
#[derive(Clone, Copy, Debug)]
pub struct Loaded {
    /// Its name.
    pub name: &'static str,
    /// Instructions after the kernel has resolved maps and inlined lookups.
    pub translated: u32,
    /// Bytes of machine code.
    pub compiled_bytes: u32,
    /// Instructions that the verifier followed, over all ways through the program; it gives up at a
    /// million.
    pub verified: u32,
    /// How long the kernel took to verify and compile it, in milliseconds.
    pub load_ms: f64,
}

/// Loads all of fabric-xdpd's programs on maps of their own.
///
/// # Errors
/// If the kernel refuses one, or does not say what it has made of it.
pub fn all() -> Result<Vec<Loaded>> {
    let mut object = object()?;
    [ACCESS, ROUTED, HEARTBEAT].into_iter().map(|name| one(&mut object.ebpf, name)).collect()
}

/// What fabric-xdpd loads, on maps of its own.
///
/// # Errors
/// If the kernel refuses a map.
pub fn object() -> Result<Object> {
    in_own_namespace(|| {
        blocks::open(OBJECT, &Instance::new("test")?, &Sizes::default())
            .context("cannot open the object of the packet path")
    })
}

fn one(ebpf: &mut Ebpf, name: &'static str) -> Result<Loaded> {
    let program = ebpf.program_mut(name).with_context(|| format!("no program {name}"))?;
    let program: &mut Xdp = program.try_into()?;
    let start = Instant::now();
    program.load().with_context(|| format!("cannot load {name}"))?;
    let load_ms = start.elapsed().as_secs_f64() * 1_000.0;
    let info = program.info()?;
    let hidden = || format!("the kernel does not say how long {name} is");
    Ok(Loaded {
        name,
        translated: info.size_translated().with_context(hidden)? / 8,
        compiled_bytes: info.size_jitted(),
        verified: info.verified_instruction_count().with_context(hidden)?,
        load_ms,
    })
}
