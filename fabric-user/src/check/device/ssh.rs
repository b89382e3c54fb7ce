//! Another box, by the system's `ssh`: its configuration, agent and jump hosts are what the user has. One connection
//! for each device is opened, and all commands go through it (`ControlMaster` of ssh_config(5)).

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicBool},
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{Device, program};
use crate::{
    check::{
        probe::{Probe, Ran},
        suite::DeviceEntry,
    },
    facts::{Facts, SCHEMA},
};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(30);
/// A box that could not be reached is tried again after this time, as one that restarts.
const RETRY: Duration = Duration::from_secs(5);
/// How long a program may take to get there.
const BRING: Duration = Duration::from_secs(120);
/// How long facts may take: a million routes take seconds.
const FACTS: Duration = Duration::from_secs(60);
/// What `ssh` ends with if it fails itself.
const FAILED: i32 = 255;
/// Puts what comes on its standard input where nobody else can change it, and says where.
const KEEP: &str = "umask 077 && f=$(mktemp -d) && cat >\"$f/fabricctl\" && chmod u+x \"$f/fabricctl\" && echo \"$f\"";
/// What a shell ends with if there is no such program.
const NO_PROGRAM: i32 = 127;
/// What `sudo` ends with if it does not run the program.
const REFUSED: i32 = 1;
/// In front of what runs there: what it says is read, whatever language the user has here. `sudo` keeps it.
const LANGUAGE: &str = "env LC_ALL=C";

/// Where the connections' sockets lie, as long as there are some.
#[derive(Debug)]
pub(super) struct Connections {
    folder: PathBuf,
    /// The configuration of `ssh`, if it is not the user's.
    config: Option<PathBuf>,
}

impl Connections {
    /// Makes a folder that nobody else can look into.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(super) fn new(config: Option<PathBuf>) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("fabricctl-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&folder).with_context(|| {
            format!("cannot make the folder {} for connections", folder.display())
        })?;
        Ok(Self { folder, config })
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        // A socket that `ssh` has left goes with it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What has become of a connection.
#[derive(Debug)]
enum Connection {
    /// Nobody has wanted it yet.
    Unknown,
    /// It is there.
    Ready,
    /// It could not be made, why, and when that was known.
    Failed(String, Instant),
}

/// A box by its connection.
#[derive(Debug)]
pub(super) struct Ssh {
    target: String,
    entry: DeviceEntry,
    /// Whether fabric-xdpd is meant to run there.
    fabric_xdpd: bool,
    connections: Arc<Connections>,
    stop: Arc<AtomicBool>,
    ready: Mutex<Connection>,
    /// The folder there in which fabricctl was brought.
    brought: OnceLock<Result<String, String>>,
}

impl Ssh {
    pub(super) fn new(
        name: &str,
        entry: DeviceEntry,
        fabric_xdpd: bool,
        connections: Arc<Connections>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let target = entry.ssh.clone().unwrap_or_else(|| name.to_owned());
        let ready = Connection::Unknown.into();
        Self { target, entry, fabric_xdpd, connections, stop, ready, brought: OnceLock::new() }
    }

    /// `ssh` with what all calls have.
    fn base(&self) -> Vec<String> {
        // A target that begins with a dash is no option.
        let target = ["--".to_owned(), self.target.clone()];
        options(&self.connections).into_iter().chain(target).collect()
    }

    /// The command as it runs there.
    fn there(&self, words: &[String]) -> String {
        let sudo = ["sudo".to_owned(), "-n".to_owned()];
        let sudo: &[String] = if self.entry.sudo { &sudo } else { &[] };
        program::spelled(&[sudo, words].concat())
    }

    /// # Errors
    /// Also if `sudo` does not run it: that says nothing of what it would have said.
    fn call(&self, words: &[String], limit: Duration) -> Result<Ran, String> {
        self.connect()?;
        let ran = self.send(&format!("{LANGUAGE} {}", self.there(words)), None, limit)?;
        match refused(&ran).filter(|_| self.entry.sudo) {
            Some(why) => {
                Err(format!("{why}; `fabricctl check --commands` prints what sudo has to allow"))
            }
            None => Ok(ran),
        }
    }

