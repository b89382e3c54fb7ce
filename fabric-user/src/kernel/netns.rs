//! Which network namespace this is.

use std::io;

use super::socket_options::netns_cookie;

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
