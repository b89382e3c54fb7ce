//! `ebtables-legacy` (`linux/netfilter_bridge/ebtables.h`).

use std::{io, os::fd::OwnedFd, path::Path};

use rustix::net::AddressFamily;

use super::{MOST, get, named, number, open};
use crate::observe::{Chain, ChainFamily, ChainKind, Hook, Tool};

const TABLES: [&str; 3] = ["filter", "nat", "broute"];
const EBT_SO_GET_INFO: i32 = 128;
const EBT_SO_GET_ENTRIES: i32 = 129;
/// Length of `struct ebt_replace`.
const REPLACE: usize = 120;
/// Length of `struct ebt_entries`, which begins a chain: zero, its name, a counter's place, the policy, and
/// how many rules follow.
const HEAD: usize = 48;
/// Where `struct ebt_entry`, a rule, has its length (`next_offset`).
const LENGTH: usize = 108;
/// `EBT_DROP`
const DROP: u32 = -2_i32 as u32;

pub(super) fn chains() -> io::Result<Vec<Chain>> {
    // Asking has the kernel load a table's module, and makes the table in this namespace. So a module that
    // is not loaded is not asked for; what is built in cannot be told from what is not there, and the
    // kernel knows at once.
    let is_module = |name: &str| Path::new(&format!("/sys/module/{name}")).exists();
    let mut chains = Vec::new();
    let mut socket = None;
    for table in TABLES {
        if is_module("ebtables") && !is_module(&format!("ebtable_{table}")) {
            continue;
        }
        let socket = match &socket {
            Some(socket) => socket,
            None => socket.insert(open(AddressFamily::INET)?),
        };
        // One that changes between two questions is asked again.
        let found = read(socket, table).or_else(|error| match error.kind() {
            io::ErrorKind::InvalidInput => read(socket, table),
            _ => Err(error),
        });
        match found {
            Ok(found) => chains.extend(found),
            // Without ebtables nobody knows the option, without the table nobody knows that.
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::ENOPROTOOPT | libc::ENOENT)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(chains)
}

fn read(socket: &OwnedFd, table: &str) -> io::Result<Vec<Chain>> {
    let mut request = named(table, REPLACE);
    get(socket, libc::IPPROTO_IP, EBT_SO_GET_INFO, &mut request)?;
    let size = number(&request, 40) as usize;
    if size > MOST {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    request.resize(REPLACE + size, 0);
    // No counters are asked for, and the entries are written behind the request.
    request[96..REPLACE].fill(0);
    let entries = request[REPLACE..].as_mut_ptr() as u64;
    request[112..REPLACE].copy_from_slice(&entries.to_ne_bytes());
    get(socket, libc::IPPROTO_IP, EBT_SO_GET_ENTRIES, &mut request)?;
    Ok(decode(table, &request[REPLACE..]))
}

/// The chains among a table's entries.
fn decode(table: &str, mut entries: &[u8]) -> Vec<Chain> {
    let mut chains = Vec::new();
    while entries.len() >= HEAD {
        // The first word of a rule says at least that it is one.
        if number(entries, 0) != 0 {
            let length = number(entries, LENGTH) as usize;
            entries = entries.get(length.max(HEAD)..).unwrap_or_default();
            continue;
        }
        let name = &entries[4..36];
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        let name = String::from_utf8_lossy(&name[..end]).into_owned();
        let (policy, rules) = (number(entries, 40), number(entries, 44));
        entries = &entries[HEAD..];
        // Others are only jumped to.
        let Some(hook) = hook(&name) else { continue };
        chains.push(Chain {
            tool: Tool::Ebtables,
            family: ChainFamily::Bridge,
            table: table.to_owned(),
            name,
            hook,
            kind: ChainKind::Filter,
            devices: Vec::new(),
            acts: rules != 0 || policy == DROP,
        });
    }
    chains
}

fn hook(chain: &str) -> Option<Hook> {
    Some(match chain {
        // Which takes frames from the bridge before anything else (`ebt_broute`).
        "PREROUTING" | "BROUTING" => Hook::Prerouting,
        "INPUT" => Hook::Input,
        "FORWARD" => Hook::Forward,
        "OUTPUT" => Hook::Output,
        "POSTROUTING" => Hook::Postrouting,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::observe::tests::live::{in_namespace, sh};

    fn head(name: &str, policy: i32, rules: u32) -> Vec<u8> {
        let mut bytes = vec![0; HEAD];
        bytes[4..4 + name.len()].copy_from_slice(name.as_bytes());
        bytes[40..44].copy_from_slice(&policy.to_ne_bytes());
        bytes[44..48].copy_from_slice(&rules.to_ne_bytes());
        bytes
    }

    fn rule(length: u32) -> Vec<u8> {
        let mut bytes = vec![0; length as usize];
        bytes[0] = 1;
        bytes[108..112].copy_from_slice(&length.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_chain_with_a_rule_or_that_drops_acts_and_others_do_not() {
        const ACCEPT: i32 = -1;
        let entries = [
            head("INPUT", ACCEPT, 0),
            head("FORWARD", ACCEPT, 2),
            rule(152),
            rule(192),
            head("OUTPUT", -2, 0),
            head("own", -4, 1),
            rule(152),
        ]
        .concat();
        let acting = |chain: Chain| chain.acts.then_some((chain.name, chain.hook));
        let found: Vec<_> = decode("filter", &entries).into_iter().filter_map(acting).collect();
        let expected = [("FORWARD", Hook::Forward), ("OUTPUT", Hook::Output)];
        assert_eq!(found, expected.map(|(name, hook)| (name.to_owned(), hook)));
    }

    /// On kernels that have ebtables, which not all have.
    #[test]
    fn chains_of_the_kernel_are_read() {
        in_namespace(|| async {
            let acting = || {
                let acting = chains().unwrap().into_iter().filter(|chain| chain.acts);
                acting.map(|chain| chain.path()).collect::<Vec<_>>()
            };
            assert_eq!(acting(), [""; 0]);
            let mut list = Command::new("ebtables-legacy");
            let listed = list.arg("-L").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if !listed.is_ok_and(|status| status.success()) {
                eprintln!("SKIP: this kernel has no ebtables");
                return;
            }
            assert_eq!(acting(), [""; 0]);
            sh("ebtables-legacy -N own; ebtables-legacy -A own -j DROP; \
                ebtables-legacy -A FORWARD -p IPv4 --ip-proto udp -j DROP; \
                ebtables-legacy -P OUTPUT DROP; \
                ebtables-legacy -t nat -A PREROUTING -s 02:00:00:00:00:01 -j DROP");
            let expected =
                ["bridge filter FORWARD", "bridge filter OUTPUT", "bridge nat PREROUTING"];
            assert_eq!(acting(), expected);
        });
    }

    #[test]
    fn damaged_entries_end_the_list() {
        let mut entries = [head("FORWARD", -1, 1), rule(152)].concat();
        for length in 0..entries.len() {
            decode("filter", &entries[..length]);
        }
        entries[HEAD + 108..HEAD + 112].copy_from_slice(&[0xff; 4]);
        assert_eq!(decode("filter", &entries).len(), 1);
    }
}