    fn connect(&self) -> Result<(), String> {
        // Two that open the same connection at once would open two.
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        match &*ready {
            Connection::Ready => return Ok(()),
            Connection::Failed(why, when) if when.elapsed() < RETRY => return Err(why.clone()),
            Connection::Unknown | Connection::Failed(..) => {}
        }
        let made = self.send("true", None, CONNECT).map(drop);
        *ready = match &made {
            Ok(()) => Connection::Ready,
            Err(why) => Connection::Failed(why.clone(), Instant::now()),
        };
        made
    }

    fn send(&self, line: &str, input: Option<&[u8]>, limit: Duration) -> Result<Ran, String> {
        let mut words = self.base();
        words.push(line.to_owned());
        let ran = program::run_with(&words, input, limit, None, &self.stop)?;
        match ran.status {
            Some(FAILED) => Err(format!("ssh says: {}", ran.errors.trim().replace('\n', "; "))),
            _ => Ok(ran),
        }
    }

    /// `fabricctl` as it is called there.
    fn program(&self) -> Result<String, String> {
        if !self.entry.bring {
            return Ok("fabricctl".into());
        }
        self.connect()?;
        let folder = self.brought.get_or_init(|| self.bring());
        folder.clone().map(|folder| format!("{folder}/fabricctl"))
    }

    /// Brings this program; the folder in which it is.
    fn bring(&self) -> Result<String, String> {
        let own = std::env::current_exe().and_then(fs::read);
        let own = own.map_err(|error| format!("fabricctl cannot read itself: {error}"))?;
        let ran = self.send(KEEP, Some(&own), BRING)?;
        match (ran.status, ran.output.trim()) {
            (Some(0), folder) if folder.starts_with('/') => Ok(folder.to_owned()),
            _ => Err(format!(
                "fabricctl cannot be brought there: {}",
                ran.errors.trim().replace('\n', "; ")
            )),
        }
    }

    fn facts_words(&self, program: &str) -> Vec<String> {
        let mut words = vec![program, "facts", "--json"];
        words.extend(self.entry.instance.iter().flat_map(|it| ["--instance", it.as_str()]));
        if !self.fabric_xdpd {
            words.push("--no-fabric-xdpd");
        }
        words.into_iter().map(str::to_owned).collect()
    }
}

/// Why `sudo` has not run a program, in its words, if it has not.
fn refused(ran: &Ran) -> Option<&str> {
    let last = ran.errors.trim().lines().last()?;
    // It also warns of what is no reason not to run it.
    let is_refusal = ["sudo: ", "Sorry, user "].iter().any(|it| last.starts_with(it))
        && !last.starts_with("sudo: unable to resolve host");
    (ran.status == Some(REFUSED) && is_refusal).then_some(last)
}

/// What a user's configuration may have for people who log in, and commands cannot use.
const NOT_WANTED: [&str; 3] =
    ["ClearAllForwardings=yes", "PermitLocalCommand=no", "RemoteCommand=none"];

/// `ssh` with what all connections have.
fn options(connections: &Connections) -> Vec<String> {
    let Connections { folder, config } = connections;
    let mut words = vec!["ssh".to_owned(), "-T".to_owned()];
    words.extend(config.iter().flat_map(|it| ["-F".to_owned(), it.display().to_string()]));
    let socket = format!("ControlPath={}/%C", folder.display());
    let own =
        ["BatchMode=yes", "ConnectTimeout=10", "ControlMaster=auto", "ControlPersist=60", &socket];
    for option in own.into_iter().chain(NOT_WANTED) {
        words.extend(["-o".to_owned(), option.to_owned()]);
    }
    words
}

