//! `arptables-legacy` (`linux/netfilter_arp/arp_tables.h`), of which only is asked whether there is a table: the
//! kernel makes it when somebody asks for its rules.

use std::{fs, io};

use crate::observe::{Chain, ChainFamily, ChainKind, Hook, Tool};

/// The chain that sees what the kernel answers, of which it is taken for granted that it does something.
pub(super) fn chains() -> io::Result<Vec<Chain>> {
    let names = match fs::read_to_string("/proc/thread-self/net/arp_tables_names") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read?,
    };
    Ok(names.lines().map(output).collect())
}

fn output(table: &str) -> Chain {
    Chain {
        tool: Tool::Arptables,
        family: ChainFamily::Arp,
        table: table.to_owned(),
        name: "OUTPUT".into(),
        hook: Hook::Output,
        kind: ChainKind::Filter,
        devices: Vec::new(),
        acts: true,
    }
}
