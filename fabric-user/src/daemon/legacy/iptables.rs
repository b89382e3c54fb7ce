//! `iptables-legacy` and `ip6tables-legacy` (`linux/netfilter_ipv4/ip_tables.h` and its sibling).

use std::{fs, io, os::fd::OwnedFd};

use rustix::net::AddressFamily;

use super::{MOST, get, named, number, open};
use crate::observe::{Chain, ChainFamily, ChainKind, Hook, Tool, numbered};

/// What the families differ in.
struct Dialect {
    family: ChainFamily,
    socket: AddressFamily,
    level: i32,
    /// Names of the tables that there are. Only those are asked for: the kernel makes the others when
    /// somebody does (`xt_find_table_lock`).
    tables: &'static str,
    /// Where an entry says where its target begins (`target_offset`): behind the addresses.
    target: usize,
}

const DIALECTS: [Dialect; 2] = [
    Dialect {
        family: ChainFamily::Ip,
        socket: AddressFamily::INET,
        level: libc::IPPROTO_IP,
        tables: "/proc/thread-self/net/ip_tables_names",
        target: 88,
    },
    Dialect {
        family: ChainFamily::Ip6,
        socket: AddressFamily::INET6,
        level: libc::IPPROTO_IPV6,
        tables: "/proc/thread-self/net/ip6_tables_names",
        target: 140,
    },
];

/// `IPT_SO_GET_INFO` and `IP6T_SO_GET_INFO`.
const GET_INFO: i32 = 64;
/// `IPT_SO_GET_ENTRIES` and `IP6T_SO_GET_ENTRIES`.
const GET_ENTRIES: i32 = 65;
/// Length of `struct ipt_getinfo`: name, valid hooks, entry points, underflows, number of entries, size.
const INFO: usize = 84;
/// Length of `struct ipt_get_entries` without entries: name, size.
const ENTRIES: usize = 40;
/// Length of `struct xt_entry_target`, behind which a verdict stands.
const TARGET: usize = 32;
/// `-NF_DROP - 1`
const DROP: u32 = u32::MAX;
const HOOKS: [&str; 5] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

pub(super) fn chains() -> io::Result<Vec<Chain>> {
    let mut chains = Vec::new();
    for dialect in &DIALECTS {
        let names = match fs::read_to_string(dialect.tables) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read?,
        };
        if names.is_empty() {
            continue;
        }
        let socket = open(dialect.socket)?;
        for table in names.lines() {
            // One that changes between two questions is asked again.
            let read = dialect.read(&socket, table).or_else(|error| match error.kind() {
                io::ErrorKind::WouldBlock => dialect.read(&socket, table),
                _ => Err(error),
            });
            chains.extend(read?);
        }
    }
    chains.sort_unstable();
    Ok(chains)
}

impl Dialect {
    fn read(&self, socket: &OwnedFd, table: &str) -> io::Result<Vec<Chain>> {
        let mut info = named(table, INFO);
        match get(socket, self.level, GET_INFO, &mut info) {
            // It has gone meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(Vec::new()),
            got => got?,
        }
        let size = number(&info, 80) as usize;
        // Rules are told apart from none without reading them, and a policy matters only without rules.
        let mut entries = None;
        let mut chains = Vec::new();
        for (index, name) in HOOKS.iter().enumerate() {
            if number(&info, 32) & 1 << index == 0 {
                continue;
            }
            let (begin, end) = (number(&info, 36 + 4 * index), number(&info, 56 + 4 * index));
            let Some(hook) = numbered(self.family, index as u32) else { continue };
            let kind = kind(table, hook);
            let acts = kind == ChainKind::Nat || begin != end || {
                if entries.is_none() {
                    entries = Some(self.entries(socket, table, size)?);
                }
                let entries = entries.as_deref().unwrap_or_default();
                self.verdict(entries, end as usize) == DROP
            };
            chains.push(Chain {
                tool: Tool::Iptables,
                family: self.family,
                table: table.to_owned(),
                name: (*name).to_owned(),
                hook,
                kind,
                devices: Vec::new(),
                acts,
            });
        }
        Ok(chains)
    }

    /// All entries of a table. If it has changed meanwhile, that is an error (`EAGAIN`).
    fn entries(&self, socket: &OwnedFd, table: &str, size: usize) -> io::Result<Vec<u8>> {
        if size > MOST {
            return Err(io::Error::from_raw_os_error(libc::EFBIG));
        }
        let mut bytes = named(table, ENTRIES + size);
        bytes[32..36].copy_from_slice(&(size as u32).to_ne_bytes());
        get(socket, self.level, GET_ENTRIES, &mut bytes)?;
        Ok(bytes.split_off(ENTRIES))
    }

    /// The verdict of the entry at an offset.
    fn verdict(&self, entries: &[u8], at: usize) -> u32 {
        let target = entries.get(at + self.target..).and_then(|rest| rest.first_chunk());
        let target = target.map_or(0, |bytes| usize::from(u16::from_ne_bytes(*bytes)));
        number(entries, at + target + TARGET)
    }
}

/// The tables have no types, but the kernel does as much with their packets (`iptable_nat.c`, and
/// `ipt_mangle_out`, which looks for another route).
fn kind(table: &str, hook: Hook) -> ChainKind {
    match (table, hook) {
        ("nat", _) => ChainKind::Nat,
        ("mangle", Hook::Output) => ChainKind::Route,
        _ => ChainKind::Filter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests::live::{in_namespace, sh};

    /// What acts, in the words of the settings.
    fn acting() -> Vec<(String, ChainKind)> {
        let acting = chains().unwrap().into_iter().filter(|chain| chain.acts);
        acting.map(|chain| (chain.path(), chain.kind)).collect()
    }

    #[test]
    fn chains_with_rules_and_those_that_drop_act() {
        in_namespace(|| async {
            assert_eq!(chains().unwrap(), []);
            sh("for tool in iptables-legacy ip6tables-legacy; do \
                for table in filter mangle raw; do $tool -w -t $table -L -n; done; done >/dev/null");
            assert_eq!(acting(), []);
            assert_eq!(chains().unwrap().len(), 2 * (3 + 5 + 2), "all that there are");
            sh("iptables-legacy -w -N own; iptables-legacy -w -A own -j DROP; \
                iptables-legacy -w -P FORWARD DROP; \
                iptables-legacy -w -A INPUT -p udp --dport 9 -j DROP; \
                iptables-legacy -w -t nat -A PREROUTING -j DNAT --to 10.0.0.1; \
                ip6tables-legacy -w -t mangle -A OUTPUT -j MARK --set-mark 1; \
                ip6tables-legacy -w -A FORWARD -m limit --limit 1/s -j ACCEPT; \
                ip6tables-legacy -w -P OUTPUT DROP");
            let expected = [
                ("ip filter FORWARD", ChainKind::Filter),
                ("ip filter INPUT", ChainKind::Filter),
                // Those without rules go on with the flows of others.
                ("ip nat INPUT", ChainKind::Nat),
                ("ip nat OUTPUT", ChainKind::Nat),
                ("ip nat POSTROUTING", ChainKind::Nat),
                ("ip nat PREROUTING", ChainKind::Nat),
                ("ip6 filter FORWARD", ChainKind::Filter),
                ("ip6 filter OUTPUT", ChainKind::Filter),
                ("ip6 mangle OUTPUT", ChainKind::Route),
            ];
            assert_eq!(acting(), expected.map(|(path, kind)| (path.to_owned(), kind)));
        });
    }
}