impl Device for Ssh {
    fn facts(&self) -> Result<Facts, String> {
        let ran = self.call(&self.facts_words(&self.program()?), FACTS)?;
        match ran.status {
            Some(0) => {}
            Some(NO_PROGRAM) => {
                return Err(
                    "it has no fabricctl, which collects facts; `bring = true` in its table brings it"
                        .into(),
                );
            }
            _ => {
                return Err(format!(
                    "fabricctl facts says: {}",
                    ran.errors.trim().replace('\n', "; ")
                ));
            }
        }
        let facts: Facts = serde_json::from_str(&ran.output)
            .map_err(|error| format!("its facts cannot be read, as of another version: {error}"))?;
        match facts.schema {
            SCHEMA => Ok(facts),
            theirs => Err(format!(
                "its facts have the schema {theirs}, and this fabricctl knows {SCHEMA}"
            )),
        }
    }

    fn run(&self, probe: &Probe) -> Result<Ran, String> {
        self.call(&probe.command(), probe.limit() + CONNECT)
    }

    fn facts_command(&self) -> Option<String> {
        let program = if self.entry.bring { "/tmp/tmp.*/fabricctl" } else { "fabricctl" };
        Some(self.there(&self.facts_words(program)))
    }

    fn command(&self, probe: &Probe) -> String {
        self.there(&probe.command())
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        if let Some(Ok(folder)) = self.brought.get() {
            // Also if somebody wants it to end.
            self.stop = Arc::default();
            let words = ["rm", "-r", folder].map(str::to_owned);
            let _ = self.send(&program::spelled(&words), None, CONNECT);
        }
        let ready = self.ready.get_mut().unwrap_or_else(PoisonError::into_inner);
        if matches!(ready, Connection::Ready) {
            let mut words = self.base();
            words.splice(1..1, ["-O".to_owned(), "exit".to_owned()]);
            // Else it ends by itself.
            let _ = program::run(&words, CONNECT, None, &AtomicBool::new(false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_over_there_is_one_word_for_ssh_and_runs_by_sudo_where_that_is_said() {
        let connections = Arc::new(Connections {
            folder: "/nowhere/of-mine".into(),
            config: Some("my config".into()),
        });
        let entry = DeviceEntry {
            ssh: Some("admin@leaf01".into()),
            sudo: true,
            bring: false,
            instance: Some("blue".into()),
        };
        let with = |entry, fabric_xdpd| {
            Ssh::new("leaf01", entry, fabric_xdpd, Arc::clone(&connections), Arc::default())
        };
        let ssh = with(entry, true);
        assert_eq!(
            ssh.base().join("|"),
            "ssh|-T|-F|my config|-o|BatchMode=yes|-o|ConnectTimeout=10|-o|ControlMaster=auto|-o|ControlPersist=60|-o|\
             ControlPath=/nowhere/of-mine/%C|-o|ClearAllForwardings=yes|-o|PermitLocalCommand=no|-o|RemoteCommand=none|--|\
             admin@leaf01"
        );
        let facts = ssh.facts_command();
        assert_eq!(facts.as_deref(), Some("sudo -n fabricctl facts --json --instance blue"));
        let run = ["vtysh", "-c", "show bgp summary json"].map(str::to_owned).to_vec();
        let probe = Probe::Command { on: "leaf01".into(), run, limit_ms: 1 };
        assert_eq!(ssh.command(&probe), "sudo -n vtysh -c 'show bgp summary json'");
        let without = with(DeviceEntry::default(), false).facts_command();
        assert_eq!(without.as_deref(), Some("fabricctl facts --json --no-fabric-xdpd"));
    }

    #[test]
    fn what_sudo_does_not_run_has_said_nothing() {
        let ran = |status, errors: &str| Ran {
            status: Some(status),
            errors: errors.into(),
            ..Ran::default()
        };
        let password = ran(1, "sudo: a password is required\n");
        assert_eq!(refused(&password), Some("sudo: a password is required"));
        assert!(
            refused(&ran(1, "Sorry, user ci is not allowed to execute 'ping' as root.\n"))
                .is_some()
        );
        assert_eq!(
            refused(&ran(1, "sudo: unable to resolve host leaf01: Name or service not known\n")),
            None
        );
        assert_eq!(
            refused(&ran(
                1,
                "sudo: unable to resolve host leaf01\nbash: connect: Connection refused\n"
            )),
            None
        );
        assert_eq!(refused(&ran(7, "sudo: \n")), None);
    }
}
