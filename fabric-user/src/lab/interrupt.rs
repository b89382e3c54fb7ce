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
        let old = exchange(signal, None)?;
        // `nohup` wants a command to outlive its terminal.
        if signal == libc::SIGHUP && old.sa_sigaction == libc::SIG_IGN {
            continue;
        }
        exchange(signal, Some(libc::sigaction { sa_sigaction: action, sa_flags: flags, ..old }))?;
    }
    Ok(())
}

/// The present action of a signal, and another one in its place, which is `SIG_DFL`, or a handler that does
/// nothing but atomic stores.
fn exchange(signal: libc::c_int, new: Option<libc::sigaction>) -> io::Result<libc::sigaction> {
    let new = new.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: sigaction is plain data for which all zero bytes are a value, and both pointers are valid, or
    // null for no new action.
    unsafe {
        let mut old: libc::sigaction = mem::zeroed();
        check(libc::sigaction(signal, new, &raw mut old)).map(|()| old)
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
