//! What the kernel does not queue for the socket that listens to nftables: a transaction tells of each rule
//! and each element of a set, hundreds of thousands of which may come at once, and only the message counts
//! that ends it.

use crate::netlink::NLMSG_ERROR;

use super::netfilter::NFT_MSG_NEWGEN;

/// Lets through what ends transactions, which the kernel sends by itself (`nf_tables_gen_notify`), and
/// answers to marks.
pub(super) const FILTER: [libc::sock_filter; 5] = [
    step((libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16, 0, TYPE),
    step(JUMP_IF_EQUAL, 2, of_kind(NFT_MSG_NEWGEN)),
    step(JUMP_IF_EQUAL, 1, of_kind(NLMSG_ERROR)),
    step(RETURN, 0, 0),
    step(RETURN, 0, u32::MAX),
];

/// Where `nlmsghdr` has its type.
const TYPE: u32 = 4;
const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const fn step(code: u16, jt: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf: 0, k }
}

/// The type is in host order, and the load is in network order.
const fn of_kind(kind: u16) -> u32 {
    kind.to_be() as u32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        netlink::{Family, Listener, Received},
        observe::{
            request,
            tests::live::{in_namespace, sh},
        },
    };

    #[test]
    fn of_a_transaction_only_its_end_comes_through_and_answers_do() {
        in_namespace(|| async {
            let mut listener = Listener::open(Family::Netfilter, 1 << 20).unwrap();
            listener.filter(&FILTER).unwrap();
            listener.join(7).unwrap();
            sh(
                "nft 'add table inet t; add set inet t s { type ipv4_addr; elements = { 1.1.1.1 }; }; \
                add chain inet t f { type filter hook forward priority 0; }; add rule inet t f drop'",
            );
            listener.socket().send(&request::mark().numbered(7)).unwrap();
            for expected in [NFT_MSG_NEWGEN, NLMSG_ERROR] {
                let Received::Datagram(messages) = listener.receive(Duration::ZERO).unwrap() else {
                    panic!("a message")
                };
                assert_eq!(messages.map(|it| it.kind).collect::<Vec<_>>(), [expected]);
            }
        });
    }
}
