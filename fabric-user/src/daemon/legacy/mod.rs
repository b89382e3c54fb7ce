//! Chains of `iptables-legacy` and `ebtables-legacy`: the kernel tells nobody of their changes, so they are
//! read again and again, by `getsockopt` on a UDP socket (`nf_getsockopt`), which needs CAP_NET_ADMIN alone.

mod ebtables;
mod iptables;

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

use rustix::net::{AddressFamily, SocketType, socket};

use crate::observe::Chain;

/// Bytes that a table may have at most: millions of rules.
const MOST: usize = 256 << 20;

/// All chains.
///
/// # Errors
/// If the kernel does not say. What was known still holds then.
pub(super) fn legacy_chains() -> io::Result<Vec<Chain>> {
    let mut chains = iptables::chains()?;
    chains.extend(ebtables::chains()?);
    Ok(chains)
}

fn open(family: AddressFamily) -> io::Result<OwnedFd> {
    Ok(socket(family, SocketType::DGRAM, None)?)
}

/// Has an option written into `value`, at whose beginning stands which one is meant.
fn get(socket: &OwnedFd, level: i32, option: i32, value: &mut [u8]) -> io::Result<()> {
    let mut length = libc::socklen_t::try_from(value.len()).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: the kernel writes at most `length` bytes, which `value` has.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A number in host order; 0 behind the end.
fn number(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

/// A name in a field of 32 bytes, as every structure here begins with.
fn named(name: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length.max(32)];
    let name = &name.as_bytes()[..name.len().min(31)];
    bytes[..name.len()].copy_from_slice(name);
    bytes
}
