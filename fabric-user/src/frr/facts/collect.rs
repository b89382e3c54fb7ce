//! Asking the daemons for their tables.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::{
    Frr, FrrError, answer, bfd, duplicates, mac, neighbour, route, router, segment, session,
    version, vni, vrf,
};
use crate::frr::vty::{Vty, VtyError, Wait};

/// What FRR knows whose sockets lie in `folder`: `/run/frr`, or `/run/frr/NAME` for daemons started with `-N NAME`.
/// Nothing if there is no zebra.
///
/// `patience` is how long one answer may take; a daemon that is stuck is found by the first. A bgpd or bfdd that does
/// not run or does not answer leaves its tables empty and is named in [`Frr::missing`].
///
/// # Errors
/// If zebra has a socket there and takes no calls, or gives no answer, or one that cannot be read.
pub fn collect(folder: &Path, patience: Duration) -> Result<Option<Frr>, FrrError> {
    let Some(mut zebra) = Daemon::call(folder, "zebra", patience)? else {
        return Ok(None);
    };
    let mut frr = zebra_facts(&mut zebra)?;
    let sessions = ask_one(folder, "bgpd", patience, session::COMMAND, session::read);
    frr.sessions = known(&mut frr, "bgpd", sessions);
    let peers = ask_one(folder, "bfdd", patience, bfd::COMMAND, bfd::read);
    frr.bfd = known(&mut frr, "bfdd", peers);
    Ok(Some(frr))
}

/// The tables of zebra.
fn zebra_facts(zebra: &mut Daemon) -> Result<Frr, FrrError> {
    let mut vnis = zebra.read(vni::COMMAND, vni::read)?;
    if vni::lacks_flood(&vnis) {
        vni::flood(&zebra.ask(vni::IN_WORDS)?, &mut vnis);
    }
    let macs = zebra.read(mac::COMMAND, mac::read)?;
    let neighbours = zebra.read(neighbour::COMMAND, neighbour::read)?;
    let routers = router::joined(
        zebra.read(router::MACS, router::macs)?,
        zebra.read(router::HOPS, router::hops)?,
    );
    let segments = segment::joined(
        zebra.read(segment::COMMAND, segment::read)?,
        zebra.read(segment::NETWORKS, segment::networks)?,
    );
    let mut routes = Vec::new();
    for command in route::COMMANDS {
        routes.append(&mut zebra.read(command, route::read)?);
    }
    Ok(Frr {
        version: version::read(&zebra.ask(version::COMMAND)?),
        vnis,
        macs,
        neighbours,
        routers,
        vrfs: zebra.read(vrf::COMMAND, vrf::read)?,
        segments,
        duplicates: zebra.read(duplicates::COMMAND, duplicates::read)?,
        routes,
        ..Frr::default()
    })
}

/// The only table of a daemon; nothing if it does not run.
fn ask_one<T>(
    folder: &Path,
    name: &'static str,
    patience: Duration,
    command: &'static str,
    read: impl FnOnce(&str) -> serde_json::Result<T>,
) -> Result<Option<T>, FrrError> {
    match Daemon::call(folder, name, patience)? {
        Some(mut daemon) => daemon.read(command, read).map(Some),
        None => Ok(None),
    }
}

/// The table, or an empty one whose daemon is missing.
fn known<T: Default>(frr: &mut Frr, name: &'static str, table: Result<Option<T>, FrrError>) -> T {
    let why = match table {
        Ok(Some(table)) => return table,
        Ok(None) => format!("{name} of FRR does not run"),
        Err(error) => error.to_string(),
    };
    frr.missing.insert(name.to_owned(), why);
    T::default()
}

/// Nobody stops [`collect`]: it ends by its patience.
static NEVER: AtomicBool = AtomicBool::new(false);

/// A daemon at the other end of a connection.
struct Daemon {
    name: &'static str,
    vty: Vty,
    patience: Duration,
}

impl Daemon {
    /// Calls a daemon; nothing if it has no socket in the folder.
    fn call(
        folder: &Path,
        name: &'static str,
        patience: Duration,
    ) -> Result<Option<Self>, FrrError> {
        let path = folder.join(name).with_extension("vty");
        match Vty::connect(&path, wait(patience)) {
            Ok(vty) => Ok(Some(Self { name, vty, patience })),
            Err(VtyError::Socket(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(VtyError::Socket(error)) if error.kind() == ErrorKind::ConnectionRefused => {
                Err(FrrError::Ended { daemon: name, path })
            }
            Err(source) => Err(FrrError::Deaf { daemon: name, path, source }),
        }
    }

    /// The answer as text.
    fn ask(&mut self, command: &'static str) -> Result<String, FrrError> {
        let said = self.vty.ask(command, wait(self.patience));
        said.map_err(|source| FrrError::Silent { daemon: self.name, command, source })
    }

    /// The answer as what it says.
    fn read<T>(
        &mut self,
        command: &'static str,
        read: impl FnOnce(&str) -> serde_json::Result<T>,
    ) -> Result<T, FrrError> {
        let text = self.ask(command)?;
        read(&text).map_err(|error| FrrError::Nonsense {
            daemon: self.name,
            command,
            near: answer::near(&text, &error),
            message: error.to_string(),
        })
    }
}

fn wait(patience: Duration) -> Wait<'static> {
    Wait::until(Instant::now() + patience, &NEVER)
}
