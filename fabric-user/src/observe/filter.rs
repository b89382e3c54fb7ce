//! What the kernel does not queue for the socket that listens to nftables: a transaction tells of each rule
//! and each element of a set, hundreds of thousands of which may come at once, and only the message counts
//! that ends it.

use std::{io, os::fd::AsRawFd as _};

use netlink_sys::Socket;

use super::{datagram::NLMSG_ERROR, netfilter::NFT_MSG_NEWGEN};

/// Lets through what ends transactions, which the kernel sends by itself (`nf_tables_gen_notify`), and
/// answers to marks.
pub(super) fn only_generations(socket: &Socket) -> io::Result<()> {
    const LOAD_TWO_BYTES: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    /// Where `nlmsghdr` has its type.
    const TYPE: u32 = 4;
    let step = |code, jt, k| libc::sock_filter { code, jt, jf: 0, k };
    // It is in host order, and the load is in network order.
    let is = |kind: u16, jt| step(JUMP_IF_EQUAL, jt, u32::from(kind.to_be()));
    let mut steps = [
        step(LOAD_TWO_BYTES, 0, TYPE),
        is(NFT_MSG_NEWGEN, 2),
        is(NLMSG_ERROR, 1),
        step(RETURN, 0, 0),
        step(RETURN, 0, u32::MAX),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the kernel copies the program, whose steps live as long as this call.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use netlink_sys::{SocketAddr, protocols::NETLINK_NETFILTER};

    use super::*;
    use crate::observe::{
        datagram::{Message, Messages},
        request,
        tests::live::{in_namespace, sh},
    };

    #[test]
    fn of_a_transaction_only_its_end_comes_through_and_answers_do() {
        in_namespace(|| async {
            let mut socket = Socket::new(NETLINK_NETFILTER).unwrap();
            socket.bind(&SocketAddr::new(0, 0)).unwrap();
            only_generations(&socket).unwrap();
            socket.add_membership(7).unwrap();
            sh(
                "nft 'add table inet t; add set inet t s { type ipv4_addr; elements = { 1.1.1.1 }; }; \
                add chain inet t f { type filter hook forward priority 0; }; add rule inet t f drop'",
            );
            socket.send_to(&request::mark(7), &SocketAddr::new(0, 0), 0).unwrap();
            let mut buffer = vec![0; 65_536];
            for expected in [NFT_MSG_NEWGEN, NLMSG_ERROR] {
                let length = socket.recv(&mut &mut buffer[..], 0).unwrap();
                let kinds = Messages(&buffer[..length]).map(|Message { kind, .. }| kind);
                assert_eq!(kinds.collect::<Vec<_>>(), [expected]);
            }
        });
    }
}
