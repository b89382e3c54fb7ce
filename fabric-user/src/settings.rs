//! The daemon's settings: a TOML file, overridden by flags. The normal case needs none.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use fabric_common::schema::settings::{HASH_FLOW_LABEL, HASH_INNER, HASH_SYMMETRIC};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{kernel::sizes::Sizes, metrics::Listen, model::Pattern};

/// Where the file is unless `--settings` names another.
pub const DEFAULT_PATH: &str = "/etc/fabric/fabric-xdpd.toml";

/// Why settings cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("the settings {} are not valid in line {line}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What.
        message: String,
    },
    /// A value is out of range.
    #[error("the setting {name} is {value}; it must be {range}")]
    Range {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: u64,
        /// What would be right.
        range: &'static str,
    },
}

/// How programs are attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum XdpMode {
    /// By the driver; a port whose driver cannot is left to the kernel.
    #[default]
    Native,
    /// By the kernel for any driver, behind the allocation of a socket buffer: slow.
    Generic,
}

impl From<XdpMode> for aya::programs::XdpMode {
    fn from(mode: XdpMode) -> Self {
        match mode {
            XdpMode::Native => Self::Driver,
            XdpMode::Generic => Self::Skb,
        }
    }
}

/// What the flow hash takes into account beside addresses, protocol and ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowHash {
    /// The flow label of IPv6 packets (RFC 6438). Default false.
    pub flow_label: bool,
    /// The inner headers of VXLAN packets on their way through. Default false: tunnels put what
    /// tells flows apart into the UDP source port.
    pub inner: bool,
    /// Both directions of a connection have one hash. Default false.
    pub symmetric: bool,
}

impl FlowHash {
    /// As the packet path reads them.
    #[must_use]
    pub const fn flags(self) -> u32 {
        let Self { flow_label, inner, symmetric } = self;
        (flow_label as u32 * HASH_FLOW_LABEL)
            | (inner as u32 * HASH_INNER)
            | (symmetric as u32 * HASH_SYMMETRIC)
    }
}

/// All settings with their defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Name of this instance: its folder below /sys/fs/bpf/fabric. Default `default`.
    pub instance: String,
    /// Interfaces that may be touched, as patterns with `*` and `?`. Default: all that qualify.
    pub ports: Vec<Pattern>,
    /// Interfaces that must not be touched. Default: none.
    pub exclude: Vec<Pattern>,
    /// Interfaces that take frames from XDP programs, as patterns. Of use on kernels before 6.3,
    /// which do not say it of all devices, and for veths whose other end cannot be looked into. Default:
    /// none beside those that are known to do so.
    pub redirect_targets: Vec<Pattern>,
    /// Chains of netfilter that do not matter for what is forwarded, as patterns for family, table and name:
    /// `ip nat *`. Default: none, so that what one may change is left to the kernel.
    pub ignore_netfilter: Vec<Pattern>,
    /// `native` or `generic`. Default `native`.
    pub xdp_mode: XdpMode,
    /// Milliseconds without a sign of life after which the kernel forwards. Default 10000.
    pub heartbeat_timeout_ms: u64,
    /// Seconds between two full comparisons of kernel and maps. Default 60.
    pub audit_interval_s: u64,
    /// MAC addresses for which there is room. Default 131072 (4 MiB).
    pub fdb_entries: u32,
    /// Hosts of each address family for which there is room outside the prefixes. Default 65536
    /// (5.5 MiB).
    pub host_entries: u32,
    /// Prefixes of all views and both families for which there is room. Default 131072 (8 MiB).
    pub prefix_entries: u32,
    /// Ports for which there is room. Default 4096 (9 MiB, and up to 8 MiB of counters for each CPU but
    /// no more than 64 MiB together).
    pub port_entries: u32,
    /// What the flow hash takes into account.
    pub hash: FlowHash,
    /// Seed of the flow hash. Default: from the machine's identity, so that it differs per box and
    /// stays over restarts.
    pub seed: Option<u32>,
    /// Take everything off when the daemon ends. Default false: the fast path goes on until the
    /// heartbeat expires or the next daemon takes over.
    pub detach_on_exit: bool,
    /// Where metrics for Prometheus are served. Default: nowhere.
    pub metrics: Option<Listen>,
    /// Folder of the lock, the control socket and the state file. Default /run/fabric.
    pub run_folder: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            instance: "default".into(),
            ports: Vec::new(),
            exclude: Vec::new(),
            redirect_targets: Vec::new(),
            ignore_netfilter: Vec::new(),
            xdp_mode: XdpMode::Native,
            heartbeat_timeout_ms: 10_000,
            audit_interval_s: 60,
            fdb_entries: 131_072,
            host_entries: 65_536,
            prefix_entries: 131_072,
            port_entries: 4096,
            hash: FlowHash::default(),
            seed: None,
            detach_on_exit: false,
            metrics: None,
            run_folder: "/run/fabric".into(),
        }
    }
}

