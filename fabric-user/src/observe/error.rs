//! Why the kernel cannot be observed.

use std::io;

/// Why the kernel cannot be observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// A system call on a netlink socket failed.
    #[error("cannot {what} the kernel's route netlink socket: {error}")]
    Socket {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// The kernel refused a request.
    #[error("the kernel refused to {what}: {error}")]
    Refused {
        /// What was asked.
        what: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// The tables changed during each of several dumps.
    #[error(
        "the kernel's {what} changed during each of {attempts} dumps in a row; try again when it is \
         quieter"
    )]
    Restless {
        /// What was dumped.
        what: String,
        /// How often.
        attempts: u32,
    },
    /// A dump was cut off.
    #[error("the kernel's answer about {what} is longer than {limit} bytes or cut off")]
    CutOff {
        /// What was dumped.
        what: String,
        /// Size of the receive buffer.
        limit: usize,
    },
}

impl ObserveError {
    /// For a system call of this purpose.
    pub(super) fn socket<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Socket { what, error: error.into() }
    }
}
