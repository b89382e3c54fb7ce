//! One virtual machine: what runs in it, how its results come back, and that it ends.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    process,
    setup::{Kernel, debian13_tree, emulator_folder},
    workspace,
};

/// Kernel modules that the tests need and that nothing may load by itself.
const MODULES: [&str; 8] =
    ["8021q", "bonding", "bridge", "dummy", "macvlan", "veth", "vrf", "vxlan"];

/// Where the guest sees the folder that it shares with us.
const SHARED: &str = "/mnt";

/// Folders of programs and of what they load. Not `/usr` as a whole, below which virtme-ng mounts modules.
const PROGRAMS: [&str; 4] = ["/usr/bin", "/usr/sbin", "/usr/lib/frr", "/usr/lib/x86_64-linux-gnu"];

/// What the emulator is told besides what virtme-ng tells it.
///
/// - This machine's files once more, see [`script`].
/// - A processor that does not call its string instructions fast (`erms`): the kernel and the C library would copy
///   and clear by those, which are emulated byte by byte.
const EMULATOR: &str = "-fsdev local,id=programs,path=/,security_model=none,readonly=on,multidevs=remap \
    -device virtio-9p-pci,fsdev=programs,mount_tag=programs -cpu max,-erms";

/// How often the guest's output is looked at.
const POLL: Duration = Duration::from_millis(100);

/// One command in the guest.
pub(crate) struct Job {
    /// What it is called in messages.
    pub(crate) name: String,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
}

/// What the jobs in one guest came to.
pub(crate) struct Outcome {
    /// What all jobs printed.
    pub(crate) output: String,
    /// The names of the jobs that did not succeed.
    pub(crate) failed: Vec<String>,
}

/// The folder that a machine with `kernel` shares with us, which each boot empties before.
///
/// # Errors
/// If cargo cannot read the workspace.
pub(crate) fn shared_folder(kernel: Kernel) -> Result<PathBuf> {
    Ok(workspace::target_folder()?.join("vm").join(kernel.name()))
}

/// Where a job writes the file `name` of that folder to.
pub(crate) fn in_guest(name: &str) -> PathBuf {
    Path::new(SHARED).join(name)
}

/// Boots `kernel`, runs `jobs` one after the other, printing what they print with `mark` in front of each
/// line, and stops it.
///
/// The guest has root's rights on its own kernel, and sees this machine's files read-only.
///
/// # Errors
/// If the guest does not boot, or has not run all jobs after `limit`.
pub(crate) fn boot(kernel: Kernel, jobs: &[Job], limit: Duration, mark: &str) -> Result<Outcome> {
    let folder = shared_folder(kernel)?;
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let mut programs: Vec<_> = PROGRAMS.map(PathBuf::from).into();
    programs.push(workspace::target_folder()?);
    // Without it those jobs fail that need it.
    programs.extend(debian13_tree());
    programs.retain(|folder| folder.is_dir());
    fs::write(folder.join("run"), script(&programs, jobs))?;
    let mut output = Follower::new(&folder.join("output"), mark)?;
    let console = folder.join("console.log");

    let deadline = Instant::now() + limit;
    let mut machine = Machine::start(kernel, &folder, &console)?;
    let in_time = loop {
        output.print_new()?;
        if machine.has_stopped()? {
            break true;
        }
        if Instant::now() >= deadline {
            break false;
        }
        thread::sleep(POLL);
    };
    drop(machine);
    output.print_new()?;
    output.print_rest();

    let status = |index: usize| fs::read_to_string(folder.join(format!("status.{index}"))).ok();
    let statuses: Vec<_> = (0..jobs.len()).map(status).collect();
    if let Some(undone) = statuses.iter().position(Option::is_none) {
        let job = &jobs[undone].name;
        let what = if in_time {
            format!("stopped before `{job}` was done")
        } else {
            format!("was not done with `{job}` after {} s", limit.as_secs())
        };
        bail!(
            "the machine with {kernel} {what}; the last lines of its console, {}:\n{}",
            console.display(),
            last_lines(&fs::read(&console).unwrap_or_default()),
        );
    }
    let failed = jobs
        .iter()
        .zip(statuses)
        .filter(|(_, status)| status.as_deref().map(str::trim) != Some("0"))
        .map(|(job, _)| job.name.clone())
        .collect();
    Ok(Outcome { output: output.seen, failed })
}

