//! The daemon: arguments in, library call out.

use std::{io::IsTerminal as _, path::PathBuf, process::ExitCode};

use clap::Parser;
use fabric_user::{daemon, settings::XdpMode};
use tracing_subscriber::EnvFilter;

/// Syncs what FRR (or anybody) wrote into the kernel into the maps of Fabric's XDP programs.
///
/// Runs in the foreground, in the present network namespace. When it ends, the programs stay: the
/// next fabricd takes over without loss, and if none does within the heartbeat timeout, the kernel
/// carries the traffic.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Settings file [default: /etc/fabric/fabricd.toml if it exists]
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Name of this instance: one per network namespace
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
    /// How programs are attached
    #[arg(long, value_name = "MODE")]
    xdp_mode: Option<XdpMode>,
    /// Milliseconds without a sign of life after which the kernel forwards
    #[arg(long, value_name = "MS")]
    heartbeat_timeout_ms: Option<u64>,
    /// Seconds between two full comparisons of kernel and maps
    #[arg(long, value_name = "SECONDS")]
    audit_interval_s: Option<u64>,
    /// Take programs and maps off at the end
    #[arg(long)]
    detach_on_exit: bool,
    /// Folder of the lock, the control socket and the state file
    #[arg(long, value_name = "FOLDER")]
    run_folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = daemon::load_settings(arguments.settings.as_deref(), |s| {
        fn replace<T>(setting: &mut T, flag: Option<T>) {
            if let Some(flag) = flag {
                *setting = flag;
            }
        }
        replace(&mut s.instance, arguments.instance);
        replace(&mut s.xdp_mode, arguments.xdp_mode);
        replace(&mut s.heartbeat_timeout_ms, arguments.heartbeat_timeout_ms);
        replace(&mut s.audit_interval_s, arguments.audit_interval_s);
        replace(&mut s.run_folder, arguments.run_folder);
        s.detach_on_exit |= arguments.detach_on_exit;
    })?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(daemon::run(settings))
}
