//! Maps that nobody finds: pinned only while they are opened.

use std::{
    process,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::Result;
use fabric_user::kernel::pins::Instance;

/// Opens something on an instance of its own, whose pins are removed at once: not even a killed test
/// leaves any.
///
/// # Errors
/// What `open` says.
pub(crate) fn open<T>(open: impl FnOnce(&Instance) -> Result<T>) -> Result<T> {
    static OPENING: Mutex<()> = Mutex::new(());
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    // Instances share their parent folder, which the last one to go takes along.
    let _one_at_a_time = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let pins = Pins(Instance::new(&format!("test-{}-{number}", process::id()))?);
    open(&pins.0)
}

struct Pins(Instance);

impl Drop for Pins {
    fn drop(&mut self) {
        if let Err(error) = self.0.remove() {
            eprintln!("the pins of {} stay: {error}", self.0.name());
        }
    }
}
