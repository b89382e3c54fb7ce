//! Asks the box.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;

use super::{
    Fabric, Facts, Offload, Room, SCHEMA, arrived, carrier, counted::Counted, held::Held, offload,
};
use crate::{
    cli::{
        FILLED, contents::Contents, counters::sums::Sums, fill, instance::Chosen,
        interfaces::Interfaces, namespace, view::View,
    },
    daemon::premises::Premises,
    frr::{self, facts::Frr},
    kernel::maps::Maps,
    lab::process,
    observe::{Asker, Event, Scope},
};

/// How long FRR may take for an answer. A table of a million routes takes seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where FRR's sockets are.
const SOCKETS: &str = "/run/frr";

/// The folder of the FRR of a namespace, which has a name: that of its name, as `-N NAME` makes it. The FRR without one
/// is that of the machine.
fn folder_of(namespace: Option<&str>) -> PathBuf {
    namespace.map_or_else(|| PathBuf::from(SOCKETS), |name| Path::new(SOCKETS).join(name))
}

/// FRR's tables; where they are not known, why is among what is `missing`.
fn frr_of(
    namespace: Option<&str>,
    sockets: Option<&Path>,
    missing: &mut Vec<String>,
) -> Option<Frr> {
    if sockets.is_none() && namespace.is_some_and(|name| name.contains('/')) {
        missing.push(
            "FRR is not asked: the network namespace has no name, and which FRR is its own is not known; \
             say so by --frr FOLDER"
                .into(),
        );
        return None;
    }
    let folder = sockets.map_or_else(|| folder_of(namespace), Path::to_owned);
    match frr::facts::collect(&folder, PATIENCE) {
        Ok(None) if sockets.is_some() => {
            missing.push(format!("there is no zebra of FRR at {}", folder.display()));
            None
        }
        Ok(frr) => frr,
        Err(error) => {
            missing.push(crate::daemon::sentence(&error.into()));
            None
        }
    }
}

/// Asks whoever is there; FRR by the sockets in a folder, which is found by itself if none is given, and not where its
/// tables are `known`: a hundred thousand routes take it seconds. Of an instance without maps there is what the kernel says
/// in the present namespace, and so there is where no instance is expected.
///
/// # Errors
/// If the kernel cannot be asked.
pub(crate) fn collect(
    chosen: Option<&Chosen>,
    sockets: Option<&Path>,
    known: Option<Frr>,
) -> anyhow::Result<Facts> {
    let mut missing = Vec::new();
    let maps = chosen.and_then(|chosen| {
        let maps = chosen.maps(false).map_err(|error| missing.push(format!("{error:#}"))).ok();
        maps.map(|maps| (chosen, maps))
    });
    let contents = maps.as_ref().map(|(_, maps)| Contents::read(maps));
    let place = match (&maps, &contents) {
        (Some((chosen, _)), Some(contents)) => namespace::find(chosen.daemon(), &contents.ports)?,
        _ => None,
    };
    let Kernel { network, interfaces, offloads, carrier_losses } = match &place {
        Some(path) => namespace::within(path, Kernel::ask)??,
        None => Kernel::ask()?,
    };
    // At one time with the kernel's tables: FRR may take long to answer.
    let fabric = match (maps, contents) {
        (Some((chosen, maps)), Some(contents)) => {
            let view = View::new(contents, interfaces);
            Some(fabric(chosen, &maps, view, place.as_deref(), &mut missing)?)
        }
        _ => None,
    };
    let namespace = place.as_deref().map(namespace::name).or_else(namespace::own_name);
    let frr = known.or_else(|| frr_of(namespace.as_deref(), sockets, &mut missing));
    let name = rustix::system::uname();
    Ok(Facts {
        schema: SCHEMA,
        taken_ms: now_ms()?,
        host: name.nodename().to_string_lossy().into_owned(),
        namespace,
        kernel: name.release().to_string_lossy().into_owned(),
        version: env!("CARGO_PKG_VERSION").into(),
        network,
        offloads,
        carrier_losses,
        frr,
        fabric,
        missing,
    })
}

/// What the kernel says.
struct Kernel {
    network: Vec<Event>,
    interfaces: Interfaces,
    offloads: BTreeMap<String, Vec<Offload>>,
    carrier_losses: BTreeMap<String, u32>,
}

impl Kernel {
    /// Asks in the present network namespace.
    fn ask() -> anyhow::Result<Self> {
        let network = Asker::open()?.dump(Scope::All)?.events;
        let offloads = offload::of(&network).context("ethtool cannot ask the kernel")?;
        let carrier_losses = carrier::losses().context("cannot list how interfaces have been")?;
        Ok(Self { network, interfaces: Interfaces::list()?, offloads, carrier_losses })
    }
}

/// `place` is the network namespace of the ports, if it is another one.
fn fabric(
    chosen: &Chosen,
    maps: &Maps,
    view: View,
    place: Option<&Path>,
    missing: &mut Vec<String>,
) -> anyhow::Result<Fabric> {
    let premises = Premises::read(&chosen.run_file("premises.json")).unwrap_or_else(|error| {
        missing.push(error.to_string());
        None
    });
    let drivers = || -> anyhow::Result<arrived::All> {
        let asked = match place {
            Some(path) => namespace::within(path, arrived::ask)?,
            None => arrived::ask(),
        };
        asked.context("cannot list what interfaces have received")
    };
    let (start, before) = (now_ms()?, drivers()?);
    let sums = Sums::read(maps, &view.contents)?;
    let (after, end) = (drivers()?, now_ms()?);
    let daemon = chosen.daemon();
    let room = FILLED.into_iter().map(|map| {
        let (name, used, entries) = fill(map, maps, &view);
        (name.to_owned(), Room { used, entries })
    });
    let room = room.collect();
    Ok(Fabric {
        room,
        instance: chosen.name().into(),
        daemon,
        running_ms: daemon.and_then(process::age).map(|age| age.as_millis() as u64),
        suspended: daemon.is_some_and(process::is_suspended),
        state: chosen.state(),
        premises,
        heartbeat_ms: view.heartbeat_ms(),
        bypass: view.contents.settings.bypass != 0,
        hz: view.contents.settings.hz,
        held: Held::read(&view, maps),
        counted: Counted { read_ms: [start, end], ..Counted::of(&view, &sums) },
        arrived: arrived::joined(&before, &after),
    })
}

/// Milliseconds since 1970.
fn now_ms() -> anyhow::Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(now.as_millis() as u64)
}
