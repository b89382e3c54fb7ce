//! Chains of `iptables-legacy`, `ebtables-legacy` and `arptables-legacy`: the kernel tells nobody of their changes, so they are
//! read again and again, by `getsockopt` on a UDP socket (`nf_getsockopt`), which needs CAP_NET_ADMIN alone.

mod arptables;
mod ebtables;
mod iptables;

use std::{io, os::fd::OwnedFd};

use rustix::net::{AddressFamily, SocketType, socket};

use crate::{
    kernel::socket_options,
    observe::{Chain, Tool},
};

/// Bytes that a table may have at most: millions of rules.
const MOST: usize = 256 << 20;

/// All chains. What the kernel does not say of one tool's is as it was `known`; the error says why.
pub(super) fn legacy_chains(known: &[Chain]) -> (Vec<Chain>, Option<io::Error>) {
    let read = [
        (Tool::Iptables, iptables::chains()),
        (Tool::Ebtables, ebtables::chains()),
        (Tool::Arptables, arptables::chains()),
    ];
    joined(known, read)
}

fn joined<const N: usize>(
    known: &[Chain],
    read: [(Tool, io::Result<Vec<Chain>>); N],
) -> (Vec<Chain>, Option<io::Error>) {
    let (mut chains, mut failed) = (Vec::new(), None);
    for (tool, read) in read {
        match read {
            Ok(found) => chains.extend(found),
            Err(error) => {
                chains.extend(known.iter().filter(|chain| chain.tool == tool).cloned());
                failed = Some(error);
            }
        }
    }
    (chains, failed)
}

fn open(family: AddressFamily) -> io::Result<OwnedFd> {
    Ok(socket(family, SocketType::DGRAM, None)?)
}

/// Has an option written into `value`, at whose beginning stands which one is meant.
fn get(socket: &OwnedFd, level: i32, option: i32, value: &mut [u8]) -> io::Result<()> {
    socket_options::read(socket, level, option, value).map(drop)
}

/// A number in host order; 0 behind the end.
fn number(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

/// A name in a field of 32 bytes, as every structure here begins with.
fn named(name: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length.max(32)];
    let name = &name.as_bytes()[..name.len().min(31)];
    bytes[..name.len()].copy_from_slice(name);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{ChainFamily, ChainKind, Hook};

    #[test]
    fn what_cannot_be_read_of_one_tool_is_as_it_was_and_the_other_is_news() {
        let chain = |tool, acts| Chain {
            tool,
            family: ChainFamily::Bridge,
            table: "filter".into(),
            name: "FORWARD".into(),
            hook: Hook::Forward,
            kind: ChainKind::Filter,
            devices: Vec::new(),
            acts,
        };
        let known = [chain(Tool::Iptables, false), chain(Tool::Ebtables, false)];
        let news = Ok(vec![chain(Tool::Iptables, true)]);
        let fails = Err(io::Error::from_raw_os_error(libc::EINVAL));
        let (chains, failed) = joined(&known, [(Tool::Iptables, news), (Tool::Ebtables, fails)]);
        assert_eq!(chains, [chain(Tool::Iptables, true), chain(Tool::Ebtables, false)]);
        assert_eq!(failed.unwrap().raw_os_error(), Some(libc::EINVAL));
    }
}
