//! Programs that look addresses up, each in another structure: for `cargo xtask bench lpm`.
//!
//! One run looks up [`BATCH`] addresses, and which one comes next depends on the answer before. So
//! the time of a lookup is what a packet waits for it, not what a processor can overlap.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

#[path = "../block.rs"]
#[expect(dead_code, reason = "no counters here")]
mod block;
#[path = "../../../benches/src/lookups.rs"]
mod lookups;
#[path = "../table.rs"]
#[expect(dead_code, reason = "nobody asks where an entry is")]
mod table;

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::{Array, LpmTrie, lpm_trie::Key},
    macros::{btf_map, xdp},
    programs::XdpContext,
};
use fabric_common::{
    schema::{MMAPABLE, hosts, hosts6, trie::Word},
    table::{Long, Wide},
    trie::{Words, lookup4, lookup6},
};

use block::{Block, blocks};
use lookups::{ADDRESSES, BATCH, DIRECT_24, PREFIXES, SECOND_8, State, VIEW};

const SHARED: usize = MMAPABLE as usize;

#[btf_map(name = "state")]
static STATE: Array<State, 1, SHARED> = Array::new();
#[btf_map(name = "addresses")]
static ADDRESSES_MAP: Array<[u64; 2], { ADDRESSES as usize }, SHARED> = Array::new();
#[btf_map(name = "answers")]
static ANSWERS: Array<u32, { ADDRESSES as usize }> = Array::new();
#[btf_map(name = "kernel4")]
static KERNEL4: LpmTrie<[u8; 4], u32, { PREFIXES as usize }> = LpmTrie::new();
#[btf_map(name = "kernel6")]
static KERNEL6: LpmTrie<[u8; 16], u32, { PREFIXES as usize }> = LpmTrie::new();

blocks! {
    trie TRIE: Block<Word>, lookups::WORDS, "Fabric's prefixes";
    hosts HOSTS: Block<Wide>, hosts::BUCKETS, "Fabric's IPv4 hosts";
    hosts6 HOSTS6: Block<Long>, hosts6::BUCKETS, "Fabric's IPv6 hosts";
    first24 FIRST24: Block<u32>, 1 << 24, "DIR-24-8: answers by the first 24 bits";
    second8 SECOND8: Block<u32>, SECOND_8, "DIR-24-8: answers by the last 8 bits";
}

struct Trie;

impl Words for Trie {
    #[inline(always)]
    fn word(&self, index: u32) -> Option<u64> {
        let word = TRIE.get_ptr_mut(index);
        // SAFETY: inside the map's value.
        Some(unsafe { (&raw const (*word).word).read_volatile() })
    }
}

/// Looks up the next addresses with `answer`, which gets the halves in host byte order and the root
/// of the trie.
#[inline(always)]
fn run(answer: impl Fn([u64; 2], u32) -> Option<u32>) -> u32 {
    let Some(state) = STATE.get_ptr_mut(0) else {
        return xdp_action::XDP_ABORTED;
    };
    // SAFETY: the map has this entry; only the one CPU of the benchmark changes it.
    let (mut next, zero, root) = unsafe {
        let zero = (&raw const (*state).zero).read_volatile();
        ((*state).next, zero, (*state).root)
    };
    // 64 bits: a shorter counter shares a stack slot with a map's key, where the verifier loses it.
    for _ in 0..u64::from(BATCH) {
        let index = next % ADDRESSES;
        let (Some(address), Some(place)) = (ADDRESSES_MAP.get(index), ANSWERS.get_ptr_mut(index))
        else {
            return xdp_action::XDP_ABORTED;
        };
        let found = answer(*address, root).unwrap_or(0);
        // SAFETY: the pointer comes from a map lookup.
        unsafe { place.write(found) };
        next = next.wrapping_add(1).wrapping_add(found & zero);
    }
    // SAFETY: as above.
    unsafe { (*state).next = next };
    xdp_action::XDP_PASS
}

/// What the others do besides looking up.
#[xdp]
pub fn nothing(_context: XdpContext) -> u32 {
    run(|address, _| Some((address[0] >> 32) as u32))
}

#[xdp]
pub fn trie4(_context: XdpContext) -> u32 {
    run(|address, root| lookup4(&Trie, root, (address[0] >> 32) as u32))
}

#[xdp]
pub fn trie6(_context: XdpContext) -> u32 {
    run(|address, root| lookup6(&Trie, root, address))
}

#[xdp]
pub fn host4(_context: XdpContext) -> u32 {
    run(|address, _| {
        let key = hosts::key(VIEW, ((address[0] >> 32) as u32).to_be());
        table::find(&HOSTS, hosts::BUCKETS - 1, key).map(|found| found.target)
    })
}

#[xdp]
pub fn host6(_context: XdpContext) -> u32 {
    run(|address, _| {
        let address = address.map(u64::to_be);
        let key = hosts6::key(VIEW, address);
        let rest = hosts6::rest(VIEW, address);
        let found = table::find_or_miss(&HOSTS6, hosts6::BUCKETS - 1, key, rest);
        found.ok().map(|found| found.target)
    })
}

#[xdp]
pub fn lpm4(_context: XdpContext) -> u32 {
    run(|address, _| {
        let key = Key::new(32, ((address[0] >> 32) as u32).to_be_bytes());
        KERNEL4.get(&key).copied()
    })
}

#[xdp]
pub fn lpm6(_context: XdpContext) -> u32 {
    run(|address, _| {
        let [a, b] = address.map(u64::to_be);
        // SAFETY: both are 16 bytes without padding.
        let bytes = unsafe { core::mem::transmute::<[u64; 2], [u8; 16]>([a, b]) };
        KERNEL6.get(&Key::new(128, bytes)).copied()
    })
}

#[xdp]
pub fn dir24(_context: XdpContext) -> u32 {
    run(|address, _| {
        let address = (address[0] >> 32) as u32;
        let found = *FIRST24.get(address >> 8);
        if found & DIRECT_24 == 0 {
            return Some(found);
        }
        let place = (found & !DIRECT_24) << 8 | address & 0xff;
        Some(*SECOND8.get(place))
    })
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
