//! Virtual services of IPVS: the kernel says nothing of their changes, so they are read again and again.

use std::{fs, io};

/// Whether there are virtual services for IPv4, and for IPv6.
pub(super) fn virtual_servers() -> io::Result<[bool; 2]> {
    match fs::read_to_string("/proc/thread-self/net/ip_vs") {
        Ok(text) => Ok(families(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok([false; 2]),
        Err(error) => Err(error),
    }
}

/// A line for each service begins with its protocol and its address (`ip_vs_info_seq_show`); those for marks
/// have none.
fn families(text: &str) -> [bool; 2] {
    let mut found = [false; 2];
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("TCP" | "UDP" | "SCTP"), Some(address)) => {
                found[usize::from(address.starts_with('['))] = true;
            }
            (Some("FWM"), Some(_)) => found = [true; 2],
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "IP Virtual Server version 1.2.1 (size=4096)\n\
        Prot LocalAddress:Port Scheduler Flags\n\
        \x20 -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n";

    #[test]
    fn a_virtual_service_is_of_the_family_of_its_address() {
        let found = |services: &str| families(&format!("{HEAD}{services}"));
        assert_eq!(found(""), [false, false]);
        let real = "  -> 0A000002:0050      Masq    1      0          0\n";
        assert_eq!(found(&format!("TCP  0A000001:0050 wlc  \n{real}")), [true, false]);
        let v6 = "UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 rr  \n";
        assert_eq!(found(v6), [false, true]);
        assert_eq!(found("FWM  00000007 rr \n"), [true, true]);
    }
}
