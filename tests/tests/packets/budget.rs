//! How long the programs are, for the verifier and for the processor.
//!
//! The bounds are far enough above what is there that a new feature fits, and low enough that a
//! change which the verifier takes many ways through is noticed here and not on an older kernel.

use fabric_tests::loaded;
use fabric_user::kernel::programs::{ACCESS, ROUTED};

/// The kernel gives up at a million.
const VERIFIED: u32 = 200_000;
/// Instructions of the programs that every packet runs through, and of the functions that some packets run through
/// beside: a third of them for VLANs with their tags inside a tunnel.
const TRANSLATED: u32 = 24_000;

#[test]
fn the_verifier_is_far_from_giving_up() {
    for program in loaded::all().expect("the programs load") {
        let verified = program.verified;
        assert!(
            (1..=VERIFIED).contains(&verified),
            "{}: the verifier followed {verified} instructions",
            program.name
        );
    }
}

#[test]
fn the_programs_of_the_packet_path_stay_short() {
    let programs = loaded::all().expect("the programs load");
    for name in [ACCESS, ROUTED] {
        let program = programs.iter().find(|program| program.name == name).expect("it is there");
        assert!(
            (1..=TRANSLATED).contains(&program.translated),
            "{name} has {} instructions",
            program.translated
        );
    }
}
