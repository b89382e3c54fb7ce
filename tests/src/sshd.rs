//! A real sshd for every node of a lab: `ssh` starts one in the node's namespace and talks to it over its standard input
//! and output (`ProxyCommand`), so that no port is opened and nothing goes on when it ends.
//!
//! Sessions find programs in a folder of this value first ([`Sshd::has`]), then what was built, then those of the machine.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::fabric::{fabricctl, own_folder};

/// The folder of programs that tests give to nodes.
const PROGRAMS: &str = "programs";
/// The folder with a file for each node without what was built.
const BARE: &str = "bare";

/// Configurations and keys. They go with this value.
#[derive(Debug)]
pub struct Sshd {
    folder: PathBuf,
}

/// Whether there is a client: the tree of Debian 13 has none.
#[must_use]
pub fn is_there() -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join("ssh").is_file())
}

/// Below which folder it is: that of the machine, if it has one, or where `cargo xtask setup` has unpacked it.
///
/// # Panics
/// If there is none.
fn server() -> PathBuf {
    if Path::new("/usr/sbin/sshd").is_file() {
        return "/".into();
    }
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|it| it.join(".cache")));
    let folder = cache.expect("there is a cache folder").join("fabric/openssh");
    assert!(folder.join("usr/sbin/sshd").is_file(), "sshd is missing; run `cargo xtask setup`");
    folder
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("it can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

impl Sshd {
    /// Makes ready what is needed for the nodes of a lab.
    ///
    /// # Panics
    /// If keys cannot be made.
    #[must_use]
    pub fn of(lab: &str) -> Self {
        let this = Self { folder: own_folder(&format!("sshd-{lab}")) };
        let folder = this.folder.display().to_string();
        for key in ["host", "user"] {
            let path = this.folder.join(key);
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path);
            assert!(command.status().expect("ssh-keygen can be run").success());
        }
        let server = server();
        let programs = fabricctl().parent().expect("it lies in a folder").display().to_string();
        // Newer ones are two programs, of which the first looks for the second where its package would have it.
        let session = server.join("usr/lib/openssh/sshd-session");
        let root = server.display().to_string();
        let root = root.trim_end_matches('/');
        let session = match session.is_file() {
            true => format!("SshdSessionPath {}\n", session.display()),
            false => String::new(),
        };
        for folder in [PROGRAMS, BARE] {
            fs::create_dir_all(this.folder.join(folder)).expect("it is ours");
        }
        for (name, built) in
            [("sshd_config", format!(":{programs}")), ("sshd_config.bare", String::new())]
        {
            write(
                &this.folder.join(name),
                &format!(
                    "HostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\nStrictModes no\nUsePAM no\n\
                     PasswordAuthentication no\nPermitRootLogin prohibit-password\nLogLevel ERROR\n{session}\
                     SetEnv PATH={folder}/{PROGRAMS}{built}:/usr/sbin:/usr/bin:/sbin:/bin\n"
                ),
                0o600,
            );
        }
        // The user for its privilege separation comes with the package, which is not installed.
        let users = fs::read_to_string("/etc/passwd").expect("there are users");
        let user = "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n";
        let user = if users.contains("\nsshd:") { "" } else { user };
        write(&this.folder.join("passwd"), &format!("{users}{user}"), 0o644);
        let inside = format!(
            "mount --bind {folder}/passwd /etc/passwd && mkdir -p /run/sshd && \
             LD_LIBRARY_PATH={root}/usr/lib/x86_64-linux-gnu exec {root}/usr/sbin/sshd -i -f {folder}/sshd_config$bare"
        );
        write(
            &this.folder.join("proxy"),
            &format!(
                "#!/bin/sh\necho \"$1\" >>{folder}/connections\n[ -e {folder}/{BARE}/$1 ] && export bare=.bare\nexec nsenter --net=/run/netns/fab-{lab}-$1 unshare --mount sh -c '{inside}'\n"
            ),
            0o700,
        );
        write(
            &this.config(),
            &format!(
                "Host *\n  User root\n  IdentityFile {folder}/user\n  IdentitiesOnly yes\n  LogLevel ERROR\n  \
                 StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  ProxyCommand {folder}/proxy %n\n"
            ),
            0o600,
        );
        this
    }

    /// The configuration of `ssh`, in which nodes have their names.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("ssh_config")
    }

    /// The nodes to which connections were made since it was asked last, one for each.
    #[must_use]
    pub fn connections(&self) -> Vec<String> {
        let path = self.folder.join("connections");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Gives all nodes a program: a script.
    ///
    /// # Panics
    /// If it cannot be written; so do the others.
    pub fn has(&self, program: &str, script: &str) {
        write(&self.folder.join(PROGRAMS).join(program), script, 0o755);
    }

    /// Takes what was built away from a node.
    pub fn lacks_fabric(&self, node: &str) {
        write(&self.folder.join(BARE).join(node), "", 0o600);
    }

    /// Where a test can have more files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
