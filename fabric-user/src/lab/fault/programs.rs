//! The programs of silent interfaces, `fabric-ebpf/src/bin/lab.rs`, and those that they take the place of.

use std::io;
use std::path::Path;

use aya::Ebpf;
use aya::programs::{ProgramFd, ProgramInfo, Xdp, loaded_programs};
use aya_obj::programs::XdpAttachType;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lab.o"));

/// The program that drops everything.
const SILENCE: &str = "lab_silence";
/// The one that passes everything.
const PLACEHOLDER: &str = "lab_placeholder";

/// Loads the program that drops everything.
pub(super) fn silence() -> io::Result<ProgramFd> {
    load(SILENCE)
}

/// Loads the program that passes everything.
pub(super) fn placeholder() -> io::Result<ProgramFd> {
    load(PLACEHOLDER)
}

fn load(name: &str) -> io::Result<ProgramFd> {
    let mut object = Ebpf::load(OBJECT).map_err(io::Error::other)?;
    let program = object.program_mut(name).ok_or(io::ErrorKind::NotFound)?;
    let program: &mut Xdp = program.try_into().map_err(io::Error::other)?;
    program.load().map_err(io::Error::other)?;
    program.fd().map_err(io::Error::other)?.try_clone()
}

/// The loaded program with this number.
fn by_id(id: u32) -> io::Result<ProgramInfo> {
    let program = loaded_programs().filter_map(Result::ok).find(|program| program.id() == id);
    program.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Whether the program with this number is one that [`silence`] loaded.
pub(super) fn is_silence(id: u32) -> io::Result<bool> {
    Ok(by_id(id)?.name_as_str() == Some(SILENCE))
}

/// Pins the program with this number.
pub(super) fn pin(id: u32, path: &Path) -> io::Result<()> {
    let mut program = Xdp::from_program_info(by_id(id)?, "".into(), XdpAttachType::Interface)
        .map_err(io::Error::other)?;
    program.pin(path).map_err(io::Error::other)
}

/// The program that is pinned at a path.
pub(super) fn pinned(path: &Path) -> io::Result<ProgramFd> {
    ProgramInfo::from_pin(path).and_then(|info| info.fd()).map_err(io::Error::other)
}
