//! A copy of the folder, and runs of what CI runs.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use fabric_tests::{
    fabric::{fabricctl, own_folder},
    left::{processes, traces},
};
use quick_junit::{Report, TestCaseStatus};

/// The folder as it is in this repository.
pub(crate) fn original() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fabric-as-code")
}

/// A copy in a folder of its own, with a lab of its own. Both go with this value.
pub(crate) struct Copy {
    folder: PathBuf,
    lab: String,
}

impl Copy {
    pub(crate) fn new(test: &str) -> Self {
        let lab = format!("{test}-{}", std::process::id());
        let this = Self { folder: own_folder(test), lab };
        copy(&original(), &this.folder).expect("the example can be copied");
        this
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn lab(&self) -> &str {
        &self.lab
    }

    /// A command as in a fresh shell of CI: of the environment it has a PATH, with `fabricctl`, and the lab's name.
    pub(crate) fn command(&self, program: &str) -> Command {
        let programs = fabricctl().parent().expect("it lies in a folder").display().to_string();
        let mut command = Command::new(program);
        command.env_clear().env("LAB", &self.lab).current_dir(&self.folder);
        command.env("PATH", format!("{programs}:/usr/sbin:/usr/bin:/sbin:/bin"));
        command
    }

    /// Changes the copy as a merge request would.
    pub(crate) fn apply(&self, change: &str) {
        let mut git = self.command("git");
        let output = git.arg("apply").arg(change).output().expect("git can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts what CI runs, in a process group of its own. What it says goes to a file.
    pub(crate) fn start(&self) -> Running {
        let said = self.folder.join("said");
        let file = File::create(&said).expect("it can be written");
        let mut command = self.command("./ci");
        command.stdin(Stdio::null()).stderr(file.try_clone().expect("it is open")).stdout(file);
        Running { child: command.process_group(0).spawn().expect("it can be started"), said }
    }

    /// Runs what CI runs; nothing of the lab may be left.
    pub(crate) fn ci(&self) -> Ran {
        let ran = self.start().end();
        self.assert_nothing_is_left(&ran.said);
        ran
    }

    /// The cases of the suites that were checked, by suite.
    pub(crate) fn reports(&self) -> BTreeMap<String, Report> {
        let files = fs::read_dir(self.folder.join("reports")).expect("there are reports");
        let files = files.map(|file| file.expect("it can be read").path());
        let documents = files.filter(|path| path.extension().is_some_and(|it| it == "xml"));
        let read = |path: PathBuf| {
            let text = fs::read_to_string(&path).expect("it can be read");
            let report = Report::deserialize_from_str(&text).expect("it is JUnit");
            (path.file_stem().expect("it has a name").to_string_lossy().into_owned(), report)
        };
        documents.map(read).collect()
    }

    pub(crate) fn assert_nothing_is_left(&self, said: &str) {
        assert_eq!(traces(&self.lab), Vec::<PathBuf>::new(), "{said}");
        assert_eq!(processes(&self.lab), Vec::<String>::new(), "{said}");
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Both fail only where nothing is left.
        let _ = self.command("fabricctl").args(["lab", "down", "--name", &self.lab]).output();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A run that goes on. It ends with this value, with all that it has started.
pub(crate) struct Running {
    child: Child,
    said: PathBuf,
}

/// A run that has ended.
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    /// To standard output and standard error.
    pub(crate) said: String,
}

impl Running {
    /// Sends SIGTERM to it and all that it has started, as CI does with a run that is cancelled.
    pub(crate) fn cancel(&self) {
        let group = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process_group(group, rustix::process::Signal::TERM)
            .expect("it is ours and runs");
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ran {
        let status = self.child.wait().expect("it is our child").code();
        Ran { status, said: fs::read_to_string(&self.said).expect("it was written") }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.cancel();
            let _ = self.child.wait();
        }
    }
}

/// Names and first lines of the cases of a report that have not passed.
pub(crate) fn wrong(report: &Report) -> Vec<(String, String)> {
    let cases = report.test_suites.iter().flat_map(|suite| &suite.test_cases);
    let wrong = cases.filter_map(|case| match &case.status {
        TestCaseStatus::NonSuccess { message, .. } => {
            let message = message.as_ref().map(|it| it.to_string()).unwrap_or_default();
            Some((case.name.to_string(), message))
        }
        _ => None,
    });
    wrong.collect()
}

/// Copies a folder with all that is in it, with modes of files.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &to)?,
            false => fs::copy(entry.path(), to).map(drop)?,
        }
    }
    Ok(())
}