impl Settings {
    /// Reads the file at `path`; without one, the default file if it exists, else the defaults.
    ///
    /// # Errors
    /// If a named file cannot be read, or any file is not valid.
    pub fn load(path: Option<&Path>) -> Result<Self, SettingsError> {
        let file = path.unwrap_or(Path::new(DEFAULT_PATH));
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(e) if path.is_none() && e.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => {
                return Err(SettingsError::Read { path: file.into(), source });
            }
        };
        toml::from_str(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = 1 + text.get(..at).unwrap_or_default().matches('\n').count();
            SettingsError::Parse { path: file.into(), line, message: error.message().into() }
        })
    }

    /// Checks what a type cannot.
    ///
    /// # Errors
    /// With the first value that is out of range.
    pub fn check(&self) -> Result<(), SettingsError> {
        let range = |name, value, range| Err(SettingsError::Range { name, value, range });
        if !(100..=3_600_000).contains(&self.heartbeat_timeout_ms) {
            return range("heartbeat_timeout_ms", self.heartbeat_timeout_ms, "100 to 3600000");
        }
        if self.audit_interval_s == 0 {
            return range("audit_interval_s", 0, "at least 1");
        }
        if !(16..=16_777_216).contains(&self.fdb_entries) {
            return range("fdb_entries", self.fdb_entries.into(), "16 to 16777216");
        }
        if !(16..=8_388_608).contains(&self.host_entries) {
            return range("host_entries", self.host_entries.into(), "16 to 8388608");
        }
        if !(16..=8_388_608).contains(&self.prefix_entries) {
            return range("prefix_entries", self.prefix_entries.into(), "16 to 8388608");
        }
        // Slots are twice as many, and what refers to one has 16 bits for it.
        if !(16..=32_768).contains(&self.port_entries) {
            return range("port_entries", self.port_entries.into(), "16 to 32768");
        }
        Ok(())
    }

    /// What a running daemon goes on with when it is given others: what it can take over of them.
    #[must_use]
    pub fn reloaded(&self, new: &Self) -> Self {
        Self {
            ports: new.ports.clone(),
            exclude: new.exclude.clone(),
            ignore_netfilter: new.ignore_netfilter.clone(),
            heartbeat_timeout_ms: new.heartbeat_timeout_ms,
            audit_interval_s: new.audit_interval_s,
            hash: new.hash,
            // Without one the maps keep theirs.
            seed: new.seed,
            detach_on_exit: new.detach_on_exit,
            ..self.clone()
        }
    }

    /// Names of the settings that differ from others.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let named = |settings: &Self| match serde_json::to_value(settings) {
            Ok(serde_json::Value::Object(named)) => named,
            _ => serde_json::Map::new(),
        };
        let (ours, theirs) = (named(self), named(other));
        let differs = |(name, value): &(String, serde_json::Value)| theirs.get(name) != Some(value);
        ours.into_iter().filter(differs).map(|(name, _)| name).collect()
    }

    /// Time without a sign of life after which the kernel forwards.
    #[must_use]
    pub const fn heartbeat_timeout(&self) -> Duration {
        Duration::from_millis(self.heartbeat_timeout_ms)
    }

    /// Sizes of the maps.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes::for_entries(
            self.fdb_entries,
            self.host_entries,
            self.prefix_entries,
            self.port_entries,
        )
    }

    /// A seed that differs per machine and instance and is never 0.
    #[must_use]
    pub fn default_seed(&self) -> u32 {
        let mut hasher = DefaultHasher::new();
        fs::read("/etc/machine-id").unwrap_or_default().hash(&mut hasher);
        self.instance.hash(&mut hasher);
        (hasher.finish() as u32).max(1)
    }

    /// A file of this instance in the run folder.
    #[must_use]
    pub fn run_file(&self, extension: &str) -> PathBuf {
        self.run_folder.join(format!("{}.{extension}", self.instance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_gives_the_defaults_and_they_are_in_range() {
        let settings: Settings = toml::from_str("").unwrap();
        assert_eq!(settings, Settings::default());
        settings.check().unwrap();
    }

    #[test]
    fn what_the_hash_takes_into_account_is_a_table_of_its_own() {
        let text = "[hash]\nflow_label = true\nsymmetric = true\n";
        let settings: Settings = toml::from_str(text).unwrap();
        assert_eq!(settings.hash.flags(), HASH_FLOW_LABEL | HASH_SYMMETRIC);
        let error = toml::from_str::<Settings>("[hash]\nlabel = true").unwrap_err().to_string();
        assert!(error.contains("label"), "{error}");
    }

    #[test]
    fn an_unknown_setting_is_named() {
        let error = toml::from_str::<Settings>("heartbeat = 3").unwrap_err().to_string();
        assert!(error.contains("heartbeat"), "{error}");
    }

    #[test]
    fn a_running_daemon_takes_over_all_but_what_it_was_built_with() {
        let text = "exclude = ['swp9']\nports = ['swp*']\nheartbeat_timeout_ms = 500\nseed = 7\n\
            audit_interval_s = 5\ndetach_on_exit = true\nhash.inner = true\nfdb_entries = 99\n\
            host_entries = 98\nprefix_entries = 97\nxdp_mode = 'generic'\nrun_folder = '/x'\n\
            instance = 'other'\nmetrics = '9843'\nignore_netfilter = ['ip nat *']";
        let (old, new) = (Settings::default(), toml::from_str::<Settings>(text).unwrap());
        let reloaded = old.reloaded(&new);
        let stays = [
            "fdb_entries",
            "host_entries",
            "instance",
            "metrics",
            "prefix_entries",
            "run_folder",
            "xdp_mode",
        ];
        let mut left = reloaded.differences(&new);
        left.sort_unstable();
        assert_eq!(left, stays);
        assert_eq!(old.differences(&reloaded).len(), 8);
        assert!(reloaded.differences(&reloaded).is_empty());
    }

    #[test]
    fn a_value_out_of_range_is_named_with_the_range() {
        let settings = Settings { heartbeat_timeout_ms: 1, ..Settings::default() };
        let error = settings.check().unwrap_err().to_string();
        assert_eq!(error, "the setting heartbeat_timeout_ms is 1; it must be 100 to 3600000");
    }
}
