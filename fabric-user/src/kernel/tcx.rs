//! BPF programs of `tc` that hang on an interface by themselves (`tcx`, Linux 6.6 and later), asked for by
//! the system call (`BPF_PROG_QUERY` of `linux/bpf.h`).

use std::io;

use super::bpf_call::{Command, call};

/// Where such programs run: `enum bpf_attach_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On what arrives, behind XDP.
    Arriving = 46,
    /// On what leaves.
    Leaving = 47,
}

/// The part of `union bpf_attr` that belongs to a query.
#[repr(C)]
#[derive(Default)]
struct Query {
    ifindex: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    programs: u64,
    count: u32,
    pad: u32,
    program_flags: u64,
    links: u64,
    link_flags: u64,
    revision: u64,
}

// SAFETY: the attributes of BPF_PROG_QUERY. With no room for numbers of programs and links nothing is written
// but how many there are.
unsafe impl Command for Query {
    const NUMBER: std::ffi::c_int = 16;
}

/// Whether this kernel knows such places.
#[must_use]
pub fn is_known() -> bool {
    // No interface has this index, and who does not know the place does not get that far.
    let asked = count(u32::MAX >> 1, Place::Arriving);
    asked.is_err_and(|error| error.raw_os_error() == Some(libc::ENODEV))
}

/// Whether a program runs there, on an interface of this thread's network namespace; not so on one that
/// has gone.
///
/// # Errors
/// What the kernel says.
pub fn is_used(ifindex: u32, place: Place) -> io::Result<bool> {
    match count(ifindex, place) {
        Ok(count) => Ok(count > 0),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(false),
        Err(error) => Err(error),
    }
}

fn count(ifindex: u32, place: Place) -> io::Result<u32> {
    let mut query = Query { ifindex, attach_type: place as u32, ..Query::default() };
    call(&mut query)?;
    Ok(query.count)
}
