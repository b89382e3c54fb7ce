//! Under which conditions figures were taken, so that nobody compares what is not comparable.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Serialize;

use crate::{processor::Processor, tool};

/// The machine and what runs on it.
#[derive(Clone, Debug, Serialize)]
pub struct Environment {
    /// Kernel release.
    pub kernel: String,
    /// CPU model.
    pub cpu: String,
    /// True if software plays the processor (QEMU without KVM): times and ratios are then those of
    /// the emulation and not of any processor.
    pub emulated: bool,
    /// CPUs of the machine.
    pub cores: usize,
    /// The one CPU that everything ran on.
    pub pinned_cpu: usize,
    /// True if it ran with real-time priority.
    pub real_time: bool,
    /// Name → state of every hardware weakness that affects this CPU.
    pub mitigations: BTreeMap<String, String>,
    /// `net.core.bpf_jit_enable` and `bpf_jit_harden`.
    pub bpf_jit: [String; 2],
    /// [`bridge_nf`] in the benchmark's namespace.
    pub bridge_nf: BTreeMap<String, String>,
    /// Version of the source, with `-dirty` if it was changed since.
    pub commit: String,
    /// Load averages of one, five and fifteen minutes when the measurement began.
    pub load_average: String,
    /// UTC time of the measurement, in seconds since 1970.
    pub time: u64,
}

impl Environment {
    /// Looks around. To be called before [`crate::arena::enter`], as a new network namespace does
    /// not show how BPF programs are compiled.
    #[must_use]
    pub fn read(processor: Processor) -> Self {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            kernel: line("/proc/sys/kernel/osrelease"),
            cpu: cpu_model(),
            emulated: is_emulated(),
            cores: std::fs::read_dir("/sys/devices/system/cpu").map_or(0, |entries| {
                entries
                    .flatten()
                    .filter(|entry| is_cpu(&entry.file_name().to_string_lossy()))
                    .count()
            }),
            pinned_cpu: processor.cpu,
            real_time: processor.real_time,
            mitigations: mitigations(),
            bpf_jit: ["enable", "harden"]
                .map(|name| line(&format!("/proc/sys/net/core/bpf_jit_{name}"))),
            bridge_nf: BTreeMap::new(),
            commit: commit(),
            load_average: line("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
            time: since_1970.map_or(0, |time| time.as_secs()),
        }
    }
}

/// What br_netfilter does with bridged frames in the present network namespace.
#[must_use]
pub fn bridge_nf() -> BTreeMap<String, String> {
    ["iptables", "ip6tables", "arptables"]
        .map(|table| {
            let name = format!("bridge-nf-call-{table}");
            let state = line(&format!("/proc/sys/net/bridge/{name}"));
            (name, state)
        })
        .into()
}

/// The first line of a file; "absent" where there is none.
fn line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|_| "absent".into());
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn is_cpu(name: &str) -> bool {
    name.strip_prefix("cpu").is_some_and(|number| number.parse::<u32>().is_ok())
}

fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or_else(
        || std::env::consts::ARCH.into(),
        |model| model.trim_start_matches([' ', '\t', ':']).to_owned(),
    )
}

/// Asks the processor, which says so to whoever knows where to look (CPUID leaf 0x4000_0000).
#[cfg(target_arch = "x86_64")]
fn is_emulated() -> bool {
    use std::arch::x86_64::__cpuid;

    const HYPERVISOR_PRESENT: u32 = 1 << 31;
    if __cpuid(1).ecx & HYPERVISOR_PRESENT == 0 {
        return false;
    }
    let said = __cpuid(0x4000_0000);
    [said.ebx, said.ecx, said.edx].map(u32::to_le_bytes).concat() == b"TCGTCGTCGTCG"
}

#[cfg(not(target_arch = "x86_64"))]
fn is_emulated() -> bool {
    false
}

fn mitigations() -> BTreeMap<String, String> {
    let folder = Path::new("/sys/devices/system/cpu/vulnerabilities");
    let Ok(entries) = fs::read_dir(folder) else {
        return BTreeMap::new();
    };
    entries
        .flatten()
        .map(|entry| {
            let state = line(&entry.path().to_string_lossy());
            (entry.file_name().to_string_lossy().into_owned(), state)
        })
        .filter(|(_, state)| state != "Not affected")
        .collect()
}

fn commit() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let arguments = ["-C", folder, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
    tool::output("git", &arguments).unwrap_or_else(|_| "unknown".into())
}
