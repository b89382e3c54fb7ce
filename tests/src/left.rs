//! What a lab leaves behind if it is not taken down.

use std::path::PathBuf;

/// Everything in the file system that bears the name of one of the lab's nodes.
#[must_use]
pub fn traces(lab: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in [
        "/run/netns",
        "/run/frr",
        "/etc/frr",
        "/run/fabric",
        "/run/fabric/lab",
        "/sys/fs/bpf/fabric",
        "/sys/fs/bpf/fabric-lab",
    ] {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        let names = entries.filter_map(Result::ok).map(|entry| entry.path());
        found.extend(names.filter(|path| path.to_string_lossy().contains(lab)));
    }
    found
}

/// Command lines of processes that bear the name of one of the lab's nodes.
///
/// # Panics
/// If proc is not mounted.
#[must_use]
pub fn processes(lab: &str) -> Vec<String> {
    let folder = std::fs::read_dir("/proc").expect("proc is mounted");
    folder
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&format!("{lab}-")))
        .collect()
}