/// What a console has to say of why its machine has stopped.
fn last_lines(console: &[u8]) -> String {
    let text = String::from_utf8_lossy(console);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// The shell script that the guest runs.
///
/// `programs` it sees through a mount of its own: that of virtme-ng has no cache, so that all of a program and its
/// libraries would be read anew whenever it is started.
fn script(programs: &[PathBuf], jobs: &[Job]) -> String {
    let programs: Vec<_> = programs.iter().map(|it| quote(&it.display().to_string())).collect();
    let mut script = format!(
        "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         cd {}\n\
         exec >{SHARED}/output 2>&1 </dev/null\n\
         uname -r\n\
         for module in {}; do\n\
         modprobe $module || exit 1\n\
         done\n\
         mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf\n\
         mkdir /run/programs\n\
         mount -t 9p -o ro,version=9p2000.L,trans=virtio,msize=512000,cache=loose programs /run/programs || exit 1\n\
         for folder in {}; do\n\
         mount --bind \"/run/programs$folder\" \"$folder\" || exit 1\n\
         done\n",
        quote(&workspace::root().join("tests").display().to_string()),
        MODULES.join(" "),
        programs.join(" "),
    );
    for (index, job) in jobs.iter().enumerate() {
        let words: Vec<String> = job.command.iter().map(|word| quote(word)).collect();
        script += &format!("{}\necho $? >{SHARED}/status.{index}\n", words.join(" "));
    }
    script
}

/// `word` as the shell takes it for one word.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The emulator, with every process that it starts; they end when this is dropped.
struct Machine {
    child: Child,
}

impl Machine {
    fn start(kernel: Kernel, shared: &Path, console: &Path) -> Result<Self> {
        let programs = emulator_folder()?;
        let image = kernel.image()?;
        let log = File::create(console)
            .with_context(|| format!("{} cannot be written", console.display()))?;
        // The emulator gets a process namespace, which ends with its first process, and that one
        // with us: whatever ends this task, no emulator stays behind. Tests beside it go first, but
        // with the least priority it would stand still beside some.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "nice", "-n", "5", "unshare"]);
        if !process::am_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command
            .args(["--pid", "--fork", "--kill-child=KILL", "--mount-proc"])
            .arg(programs.join("vng"))
            // Without --verbose the guest has no console to print to.
            .args(["--verbose", "--disable-kvm", "--disable-microvm", "--force-9p"])
            // One processor: two emulated ones wait for each other as long as they run.
            .args(["--cpus", "1", "--memory", "2G"])
            // A machine that has to wait for a processor of ours gets no timer interrupt in the time that the
            // kernel gives a broken chip, and would panic.
            .args(["--append", "no_timer_check"])
            .arg(format!("--qemu-opts={EMULATOR}"))
            .arg("--run")
            .arg(image)
            .arg(format!("--rwdir={SHARED}={}", shared.display()))
            .args(["--", &format!("sh {SHARED}/run")])
            .env("PATH", process::path_with(&programs))
            // Its temporary files, which it leaves behind when it is killed.
            .env("TMPDIR", shared)
            .current_dir(shared)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = command.spawn().context("the emulator does not start")?;
        Ok(Self { child })
    }

    fn has_stopped(&mut self) -> Result<bool> {
        let status = self.child.try_wait().context("the emulator cannot be watched")?;
        Ok(status.is_some())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only when it has ended before.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Prints what another process appends to a file.
struct Follower {
    file: File,
    /// What stands in front of each line.
    mark: String,
    /// Where the first line begins that was not printed yet.
    printed: usize,
    /// Everything that has come so far.
    seen: String,
    /// The beginning of a character whose rest has not arrived.
    rest: Vec<u8>,
}

impl Follower {
    fn new(path: &PathBuf, mark: &str) -> Result<Self> {
        let file = File::options().create(true).truncate(true).write(true).read(true).open(path);
        let file = file.with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self { file, mark: mark.into(), printed: 0, seen: String::new(), rest: Vec::new() })
    }

    fn print_new(&mut self) -> Result<()> {
        self.file.read_to_end(&mut self.rest).context("the guest's output cannot be read")?;
        let whole = match str::from_utf8(&self.rest) {
            Ok(text) => text.len(),
            // An invalid byte that is not the beginning of a character is shown as such.
            Err(error) if error.error_len().is_some() => self.rest.len(),
            Err(error) => error.valid_up_to(),
        };
        let bytes: Vec<u8> = self.rest.drain(..whole).collect();
        self.seen += &String::from_utf8_lossy(&bytes);
        // Whole lines: other machines may print as well.
        let mut out = io::stdout().lock();
        while let Some(length) = self.seen[self.printed..].find('\n') {
            let line = &self.seen[self.printed..self.printed + length];
            writeln!(out, "{}{line}", self.mark)?;
            self.printed += length + 1;
        }
        out.flush()?;
        Ok(())
    }

    /// Prints a last line that has no end.
    fn print_rest(&self) {
        let rest = &self.seen[self.printed..];
        if !rest.is_empty() {
            println!("{}{rest}", self.mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_shell_as_they_are() {
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's"), r"'it'\''s'");
    }

    #[test]
    fn of_a_console_the_last_twenty_lines_are_shown_whatever_is_in_them() {
        assert_eq!(last_lines(b""), "");
        assert_eq!(last_lines(b"one\n\xfftwo"), "one\n\u{fffd}two");
        let many: String = (0..100).map(|i| format!("line {i}\n")).collect();
        let shown = last_lines(many.as_bytes());
        assert!(shown.starts_with("line 80\n") && shown.ends_with("line 99"), "{shown}");
    }

    #[test]
    fn every_job_leaves_its_own_status() {
        let job = |name: &str| Job { name: name.to_owned(), command: vec![name.to_owned()] };
        let script = script(&[], &[job("packets"), job("vlan_aware")]);
        assert!(script.contains("'packets'\necho $? >/mnt/status.0\n"));
        assert!(script.contains("'vlan_aware'\necho $? >/mnt/status.1\n"));
    }

    #[test]
    fn a_character_that_arrives_in_two_parts_is_printed_whole() {
        let path = std::env::temp_dir().join(format!("fabric-follower-{}", std::process::id()));
        let mut follower = Follower::new(&path, "").unwrap();
        let mut writer = File::options().append(true).open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let text = "é".as_bytes();
        writer.write_all(&text[..1]).unwrap();
        follower.print_new().unwrap();
        assert_eq!(follower.seen, "");
        writer.write_all(&text[1..]).unwrap();
        follower.print_new().unwrap();
        assert_eq!(follower.seen, "é");
    }
}
