//! The likely cause, by which of FRR, the kernel and the maps differs, and the next command.

use crate::check::{
    finding::{Finding, Judged},
    sides::Sides,
};

/// Passes if all say what they should. Otherwise `of_frr` is the likely cause and the next command if FRR differs;
/// what follows is not its fault.
pub(crate) fn judge(
    sides: &Sides,
    node: &str,
    of_frr: impl FnOnce() -> (String, String),
) -> Judged {
    let Some(actual) = sides.difference() else { return Ok(sides.expected()) };
    let differing = sides.differing();
    let (likely, next) = if differing.contains(&"FRR") {
        of_frr()
    } else if differing.contains(&"kernel") {
        (
            "somebody has changed what zebra has written, or the kernel refused it".into(),
            format!("on {node}: fabricctl verify"),
        )
    } else {
        (
            "fabric-xdpd has not followed the kernel, or somebody has written into its maps".into(),
            format!("on {node}: fabricctl verify --repair"),
        )
    };
    Err(Finding::new(sides.expected(), actual, likely, next).into())
}

/// The same without FRR, as where entries are written by hand.
pub(crate) fn judge_plain(sides: &Sides, node: &str, likely: &str) -> Judged {
    let Some(actual) = sides.difference() else { return Ok(sides.expected()) };
    let (likely, next) = match sides.differing().contains(&"kernel") {
        true => (likely.to_owned(), format!("on {node}: bridge fdb show; ip route show")),
        false => (
            "fabric-xdpd has not followed the kernel, or somebody has written into its maps".into(),
            format!("on {node}: fabricctl verify --repair"),
        ),
    };
    Err(Finding::new(sides.expected(), actual, likely, next).into())
}
