//! Network devices of this thread's namespace.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use rustix::net::{AddressFamily, SocketType, netdevice::name_to_index, socket};

use crate::addresses::Mac;

/// Runs commands of `ip`, one a line, all in one process.
///
/// # Errors
/// With what `ip` says.
pub fn ip(commands: &str) -> Result<()> {
    batch("ip", commands)
}

/// Runs commands of `bridge`, one a line, all in one process.
///
/// # Errors
/// With what `bridge` says.
pub fn bridge(commands: &str) -> Result<()> {
    batch("bridge", commands)
}

/// Runs commands of `nft`, one a line, all or none.
///
/// # Errors
/// With what `nft` says.
pub fn nft(commands: &str) -> Result<()> {
    feed("nft", &["-f", "-"], commands)
}

/// Makes a pair of veth devices, the second of which is named with a `p` behind, and sets both up.
///
/// # Errors
/// With what `ip` says.
pub fn veth(name: &str, mac: Mac, mtu: u32, index: Option<u32>) -> Result<()> {
    let mac = mac_text(mac);
    let index = index.map_or(String::new(), |index| format!("index {index}"));
    ip(&format!(
        "link add {name} address {mac} mtu {mtu} {index} type veth peer name {name}p mtu {mtu}\n\
         link set {name} up\nlink set {name}p up\n"
    ))
}

/// Runs a program with its arguments in one string.
///
/// # Errors
/// With what the program says.
pub fn run(program: &str, arguments: &str) -> Result<String> {
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .output()
        .with_context(|| format!("cannot start {program}; is it installed?"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments}: {}", errors.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn batch(program: &str, commands: &str) -> Result<()> {
    feed(program, &["-batch", "-"], commands)
}

fn feed(program: &str, arguments: &[&str], commands: &str) -> Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {program}; is it installed?"))?;
    let written = child.stdin.take().map_or(Ok(()), |mut i| i.write_all(commands.as_bytes()));
    let output = child.wait_with_output().with_context(|| format!("cannot wait for {program}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} refuses {commands:?}: {}", errors.trim());
    written.with_context(|| format!("{program} does not read its commands"))
}

/// The interface index of a device.
///
/// # Errors
/// If there is none of that name.
pub fn index(name: &str) -> Result<u32> {
    let any =
        socket(AddressFamily::INET, SocketType::DGRAM, None).context("cannot open a socket")?;
    name_to_index(any, name).with_context(|| format!("no device {name}"))
}

/// A MAC address as people write it.
#[must_use]
pub fn mac_text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// An IPv4 address as people write it.
#[must_use]
pub fn address_text(address: [u8; 4]) -> String {
    std::net::Ipv4Addr::from(address).to_string()
}
