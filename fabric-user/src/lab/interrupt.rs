//! Ctrl-C, SIGTERM and SIGHUP as a flag, so that whatever was half built can be taken down.

use std::{
    io, mem, ptr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering},
    },
};

/// A flag that is never set, for work that has to be done to its end.
pub(super) static NEVER: AtomicBool = AtomicBool::new(false);

/// Signals by which somebody wants a command to end.
const SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
static LAST: AtomicI32 = AtomicI32::new(0);
static LAST_WAS_TYPED: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A signal that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupt {
    /// Its number.
    pub signal: i32,
    /// Whether the terminal sent it, and so to every process in the foreground.
    pub is_typed: bool,
    /// How many have arrived, with this one.
    pub count: u32,
}

/// A flag that Ctrl-C, SIGTERM and SIGHUP set from now on, instead of ending the process; also when
/// a shell that runs this in the background has them ignored. There is one flag for the process.
///
/// # Errors
/// If the signals cannot be watched.
pub fn watch() -> io::Result<Arc<AtomicBool>> {
    let flag = Arc::clone(FLAG.get_or_init(Arc::default));
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = note;
    set_actions(handler as usize, libc::SA_SIGINFO | libc::SA_RESTART)?;
    Ok(flag)
}

/// Has these signals end the process at once from now on: for commands that change nothing.
///
/// # Errors
/// If the system refuses.
pub fn end_at_once() -> io::Result<()> {
    set_actions(libc::SIG_DFL, 0)
}

/// The signal that arrived last since [`watch`].
pub fn last() -> Option<Interrupt> {
    let count = COUNT.load(Ordering::Acquire);
    (count > 0).then(|| Interrupt {
        signal: LAST.load(Ordering::Relaxed),
        is_typed: LAST_WAS_TYPED.load(Ordering::Relaxed),
        count,
    })
}

extern "C" fn note(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the kernel gives a handler a pointer to a siginfo_t on its stack.
    let origin = unsafe { (*info).si_code };
    LAST.store(signal, Ordering::Relaxed);
    LAST_WAS_TYPED.store(origin == libc::SI_KERNEL, Ordering::Relaxed);
    COUNT.fetch_add(1, Ordering::Release);
    if let Some(flag) = FLAG.get() {
        flag.store(true, Ordering::Relaxed);
    }
}

fn set_actions(action: usize, flags: libc::c_int) -> io::Result<()> {
    for signal in SIGNALS {
        // SAFETY: sigaction is plain data for which all zero bytes are a value.
        let (mut new, mut old): (libc::sigaction, libc::sigaction) = unsafe { mem::zeroed() };
        // SAFETY: both pointers are valid; without a new action only the present one is read.
        check(unsafe { libc::sigaction(signal, ptr::null(), &raw mut old) })?;
        // `nohup` wants a command to outlive its terminal.
        if signal == libc::SIGHUP && old.sa_sigaction == libc::SIG_IGN {
            continue;
        }
        new.sa_sigaction = action;
        new.sa_flags = flags;
        // SAFETY: the action is SIG_DFL, or a handler that does nothing but atomic stores.
        check(unsafe { libc::sigaction(signal, &raw const new, ptr::null_mut()) })?;
    }
    Ok(())
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
