//! The system call bpf(2), for what aya does not do (`union bpf_attr` of `linux/bpf.h`).

use std::{
    ffi::c_int,
    io,
    os::fd::{FromRawFd as _, OwnedFd},
};

/// A command with its attributes.
///
/// # Safety
/// The attributes are integers only, and the first fields of those that belong to the command: the kernel counts
/// the rest as zero. What addresses among them point to lives as long as the value, with the lengths given.
pub(super) unsafe trait Command {
    /// `enum bpf_cmd`
    const NUMBER: c_int;
}

/// Has the kernel do it; what it returns.
pub(super) fn call<T: Command>(attributes: &mut T) -> io::Result<c_int> {
    let length = size_of::<T>() as libc::c_uint;
    let address = std::ptr::from_mut(attributes);
    // SAFETY: the kernel reads and writes `length` bytes of the attributes, and what they point to, which
    // is as `Command` promises.
    let result = unsafe { libc::syscall(libc::SYS_bpf, T::NUMBER, address, length) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as c_int) }
}

/// A command that makes a descriptor.
///
/// # Safety
/// What it returns is a new descriptor, if it is no error.
pub(super) unsafe trait Maker: Command {}

/// As [`call`]; the descriptor.
pub(super) fn make<T: Maker>(attributes: &mut T) -> io::Result<OwnedFd> {
    let fd = call(attributes)?;
    // SAFETY: the kernel has just given it to this caller alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
