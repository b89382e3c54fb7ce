//! What the kernel counts of packets that it refuses, in this thread's namespace.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result};

/// Counters by name, such as `vx100 rx errs` or `Ip InHdrErrors`.
pub type Refusals = BTreeMap<String, u64>;

/// The columns of `/proc/net/dev`.
const COLUMNS: [&str; 16] = [
    "rx bytes",
    "rx packets",
    "rx errs",
    "rx drop",
    "rx fifo",
    "rx frame",
    "rx compressed",
    "rx multicast",
    "tx bytes",
    "tx packets",
    "tx errs",
    "tx drop",
    "tx fifo",
    "tx colls",
    "tx carrier",
    "tx compressed",
];
/// What tells counters of refusals from others.
const SIGNS: [&str; 9] =
    ["err", "drop", "fifo", "frame", "carrier", "discard", "noroute", "csum", "truncated"];

/// All such counters of devices and of both IP families.
///
/// # Errors
/// If the kernel does not tell.
pub fn read() -> Result<Refusals> {
    let mut all = Refusals::new();
    let file = |name| {
        let path = format!("/proc/thread-self/net/{name}");
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    };
    for line in file("dev")?.lines() {
        let Some((device, numbers)) = line.split_once(':') else { continue };
        for (column, number) in COLUMNS.iter().zip(numbers.split_whitespace()) {
            all.insert(format!("{} {column}", device.trim()), number.parse()?);
        }
    }
    for name in ["snmp", "netstat"] {
        let text = file(name)?;
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.as_chunks::<2>().0 {
            let [names, numbers] = pair.map(|line| line.split_whitespace());
            let group = pair[0].split(':').next().unwrap_or_default();
            for (name, number) in names.zip(numbers).skip(1) {
                // One of them is -1 for "no limit".
                all.insert(format!("{group} {name}"), number.parse().unwrap_or(0));
            }
        }
    }
    for line in file("snmp6")?.lines() {
        let Some((name, number)) = line.split_once(char::is_whitespace) else { continue };
        all.insert(name.into(), number.trim().parse()?);
    }
    all.retain(|name, _| SIGNS.iter().any(|sign| name.to_lowercase().contains(sign)));
    Ok(all)
}

/// What was added since `before`.
#[must_use]
pub fn since(now: &Refusals, before: &Refusals) -> Refusals {
    let gained = |(name, number): (&String, &u64)| {
        let old = before.get(name).copied().unwrap_or(0);
        (*number > old).then(|| (name.clone(), number - old))
    };
    now.iter().filter_map(gained).collect()
}
