//! The programs and maps of an object, by their names.

use anyhow::{Context as _, Result, bail};
use aya::{
    Ebpf,
    maps::Map,
    programs::{Program, ProgramError, Xdp},
};
use bytemuck::Pod;
use fabric_user::kernel::memory::MappedArray;

/// A program.
///
/// # Errors
/// If there is none of that name and kind.
pub fn program<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    let program = ebpf.program_mut(name).with_context(|| format!("no program {name}"))?;
    Ok(program.try_into()?)
}

/// An XDP program, which the kernel loads.
///
/// # Errors
/// If there is none of that name, or the kernel refuses it.
pub fn load<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let program: &mut Xdp = program(ebpf, name)?;
    program.load().with_context(|| format!("cannot load {name}"))?;
    Ok(program)
}

/// A map, which is the caller's from now on.
///
/// # Errors
/// If there is none of that name.
pub fn map(ebpf: &mut Ebpf, name: &str) -> Result<Map> {
    ebpf.take_map(name).with_context(|| format!("no map {name}"))
}

/// An array of so many entries, as memory.
///
/// # Errors
/// If there is none of that name and size.
pub fn mapped<T: Pod>(ebpf: &mut Ebpf, name: &str, entries: u32) -> Result<MappedArray<T>> {
    let Map::Array(data) = map(ebpf, name)? else { bail!("{name} is no array") };
    MappedArray::new(data.fd(), entries, true).with_context(|| format!("cannot map {name}"))
}
