//! Options of links, and of VLANs of bridge ports, that are newer than this machine's `ip` and `bridge`
//! (`RTM_NEWLINK`, `linux/if_link.h`; `RTM_NEWVLAN`, `linux/if_bridge.h`).

use anyhow::{Context as _, Result, ensure};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, send, socket};

use crate::device;

/// Where an option stands.
#[derive(Clone, Copy, Debug)]
pub struct LinkOption {
    /// `IFLA_INFO_KIND` or `IFLA_INFO_SLAVE_KIND`, which both are followed by the number of the data.
    kind: u16,
    /// `IFLA_*` of that kind.
    number: u16,
}

/// `IFLA_BR_MULTI_BOOLOPT`: values, and which of them are meant.
const BOOLEANS: LinkOption = LinkOption { kind: 1, number: 46 };
/// `IFLA_BRPORT_NEIGH_VLAN_SUPPRESS`, Linux 6.4.
const NEIGH_VLAN_SUPPRESS: LinkOption = LinkOption { kind: 4, number: 43 };
/// `IFLA_BRPORT_NEIGH_FORWARD_GRAT`, Linux 7.2.
const NEIGH_FORWARD_GRAT: LinkOption = LinkOption { kind: 4, number: 45 };
/// `BR_BOOLOPT_FDB_LOCAL_VLAN_0` of `linux/if_bridge.h`, Linux 6.18.
const FDB_LOCAL_VLAN_0: u32 = 1 << 4;

const IFLA_LINKINFO: u16 = 18;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWVLAN: u16 = 112;
const BRIDGE_VLANDB_ENTRY: u16 = 1;
const BRIDGE_VLANDB_ENTRY_INFO: u16 = 1;
const BRIDGE_VLANDB_ENTRY_NEIGH_SUPPRESS: u16 = 9;
const BRIDGE_VLAN_INFO_ONLY_OPTS: u16 = 1 << 6;
const NLA_F_NESTED: u16 = 1 << 15;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
/// `nlmsghdr` and `ifinfomsg`.
const HEADERS: usize = 32;

/// Sets a bridge of this thread's namespace to `fdb_local_vlan_0`.
///
/// # Errors
/// If the kernel has no such option.
pub fn set_fdb_local_vlan_0(bridge: &str, on: bool) -> Result<()> {
    let value = if on { FDB_LOCAL_VLAN_0 } else { 0 };
    let payload = [value.to_ne_bytes(), FDB_LOCAL_VLAN_0.to_ne_bytes()].concat();
    set(bridge, BOOLEANS, &payload)?;
    let now = get(bridge, BOOLEANS)?.context("the kernel's bridges have no such options")?;
    let word = |at: usize| {
        now.get(at..at + 4).map(|word| u32::from_ne_bytes(word.try_into().expect("four bytes")))
    };
    let (values, known) = (word(0).unwrap_or_default(), word(4).unwrap_or_default());
    ensure!(known & FDB_LOCAL_VLAN_0 != 0, "this kernel's bridges have no fdb_local_vlan_0");
    ensure!(values & FDB_LOCAL_VLAN_0 == value, "{bridge} did not take fdb_local_vlan_0");
    Ok(())
}

/// Sets a bridge port of this thread's namespace to `neigh_forward_grat`.
///
/// # Errors
/// If the kernel has no such option.
pub fn set_neigh_forward_grat(port: &str, on: bool) -> Result<()> {
    set(port, NEIGH_FORWARD_GRAT, &[on.into()])?;
    let now = get(port, NEIGH_FORWARD_GRAT)?;
    let now = now.context("this kernel's bridge ports have no neigh_forward_grat")?;
    ensure!(now == [u8::from(on)], "{port} did not take neigh_forward_grat");
    Ok(())
}

/// Whether bridge ports of this kernel, such as this one of this thread's namespace, have `neigh_vlan_suppress`.
///
/// # Errors
/// If there is no such link.
pub fn has_neigh_vlan_suppress(port: &str) -> Result<bool> {
    Ok(get(port, NEIGH_VLAN_SUPPRESS)?.is_some())
}

