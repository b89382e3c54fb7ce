//! fabric-xdpd and fabricctl as programs: those of the lab, and others with flags of their own.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use fabric_user::{
    daemon::{Request, Response, ask, state::State},
    lab::process::Process,
};
use rustix::process::Signal;

use super::{Fabric, PATIENCE, until};

fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this program has a path");
    // target/PROFILE/deps/TEST: programs are in target/PROFILE.
    let path = test.parent().and_then(Path::parent).map(|folder| folder.join(name));
    let path = path.expect("cargo keeps tests in a folder of the target folder");
    assert!(path.is_file(), "{} is missing; run `cargo build` first", path.display());
    static NEWER: OnceLock<Option<PathBuf>> = OnceLock::new();
    if let Some(source) = NEWER.get_or_init(|| newer_source(&path, &test)) {
        panic!(
            "{} is older than {}, of which this test has been built; run `cargo build` first",
            path.display(),
            source.display()
        );
    }
    path
}

/// A source of `program` that was changed since, and before `test` was built: cargo builds no programs for
/// the tests of another package.
fn newer_source(program: &Path, test: &Path) -> Option<PathBuf> {
    let changed = |path: &Path| fs::metadata(path).ok()?.modified().ok();
    let (built, tested) = (changed(program)?, changed(test)?);
    // Cargo's list of the sources, in the form of a makefile.
    let list = fs::read_to_string(program.with_extension("d")).ok()?;
    let (_, sources) = list.split_once(": ")?;
    let mut sources = sources.split_whitespace().map(PathBuf::from);
    sources.find(|source| changed(source).is_some_and(|at| built < at && at < tested))
}

/// The fabric-xdpd of [`use_fabric_xdpd`].
static GIVEN: OnceLock<PathBuf> = OnceLock::new();

/// Has all labs and routers of this process run another fabric-xdpd than that of this build: a
/// benchmark measures an optimized one. Only the first call counts.
pub fn use_fabric_xdpd(path: PathBuf) {
    let _first = GIVEN.set(path);
}

/// fabric-xdpd of this build, unless [`use_fabric_xdpd`] has named another one.
#[must_use]
pub fn fabric_xdpd() -> PathBuf {
    GIVEN.get().cloned().unwrap_or_else(|| program("fabric-xdpd"))
}

/// fabricctl of this build.
#[must_use]
pub fn fabricctl() -> PathBuf {
    program("fabricctl")
}

/// A folder of this name for one test, which everybody may read, empty at first.
#[must_use]
pub fn own_folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fabric-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

/// Runs a program that should refuse its work at once: what it printed to standard error.
///
/// # Panics
/// If it does not end with a failure.
pub fn refused(child: std::process::Child) -> String {
    let process = Process::of(child.id().cast_signed());
    let ended = std::thread::spawn(move || child.wait_with_output());
    if let Some(process) = process {
        let start = std::time::Instant::now();
        while process.is_alive() {
            if start.elapsed() > PATIENCE {
                process.signal(Signal::KILL);
                panic!("the program goes on instead of refusing");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let output = ended.join().expect("no panic").expect("its output can be read");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "the program succeeds and says {text:?}");
    text
}

impl Fabric {
    /// The state file of fabric-xdpd on a leaf.
    #[must_use]
    pub fn state(&self, leaf: &str) -> State {
        State::read(&self.run_file(leaf, "json"))
            .expect("the state file can be read")
            .unwrap_or_default()
    }

    /// A file of the instance in the run folder.
    #[must_use]
    pub fn run_file(&self, leaf: &str, extension: &str) -> PathBuf {
        let instance = self.lab().instance(leaf);
        let settings = fabric_user::settings::Settings { instance, ..Default::default() };
        settings.run_file(extension)
    }

    /// fabric-xdpd on a leaf, as its state file names it.
    #[must_use]
    pub fn daemon(&self, leaf: &str) -> Process {
        let pid = self.state(leaf).pid;
        Process::of(pid.cast_signed()).expect("fabric-xdpd runs")
    }

    /// Ends fabric-xdpd on a leaf with a signal and waits until it is gone.
    pub fn end_daemon(&self, leaf: &str, signal: Signal) {
        self.daemon(leaf).stop(signal);
    }

    /// Starts a fabric-xdpd on a leaf, with flags of its own.
    pub fn spawn_daemon(&self, leaf: &str, flags: &[&str], errors: Stdio) -> std::process::Child {
        let mut command = Command::new(fabric_xdpd());
        command.args(["--instance", &self.lab().instance(leaf)]).args(flags);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).process_group(0);
        self.lab().spawn(leaf, &mut command).expect("fabric-xdpd can be started")
    }

    /// Starts a fabric-xdpd on a leaf, with flags of its own, and waits until it is in sync. It ends
    /// with the lab.
    pub fn start_daemon(&self, leaf: &str, flags: &[&str]) -> Process {
        let path = self.file(&format!("{leaf}.test.log"));
        let log = File::create(&path).expect("the lab's folder can be written");
        let mut child = self.spawn_daemon(leaf, flags, log.into());
        let process = Process::of(child.id().cast_signed()).expect("fabric-xdpd runs");
        // However it ends, it leaves no zombie.
        std::thread::spawn(move || child.wait());
        until(PATIENCE, "fabric-xdpd is in sync", || {
            let state = self.state(leaf);
            let words = || fs::read_to_string(&path).unwrap_or_default();
            assert!(process.is_alive(), "fabric-xdpd ended: {}", words());
            state.pid == process.pid.cast_unsigned() && state.synced
        });
        process
    }

    /// Asks fabric-xdpd on a leaf for something that it has to refuse; what it says.
    pub fn ask_in_vain(&self, leaf: &str, request: &Request) -> String {
        match ask(&self.run_file(leaf, "sock"), request) {
            Ok(Some(Response::Failed(text))) => text,
            other => panic!("fabric-xdpd answers {other:?}"),
        }
    }

    /// Asks fabric-xdpd on a leaf for something.
    pub fn ask(&self, leaf: &str, request: &Request) -> String {
        match ask(&self.run_file(leaf, "sock"), request) {
            Ok(Some(Response::Done(text))) => text,
            other => panic!("fabric-xdpd answers {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_old_if_a_source_changed_before_the_test_was_built_and_not_after() {
        let folder = own_folder("newer-source");
        let file = |name: &str, second: u64| {
            let path = folder.join(name);
            let file = File::create(&path).expect("the folder can be written");
            let time = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            file.set_modified(time).expect("it is ours");
            path
        };
        let [old, new] = [file("old.rs", 10), file("new.rs", 30)];
        let list =
            format!("{}/fabric-xdpd: {} {}\n", folder.display(), old.display(), new.display());
        fs::write(folder.join("fabric-xdpd.d"), list).expect("the folder can be written");
        let judged = [(20, 40), (20, 25), (35, 40)].map(|(built, tested)| {
            newer_source(&file("fabric-xdpd", built), &file("test", tested))
        });
        fs::remove_dir_all(&folder).expect("it is ours");
        assert_eq!(judged, [Some(new), None, None]);
    }
}
