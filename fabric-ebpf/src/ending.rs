//! Where a packet's journey ends before its last stage.

use core::{arch::asm, hint::cold_path};

use fabric_common::reason::{REASONS, Reason};

/// Ends the journey.
///
/// In a block of its own, for which the empty instruction stands: the compiler would otherwise load the
/// number of every reason that a packet might end for before it knows.
#[inline(always)]
pub fn stop<T>(reason: Reason) -> Result<T, Reason> {
    cold_path();
    // SAFETY: no instruction at all.
    unsafe { asm!("", options(nomem, nostack)) };
    Err(reason)
}

/// The reason whose number a global function has returned, which to the verifier may be anything.
#[inline(always)]
pub fn reason_of(number: u32) -> Reason {
    let mut number = u64::from(number);
    // SAFETY: one register.
    unsafe {
        asm!("{0} &= {1}", inout(reg) number, const REASONS - 1, options(pure, nomem, nostack))
    };
    // SAFETY: the number of a reason, which the function has returned.
    unsafe { core::mem::transmute::<u8, Reason>(number as u8) }
}

/// Ends the journey where something is missing.
pub trait OrStop<T> {
    fn or_stop(self, reason: Reason) -> Result<T, Reason>;
}

impl<T> OrStop<T> for Option<T> {
    #[inline(always)]
    fn or_stop(self, reason: Reason) -> Result<T, Reason> {
        match self {
            Some(value) => Ok(value),
            None => stop(reason),
        }
    }
}
