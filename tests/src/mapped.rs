//! Maps of instances in this process's memory, as long as they are the same ones.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs, io,
    os::unix::fs::DirEntryExt as _,
    sync::{Arc, Mutex, PoisonError},
};

use fabric_user::kernel::{maps::Maps, pins::Instance};

/// The inode of each pin, by its name: one of its own for whatever is pinned anew.
type Pins = BTreeMap<OsString, u64>;

/// The maps that were asked for. Tests ask again and again until something is so, and the kernel fills in each
/// page of a mapping of some 80 megabytes when it is made.
#[derive(Default)]
pub(crate) struct Mapped(Mutex<BTreeMap<String, (Pins, Arc<Maps>)>>);

impl fmt::Debug for Mapped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Mapped").finish_non_exhaustive()
    }
}

impl Mapped {
    /// The maps that an instance has now, to look at and change.
    ///
    /// # Panics
    /// If there is no such instance.
    #[must_use]
    pub(crate) fn of(&self, instance: &Instance) -> Arc<Maps> {
        let pins = pins(instance).expect("fabric-xdpd has pinned its maps");
        let mut mapped = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, maps)) = mapped.get(instance.name())
            && *then == pins
        {
            return Arc::clone(maps);
        }
        let maps = Maps::open(instance, true).expect("fabric-xdpd has pinned its maps");
        let maps = Arc::new(maps);
        mapped.insert(instance.name().into(), (pins, Arc::clone(&maps)));
        maps
    }
}

fn pins(instance: &Instance) -> io::Result<Pins> {
    fs::read_dir(instance.maps())?
        .map(|entry| entry.map(|entry| (entry.file_name(), entry.ino())))
        .collect()
}
