//! Small labs with names of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) use fabric_tests::fabric::PATIENCE;
use fabric_tests::fabric::until;
pub(crate) use fabric_tests::left::{processes, traces};
use fabric_user::lab::{Lab, LabError, Options, Topology};

/// Two spines, two leafs, four hosts.
pub(crate) fn one_site() -> Topology {
    topology("one-site")
}

/// Where the files of a topology are, without their extensions.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies").join(name)
}

/// The topology of a name.
pub(crate) fn topology(name: &str) -> Topology {
    Topology::load(&path(name)).expect("the topology is valid")
}

/// Options of a lab that no other test has.
pub(crate) fn options(test: &str) -> Options {
    Options { name: Some(format!("{test}-{}", std::process::id())), ..Options::default() }
}

/// A lab of this name goes when the test ends, however it ends.
pub(crate) struct Leftover(pub(crate) String);

impl Drop for Leftover {
    fn drop(&mut self) {
        let _ = Lab::take_down(&self.0, &mut |_| {});
    }
}

/// A lab that is up; it goes away when it is dropped, also when the test fails.
pub(crate) fn up(test: &str) -> Lab {
    up_from("one-site", test)
}

/// As [`up`], from another topology.
pub(crate) fn up_from(name: &str, test: &str) -> Lab {
    Lab::up(&topology(name), &options(test), &mut |_| {}).expect("the lab comes up")
}

/// A lab that is up and has converged.
pub(crate) fn converged(test: &str) -> Lab {
    let lab = up(test);
    lab.wait_converged(PATIENCE).expect("the lab converges");
    lab
}

/// Whether one ping gets an answer within a second.
pub(crate) fn pings(lab: &Lab, from: &str, address: &str) -> Result<String, LabError> {
    lab.exec(from, Command::new("ping").args(["-n", "-c", "1", "-W", "1", address]))
}

/// Waits until `condition` holds.
pub(crate) fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    until(PATIENCE, what, condition);
}
