//! The daemon: arguments in, library call out.

use std::{io::IsTerminal as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Parser;
use fabric_user::{
    daemon,
    metrics::Listen,
    settings::{Settings, XdpMode},
};
use tracing_subscriber::EnvFilter;

/// Syncs what FRR (or anybody) wrote into the kernel into the maps of Fabric's XDP programs.
///
/// Runs in the foreground, in the present network namespace. When it ends, the programs stay: the
/// next fabric-xdpd takes over without loss, and if none does within the heartbeat timeout, the kernel
/// carries the traffic. SIGHUP has it read its settings anew, SIGUSR1 compare kernel and maps at once.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Settings file [default: /etc/fabric/fabric-xdpd.toml if it exists]
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
    /// Serve metrics for Prometheus at this address, or at this port of 127.0.0.1 [default: no metrics;
    /// without an address: 127.0.0.1:9843]
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "9843")]
    metrics: Option<Listen>,
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
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", daemon::sentence(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let settings = arguments.settings().context("fabric-xdpd did not start")?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(daemon::run(settings, || arguments.settings()))
}

impl Arguments {
    /// The settings of the file, with what was said on the command line.
    fn settings(&self) -> anyhow::Result<Settings> {
        fn replace<T: Clone>(setting: &mut T, flag: Option<&T>) {
            if let Some(flag) = flag {
                setting.clone_from(flag);
            }
        }
        let mut settings = Settings::load(self.settings.as_deref())?;
        replace(&mut settings.instance, self.instance.as_ref());
        replace(&mut settings.xdp_mode, self.xdp_mode.as_ref());
        replace(&mut settings.heartbeat_timeout_ms, self.heartbeat_timeout_ms.as_ref());
        replace(&mut settings.audit_interval_s, self.audit_interval_s.as_ref());
        replace(&mut settings.run_folder, self.run_folder.as_ref());
        settings.metrics = self.metrics.or(settings.metrics);
        settings.detach_on_exit |= self.detach_on_exit;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn arguments_refer_only_to_arguments_that_there_are() {
        Arguments::command().debug_assert();
    }
}
