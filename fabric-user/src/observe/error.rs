//! Why the kernel cannot be observed.

use std::io;

use crate::netlink::{NetlinkError, Refusal};

/// Why the kernel cannot be observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// A system call on a netlink socket failed.
    #[error("cannot {what} a netlink socket: {error}")]
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
        error: Refusal,
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
    /// There is no whole answer.
    #[error("cannot have the kernel {what}: {error}")]
    Unanswered {
        /// What was asked.
        what: String,
        /// What there is instead.
        error: NetlinkError,
    },
}

impl ObserveError {
    /// For a system call of this purpose.
    pub(super) fn socket<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Socket { what, error: error.into() }
    }

    /// For a question: what the kernel was to do.
    pub(super) fn asked(what: impl FnOnce() -> String) -> impl FnOnce(NetlinkError) -> Self {
        move |error| match error {
            NetlinkError::Socket { what, error } => Self::Socket { what, error },
            NetlinkError::Refused(error) => Self::Refused { what: what(), error },
            error => Self::Unanswered { what: what(), error },
        }
    }

    /// `errno`, if the kernel refused.
    pub(super) const fn refused(&self) -> Option<i32> {
        match self {
            Self::Refused { error, .. } => Some(error.code),
            _ => None,
        }
    }
}
