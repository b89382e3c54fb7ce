//! Why FRR's facts cannot be had.

use std::path::PathBuf;

use crate::frr::vty::VtyError;

/// A daemon that does not say what it knows. Each is one sentence.
#[derive(Debug, thiserror::Error)]
pub enum FrrError {
    /// It runs no more.
    #[error("{daemon} of FRR has ended: nobody listens at {path}, which it has left behind")]
    Ended {
        /// The daemon.
        daemon: &'static str,
        /// Its socket.
        path: PathBuf,
    },
    /// It takes no calls.
    #[error("{daemon} of FRR takes no calls at {path}: {source}")]
    Deaf {
        /// The daemon.
        daemon: &'static str,
        /// Its socket.
        path: PathBuf,
        /// Why not.
        source: VtyError,
    },
    /// It gives no answer.
    #[error("{daemon} of FRR does not answer `{command}`: {source}")]
    Silent {
        /// The daemon.
        daemon: &'static str,
        /// What it was asked.
        command: &'static str,
        /// Why not.
        source: VtyError,
    },
    /// Its answer is none.
    #[error(
        "the answer of FRR's {daemon} to `{command}` is not the JSON it should be: {message}, near `{near}`"
    )]
    Nonsense {
        /// The daemon.
        daemon: &'static str,
        /// What it was asked.
        command: &'static str,
        /// What is wrong, with line and column, which begin at 1.
        message: String,
        /// The text at that place.
        near: String,
    },
}
