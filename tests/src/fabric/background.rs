//! What runs in a node meanwhile.

use std::{
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::Fabric;

/// A shell and what it has started; they end when this is dropped.
#[derive(Debug)]
pub struct Background(Child);

impl Fabric {
    /// Has a shell of a node run a line.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn background(&self, node: &str, line: &str) -> Background {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).process_group(0);
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Background(self.lab().spawn(node, &mut shell).expect("a shell can be started"))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // What has ended by itself is as good as what is ended here.
        let _ended = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _status = self.0.wait();
    }
}
