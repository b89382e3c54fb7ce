//! `fabricctl lab cut`, `silence` and `mend`: links that break; `withdraw` and `announce`: servers that
//! leave a service. Each names two things and says one sentence.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Which;
use crate::cli::print;
use crate::lab::{Lab, LabError};

/// What does it to the lab.
type Work = fn(&Lab, &str, &str) -> Result<(), LabError>;

/// A link, by one of its ends.
#[derive(Debug, clap::Args)]
pub(super) struct Link {
    #[command(flatten)]
    which: Which,
    /// The node.
    node: String,
    /// Its port.
    port: String,
}

/// A server's part in a service.
#[derive(Debug, clap::Args)]
pub(super) struct Part {
    #[command(flatten)]
    which: Which,
    /// The service.
    service: String,
    /// The server.
    server: String,
}

pub(super) fn link(
    args: Link,
    done: &str,
    cancel: Arc<AtomicBool>,
    work: Work,
) -> anyhow::Result<ExitCode> {
    let lab = args.which.open()?.heeding(cancel);
    work(&lab, &args.node, &args.port)?;
    print::text(&format!("the link at {} {} is {done}\n", args.node, args.port))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn part(
    args: Part,
    does: &str,
    cancel: Arc<AtomicBool>,
    work: Work,
) -> anyhow::Result<ExitCode> {
    let lab = args.which.open()?.heeding(cancel);
    work(&lab, &args.service, &args.server)?;
    print::text(&format!("{} {does} service {}\n", args.server, args.service))?;
    Ok(ExitCode::SUCCESS)
}
