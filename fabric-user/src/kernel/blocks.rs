//! Completes objects whose programs address blocks ([`Kind::Block`]) without a lookup: what is done to
//! which instruction, and why, is drawn in `fabric-ebpf/src/block.rs`.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd as _, AsRawFd as _},
    path::PathBuf,
};

use aya::{Ebpf, EbpfLoader, maps::MapData, util::nr_cpus};
use aya_obj::Map;
use fabric_common::schema::{Kind, MAPS};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget};
use thiserror::Error;

use super::{pins::Instance, programs::LoadError, schema_check, sizes::Sizes};

/// What a symbol's name has behind the name of the map whose entries it stands for.
const VALUES: &str = ".values";
/// What it has behind the name of the number that it stands for, see [`Sizes::limit`].
const LIMIT: &str = ".limit";
/// The first byte of the instruction that loads 64 bits (`BPF_LD | BPF_IMM | BPF_DW`).
const LOAD_64: u8 = 0x18;
/// What the upper half of its second byte says of the 64 bits.
const PSEUDO_MAP_VALUE: u8 = 2;

/// Why an object cannot be completed. Only another build's object can be so.
#[derive(Debug, Error)]
pub enum BlockError {
    /// It is no ELF file.
    #[error("it is no ELF file: {0}")]
    Elf(#[from] object::read::Error),
    /// aya does not understand it.
    #[error(transparent)]
    Parse(#[from] aya_obj::ParseError),
    /// It refers to a map or a size that is not there.
    #[error("it addresses {0}, which is no block and no size of this version of Fabric")]
    Unknown(String),
    /// It is not what a compiler makes.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
}

/// An opened object, and the blocks that its programs address.
pub struct Object {
    /// The object; its programs can be loaded as long as this exists.
    pub ebpf: Ebpf,
    _blocks: Vec<MapData>,
}

/// Number of CPUs that the machine may have, each of which has counters of its own.
///
/// # Errors
/// If the kernel does not say.
pub fn cpus() -> Result<u32, LoadError> {
    nr_cpus().map(|cpus| cpus as u32).map_err(|(file, source)| LoadError::Cpus { file, source })
}

/// Opens an object on the pinned maps of an instance. Maps that are pinned already are used as they
/// are; missing ones are made.
///
/// # Errors
/// If a pinned map has another layout, or the object does not fit. Nothing that runs is affected then.
pub fn open(object: &[u8], instance: &Instance, sizes: &Sizes) -> Result<Object, LoadError> {
    instance.create()?;
    let cpus = cpus()?;
    let mut loader = EbpfLoader::new();
    for spec in MAPS {
        let path = instance.map(spec.name);
        if path.exists() {
            schema_check::check(&path, spec, sizes.entries(spec, cpus), cpus)?;
        }
        loader.map_pin_path(spec.name, path);
    }
    loader.map_max_entries("tx_ports", sizes.ports);
    let mut bytes = object.to_vec();
    resize(&mut bytes, sizes, cpus)?;
    let blocks = MAPS.iter().filter(|spec| spec.kind != Kind::DevMap).map(|spec| spec.name);
    let blocks: Vec<_> = blocks.map(|name| (name, instance.map(name))).collect();
    open_at(&mut loader, &bytes, &blocks, sizes)
}

/// Opens an object whose `blocks` are pinned, or are to be pinned, at these paths, and have these sizes.
///
/// # Errors
/// If a map cannot be made, or the object does not fit.
pub fn open_at(
    loader: &mut EbpfLoader<'_>,
    object: &[u8],
    blocks: &[(&'static str, PathBuf)],
    sizes: &Sizes,
) -> Result<Object, LoadError> {
    let cpus = cpus()?;
    // The descriptors must be known before aya reads the object; aya makes the maps while it does.
    if blocks.iter().any(|(_, path)| !path.exists()) {
        drop(loader.load(object)?);
    }
    let mut maps = BTreeMap::new();
    for (name, path) in blocks {
        let map = MapData::from_pin(path).map_err(|source| LoadError::Map { name, source })?;
        maps.insert(*name, map);
    }
    let mut bytes = object.to_vec();
    complete(&mut bytes, |symbol| match symbol {
        Symbol::Values(map) => maps.get(map).map(|map| map.fd().as_fd().as_raw_fd()),
        Symbol::Limit(name) => sizes.limit(name, cpus).map(u32::cast_signed),
    })?;
    Ok(Object { ebpf: loader.load(&bytes)?, _blocks: maps.into_values().collect() })
}

/// What an instruction loads instead of the address of a symbol that is defined nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol<'a> {
    /// The address of the entries of a map: what is written is its descriptor.
    Values(&'a str),
    /// A number, which is written.
    Limit(&'a str),
}

impl<'a> Symbol<'a> {
    fn named(name: &'a str) -> Option<Self> {
        let values = name.strip_suffix(VALUES).map(Self::Values);
        values.or_else(|| name.strip_suffix(LIMIT).map(Self::Limit))
    }
}

/// Writes what `number` says into the instructions that load the address of a symbol.
fn complete(
    bytes: &mut [u8],
    number: impl Fn(Symbol<'_>) -> Option<i32>,
) -> Result<(), BlockError> {
    for (at, name) in unknown_addresses(bytes)? {
        let Some(symbol) = Symbol::named(&name) else { continue };
        let number = number(symbol).ok_or_else(|| BlockError::Unknown(name.clone()))?;
        let instruction = bytes.get_mut(at..at + 16).filter(|bytes| bytes[0] == LOAD_64);
        let instruction = instruction.ok_or(BlockError::Damaged("an address is not loaded"))?;
        match symbol {
            Symbol::Values(_) => {
                // The offset in the map moves to the second half, to make room for the descriptor.
                instruction.copy_within(4..8, 12);
                instruction[1] = instruction[1] & 0xf | PSEUDO_MAP_VALUE << 4;
            }
            Symbol::Limit(_) if instruction[4..8] != [0; 4] => {
                return Err(BlockError::Damaged("a size is not loaded as it is"));
            }
            Symbol::Limit(_) => {}
        }
        instruction[4..8].copy_from_slice(&number.to_ne_bytes());
    }
    Ok(())
}

/// Where in the file instructions load the address of a symbol that is defined nowhere, and its name.
fn unknown_addresses(bytes: &[u8]) -> Result<Vec<(usize, String)>, BlockError> {
    let file = object::File::parse(bytes)?;
    let mut addresses = Vec::new();
    for section in file.sections() {
        let Some((start, _)) = section.file_range() else { continue };
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
            let symbol = file.symbol_by_index(symbol)?;
            if symbol.is_undefined() {
                addresses.push(((start + offset) as usize, symbol.name()?.to_owned()));
            }
        }
    }
    Ok(addresses)
}

/// Writes the number of entries of each block into the type of its value.
fn resize(bytes: &mut [u8], sizes: &Sizes, cpus: u32) -> Result<(), BlockError> {
    let maps = aya_obj::Object::parse(bytes)?.maps;
    let mut counts = BTreeMap::new();
    for spec in MAPS {
        let entries = sizes.entries(spec, cpus);
        let count = match spec.kind {
            Kind::Block => Count { elements: entries, inner: None },
            Kind::PerCpuBlock => {
                Count { elements: cpus, inner: Some((entries, entries * spec.value_size)) }
            }
            Kind::DevMap => continue,
        };
        if let Some(Map::Btf(map)) = maps.get(spec.name)
            && counts.insert(map.def.btf_value_type_id, count).is_some_and(|other| other != count)
        {
            return Err(BlockError::Damaged("two blocks of different sizes have the same type"));
        }
    }
    let types = object::File::parse(&*bytes)?.section_by_name(".BTF").and_then(|s| s.file_range());
    let (start, size) = types.ok_or(BlockError::Damaged("no type information"))?;
    let types = bytes.get_mut(start as usize..(start + size) as usize);
    btf::set_counts(types.ok_or(BlockError::Damaged("type information behind the end"))?, &counts)
        .ok_or(BlockError::Damaged("its type information cannot be read"))
}

/// How large a block is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    /// Elements of the array.
    elements: u32,
    /// If the elements are structures around an array: that one's elements, and the structure's bytes.
    inner: Option<(u32, u32)>,
}

/// BTF as it stands in a file (`Documentation/bpf/btf.rst`).
mod btf {
    use std::collections::BTreeMap;

    use super::Count;

    const ARRAY: u32 = 3;
    const STRUCT: u32 = 4;

    /// Sets the sizes of arrays by their type's number; `None` if they are no such arrays.
    pub(super) fn set_counts(bytes: &mut [u8], counts: &BTreeMap<u32, Count>) -> Option<()> {
        let places = places(bytes)?;
        let place = |number: u32, kind| -> Option<usize> {
            places.get(number.checked_sub(1)? as usize).filter(|at| at.1 == kind).map(|at| at.0)
        };
        for (number, count) in counts {
            let array = place(*number, ARRAY)?;
            set(bytes, array + 20, count.elements)?;
            if let Some((elements, size)) = count.inner {
                let structure = place(word(bytes, array + 12)?, STRUCT)?;
                set(bytes, structure + 8, size)?;
                // The type of its only member.
                let inner = place(word(bytes, structure + 16)?, ARRAY)?;
                set(bytes, inner + 20, elements)?;
            }
        }
        Some(())
    }

    /// Where each type is, and its kind.
    fn places(bytes: &[u8]) -> Option<Vec<(usize, u32)>> {
        let header = word(bytes, 4)? as usize;
        let (offset, length) = (word(bytes, 8)? as usize, word(bytes, 12)? as usize);
        let mut at = header + offset;
        let end = at + length;
        let mut places = Vec::new();
        while at < end {
            let info = word(bytes, at + 4)?;
            let kind = info >> 24 & 0x1f;
            places.push((at, kind));
            at += 12 + behind(kind, info & 0xffff)?;
        }
        Some(places)
    }

    fn set(bytes: &mut [u8], at: usize, value: u32) -> Option<()> {
        bytes.get_mut(at..at + 4)?.copy_from_slice(&value.to_ne_bytes());
        Some(())
    }

    /// How many bytes follow the 12 of a type that has so many members.
    const fn behind(kind: u32, members: u32) -> Option<usize> {
        let members = members as usize;
        Some(match kind {
            // Pointers, forward declarations, names, qualifiers, functions, floats, tags of types.
            2 | 7 | 8 | 9 | 10 | 11 | 12 | 16 | 18 => 0,
            // Integers, variables, tags of declarations.
            1 | 14 | 17 => 4,
            ARRAY => 12,
            // Enumerations and prototypes.
            6 | 13 => 8 * members,
            // Structures, unions, sections, large enumerations.
            4 | 5 | 15 | 19 => 12 * members,
            _ => return None,
        })
    }

    fn word(bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = bytes.get(at..at + 4)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::object::OBJECT;

    #[test]
    fn every_address_of_a_block_gets_the_descriptor_of_its_map_and_every_size_its_number() {
        let mut bytes = OBJECT.to_vec();
        let before = unknown_addresses(&bytes).expect("the object can be read");
        for name in ["fdb.values", "fdb_mask.limit"] {
            assert!(before.iter().any(|(_, symbol)| symbol == name), "no program loads {name}");
        }
        complete(&mut bytes, |symbol| match symbol {
            Symbol::Values(name) => Some(name.len() as i32),
            Symbol::Limit(name) => Some(-(name.len() as i32)),
        })
        .expect("all are known");
        for (at, name) in before {
            let half = |bytes: &[u8], at: usize| {
                i32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four"))
            };
            let is = (bytes[at + 1] >> 4, half(&bytes, at + 4), half(&bytes, at + 12));
            let offset = half(OBJECT, at + 4);
            assert_eq!(
                is,
                match Symbol::named(&name).expect("nothing else is undefined") {
                    Symbol::Values(map) => (PSEUDO_MAP_VALUE, map.len() as i32, offset),
                    Symbol::Limit(limit) => (0, -(limit.len() as i32), 0),
                },
                "{name}"
            );
        }
    }

    #[test]
    fn a_name_that_is_no_map_is_refused() {
        let error = complete(&mut OBJECT.to_vec(), |_| None).expect_err("nothing is known");
        assert!(error.to_string().contains("is no block"), "{error}");
    }

    #[test]
    fn every_size_that_a_program_loads_is_one_of_the_settings_or_the_machine() {
        for (_, name) in unknown_addresses(OBJECT).expect("the object can be read") {
            if let Some(Symbol::Limit(limit)) = Symbol::named(&name) {
                assert!(Sizes::default().limit(limit, 2).is_some(), "{limit}");
            }
        }
    }

    #[test]
    fn blocks_have_the_size_of_the_settings_and_counters_one_part_for_each_cpu() {
        let mut bytes = OBJECT.to_vec();
        let sizes = Sizes { fdb: 1 << 18, trie: 77, ports: 64, vlans: 32, ..Sizes::default() };
        resize(&mut bytes, &sizes, 6).expect("the types can be changed");
        let maps = aya_obj::Object::parse(&bytes).expect("it is still an object").maps;
        // aya sets the size of the device map, which is no block.
        for spec in MAPS.iter().filter(|spec| spec.kind != Kind::DevMap) {
            let shape = (maps[spec.name].value_size(), maps[spec.name].max_entries());
            assert_eq!(shape, spec.shape(sizes.entries(spec, 6), 6), "{}", spec.name);
        }
    }
}
