//! The kernel's packet generator. It sends from threads of its own and is told what to do through
//! files below `/proc/net/pktgen`, of which every network namespace has its own set
//! (Documentation/networking/pktgen.rst).

mod outcome;
mod stream;

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

pub use self::{
    outcome::Outcome,
    stream::{Order, Stream, sequence},
};
use crate::tool;

const FOLDER: &str = "/proc/net/pktgen";

/// Makes sure that this kernel has its packet generator, as a module if need be. To be called
/// before [`crate::arena::enter`], as namespaces made afterwards have it as well.
///
/// # Errors
/// If the kernel has none.
pub fn load() -> Result<()> {
    let is_there = || Path::new(FOLDER).is_dir();
    if !is_there() {
        // Why it fails is of no use to anybody; whether it did, the folder shows.
        let _ = tool::output("modprobe", &["pktgen"]);
    }
    ensure!(
        is_there(),
        "this kernel has no packet generator (module pktgen, CONFIG_NET_PKTGEN); \
         `cargo xtask bench pktgen` boots a kernel that has"
    );
    Ok(())
}

/// The packet generator of one processor, sending from one interface.
pub struct Pktgen {
    thread: PathBuf,
    device: PathBuf,
    interface: String,
}

impl Pktgen {
    /// Lets the generator's thread on processor `cpu` send from `interface`, of the present
    /// network namespace.
    ///
    /// # Errors
    /// If the processor has no such thread, or the interface is not up.
    pub fn open(cpu: usize, interface: &str) -> Result<Self> {
        let folder = Path::new(FOLDER);
        let pktgen = Self {
            thread: folder.join(format!("kpktgend_{cpu}")),
            device: folder.join(interface),
            interface: interface.to_owned(),
        };
        pktgen.renew()?;
        Ok(pktgen)
    }

    /// Forgets all settings and counters, also those that a start does not reset: the next frame
    /// has the IP identification 0 again.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn renew(&self) -> Result<()> {
        command(&self.thread, "rem_device_all")?;
        command(&self.thread, &format!("add_device {}", self.interface))
    }

    /// Sets what is sent.
    ///
    /// # Errors
    /// With the first setting that this kernel does not know.
    pub fn set(&self, stream: &Stream) -> Result<()> {
        stream.commands().iter().try_for_each(|line| command(&self.device, line))
    }

    /// Hands every frame over for good, as a driver does, where the kernel can (since 6.7).
    /// Returns whether it can. Otherwise the generator holds on to each frame until it has been
    /// freed by everybody else, so that whoever wants to change a frame has to copy it.
    #[must_use]
    pub fn give_away(&self) -> bool {
        command(&self.device, "flag !SHARED").is_ok()
    }

    /// Sends everything, and returns when the last frame has gone.
    ///
    /// # Errors
    /// If the generator did not do it.
    pub fn run(&self) -> Result<Outcome> {
        let control = Path::new(FOLDER).join("pgctrl");
        write(&control, "start").context("the packet generator does not start")?;
        let said = fs::read_to_string(&self.device)
            .with_context(|| format!("cannot read {}", self.device.display()))?;
        Outcome::parse(&said)
    }
}

fn write(file: &Path, line: &str) -> std::io::Result<()> {
    File::options().write(true).open(file)?.write_all(format!("{line}\n").as_bytes())
}

/// Gives one command. A file takes some wrong ones without an error, and says so only when it is
/// read.
fn command(file: &Path, line: &str) -> Result<()> {
    let written = write(file, line);
    let said = fs::read_to_string(file).unwrap_or_default();
    let result = outcome::result(&said).unwrap_or("nothing");
    let shown = file.display();
    written.with_context(|| format!("{shown} does not take `{line}` and says: {result}"))?;
    ensure!(result.starts_with("OK"), "{shown} does not take `{line}` and says: {result}");
    Ok(())
}