/// Sets a bridge port of this thread's namespace to `neigh_vlan_suppress`.
///
/// # Errors
/// If the kernel has no such option.
pub fn set_neigh_vlan_suppress(port: &str, on: bool) -> Result<()> {
    set(port, NEIGH_VLAN_SUPPRESS, &[on.into()])?;
    let now = get(port, NEIGH_VLAN_SUPPRESS)?;
    ensure!(now == Some(vec![u8::from(on)]), "{port} did not take neigh_vlan_suppress");
    Ok(())
}

/// Sets a VLAN of a bridge port of this thread's namespace to `neigh_suppress`.
///
/// # Errors
/// If the kernel refuses, as one before 6.4 does.
pub fn set_vlan_neigh_suppress(port: &str, vlan: u16, on: bool) -> Result<()> {
    const AF_BRIDGE: u8 = 7;
    // `nlmsghdr` and `br_vlan_msg`.
    let mut request = vec![0; 24];
    request[4..6].copy_from_slice(&RTM_NEWVLAN.to_ne_bytes());
    request[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    request[16] = AF_BRIDGE;
    request[20..24].copy_from_slice(&device::index(port)?.to_ne_bytes());
    let info = [BRIDGE_VLAN_INFO_ONLY_OPTS.to_ne_bytes(), vlan.to_ne_bytes()].concat();
    let entry = [
        attribute(BRIDGE_VLANDB_ENTRY_INFO, &info),
        attribute(BRIDGE_VLANDB_ENTRY_NEIGH_SUPPRESS, &[on.into()]),
    ];
    request.extend(attribute(BRIDGE_VLANDB_ENTRY | NLA_F_NESTED, &entry.concat()));
    accepted(&ask(request)?, &format!("neigh_suppress of VLAN {vlan} of {port}"))
}

fn set(link: &str, option: LinkOption, payload: &[u8]) -> Result<()> {
    let mut request = request(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, link)?;
    let kind = attribute(option.kind, b"bridge\0");
    let data = attribute(option.kind + 1, &attribute(option.number, payload));
    request.extend(attribute(IFLA_LINKINFO, &[kind, data].concat()));
    accepted(&ask(request)?, &format!("{option:?} of {link}"))
}

/// That an answer, which is `nlmsgerr`, tells of no error.
fn accepted(answer: &[u8], what: &str) -> Result<()> {
    let error = i32::from_ne_bytes(answer[16..20].try_into().expect("four bytes"));
    ensure!(error == 0, "the kernel refuses {what}: error {error}");
    Ok(())
}

fn get(link: &str, option: LinkOption) -> Result<Option<Vec<u8>>> {
    let answer = ask(request(RTM_GETLINK, NLM_F_REQUEST, link)?)?;
    let info = find(&answer[HEADERS..], IFLA_LINKINFO);
    let data = info.and_then(|info| find(info, option.kind + 1));
    Ok(data.and_then(|data| find(data, option.number)).map(<[u8]>::to_vec))
}

fn request(kind: u16, flags: u16, link: &str) -> Result<Vec<u8>> {
    let mut bytes = vec![0; HEADERS];
    bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
    bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
    bytes[20..24].copy_from_slice(&device::index(link)?.to_ne_bytes());
    Ok(bytes)
}

/// An attribute of at most 65,531 bytes, with padding.
fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u16 + 4;
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn ask(mut request: Vec<u8>) -> Result<Vec<u8>> {
    let length = request.len() as u32;
    request[..4].copy_from_slice(&length.to_ne_bytes());
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    send(&netlink, &request, SendFlags::empty())?;
    let mut answer = vec![0; 1 << 16];
    let (length, _) = recv(&netlink, &mut answer[..], RecvFlags::empty())?;
    answer.truncate(length);
    ensure!(answer.len() >= HEADERS, "the kernel's answer is cut off");
    Ok(answer)
}

/// The payload of the first attribute of a kind.
fn find(mut attributes: &[u8], kind: u16) -> Option<&[u8]> {
    loop {
        let [l0, l1, k0, k1, ..] = *attributes else { return None };
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let payload = attributes.get(4..length)?;
        if u16::from_ne_bytes([k0, k1]) & !NLA_F_NESTED == kind {
            return Some(payload);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}
