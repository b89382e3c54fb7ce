//! Ctrl-C and SIGTERM as a flag, so that whatever was half built can be taken down.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::signal::unix::{SignalKind, signal};

/// A flag that Ctrl-C and SIGTERM set from now on, instead of ending the process.
///
/// # Errors
/// If the signals cannot be watched.
pub fn watch() -> io::Result<Arc<AtomicBool>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let flag = Arc::new(AtomicBool::new(false));
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let set = Arc::clone(&flag);
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                set.store(true, Ordering::Relaxed);
            }
        });
    });
    Ok(flag)
}
