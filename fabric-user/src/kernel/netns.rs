//! Which network namespace this is, and moving a thread into a new one.

use std::io;

use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::socket_options::netns_cookie;

/// What a thread can have of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// Interfaces, routes, sockets.
    Network,
    /// Interfaces, and mounts.
    NetworkAndMounts,
    /// The name of the machine.
    HostName,
}

/// Moves this thread into new namespaces, which go with the last one that uses them.
///
/// # Errors
/// Without root's rights; mounts, if the process has other threads that share its working directory.
pub fn enter_new(own: Own) -> io::Result<()> {
    let flags = match own {
        Own::Network => UnshareFlags::NEWNET,
        Own::NetworkAndMounts => UnshareFlags::NEWNET | UnshareFlags::NEWNS,
        Own::HostName => UnshareFlags::NEWUTS,
    };
    // SAFETY: what a thread must not stop sharing is its table of file descriptors (`FILES`), which is none
    // of these.
    Ok(unsafe { unshare_unsafe(flags) }?)
}

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
    netns_cookie(&socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_namespace_has_a_number_of_its_own_that_stays() {
        let own = cookie().unwrap();
        assert_ne!(own, 0);
        assert_eq!(cookie().unwrap(), own);
        let other = std::thread::spawn(|| {
            enter_new(Own::Network).expect("the tests need root");
            cookie().unwrap()
        });
        assert_ne!(other.join().unwrap(), own);
    }
}
