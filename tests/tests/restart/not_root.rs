//! fabric-xdpd without the rights that it needs.
//!
//! - Run by an ordinary user, it ends at once with one sentence that says what is missing.
//!
//! ```text
//!  nobody$ fabric-xdpd
//!  fabric-xdpd has to run as root …
//! ```

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use fabric_tests::fabric::{fabric_xdpd, own_folder, refused};

#[test]
fn fabric_xdpd_that_is_not_run_by_root_says_so() {
    // The build folder may be where only its owner can read.
    let folder = own_folder("not-root");
    let program = folder.join("fabric-xdpd");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("it is ours");
    // By another process: a child that another test starts meanwhile would have the file open for writing until it
    // runs its program, and so long the kernel executes the file for nobody (ETXTBSY).
    let mut copy = Command::new("install");
    let copied = copy.args(["-m", "755"]).arg(fabric_xdpd()).arg(&program).status();
    assert!(copied.expect("coreutils are installed").success(), "fabric-xdpd can be copied");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]).arg(&program);
    command.args(["--instance", "not-root", "--run-folder"]).arg(folder.join("run"));
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let said = refused(child.expect("setpriv is installed"));
    fs::remove_dir_all(&folder).expect("it is ours");
    assert!(said.contains("fabric-xdpd has to run as root"), "{said:?}");
    assert_eq!(said.trim().lines().count(), 1, "{said:?}");
}
