//! Which network namespace this is.

use std::{io, os::fd::AsRawFd as _};

/// `SO_NETNS_COOKIE` of `asm-generic/socket.h`, since Linux 5.14.
const NETNS_COOKIE: libc::c_int = 71;

/// The number of this thread's network namespace, which no other one has or will have until the next
/// boot; never 0.
///
/// # Errors
/// If the kernel does not say.
pub fn cookie() -> io::Result<u64> {
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?;
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to the number, which lives until after the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(cookie) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::{UnshareFlags, unshare_unsafe};

    #[test]
    fn each_network_namespace_has_a_number_of_its_own_that_stays() {
        let own = cookie().unwrap();
        assert_ne!(own, 0);
        assert_eq!(cookie().unwrap(), own);
        let other = std::thread::spawn(|| {
            // SAFETY: only the network namespace of this thread changes, no file descriptors.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("the tests need root");
            cookie().unwrap()
        });
        assert_ne!(other.join().unwrap(), own);
    }
}
