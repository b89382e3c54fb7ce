//! The hash of a flow, and what is taken from it.
//!
//! One 64-bit hash is computed per packet. The member of an ECMP group comes from its high half, the
//! UDP source port of the tunnel from its low half, so that the two choices are independent: the
//! spines' own choice, which they make by the source port, is not a function of ours.

use crate::schema::settings::{
    HASH_FLOW_LABEL, HASH_OMIT4, HASH_OMIT6, HASH_SYMMETRIC, OMIT_DESTINATION,
    OMIT_DESTINATION_PORT, OMIT_PROTOCOL, OMIT_SOURCE, OMIT_SOURCE_PORT,
};

/// First port of the range that RFC 7348 §5 recommends for the tunnel's UDP source port.
pub const SOURCE_PORT_FIRST: u16 = 49152;

const K1: u64 = 0x9e37_79b9_7f4a_7c15;
const K2: u64 = 0xd6e8_feb8_6659_fd93;

/// Mixes all bits of `x` into all bits of the result (two multiply-xorshift rounds).
#[inline(always)]
#[must_use]
pub const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 32)).wrapping_mul(K2);
    let x = (x ^ (x >> 32)).wrapping_mul(K2);
    x ^ (x >> 32)
}

/// The hash of an IPv4 flow.
///
/// Addresses and ports are in memory (network) byte order; `ports` holds the source port in its
/// first two bytes and is 0 for fragments and protocols without ports, so that all fragments of a
/// packet take one path.
#[inline(always)]
#[must_use]
pub const fn ipv4(seed: u32, source: u32, destination: u32, protocol: u8, ports: u32) -> u64 {
    let addresses = if cfg!(target_endian = "little") {
        (destination as u64) << 32 | source as u64
    } else {
        (source as u64) << 32 | destination as u64
    };
    ipv4_of(seed, addresses, protocol, ports)
}

/// As [`ipv4`], with both addresses as they stand in the header.
#[inline(always)]
#[must_use]
pub const fn ipv4_of(seed: u32, addresses: u64, protocol: u8, ports: u32) -> u64 {
    let rest = (ports as u64) << 32 | (seed ^ ((protocol as u32) << 24)) as u64;
    mix(addresses.wrapping_mul(K1).wrapping_add(rest))
}

/// The hash of an IPv6 flow. `source` and `destination` are the two halves of each address in
/// memory byte order; ports as in [`ipv4`].
#[inline(always)]
#[must_use]
pub const fn ipv6(
    seed: u32,
    source: [u64; 2],
    destination: [u64; 2],
    protocol: u8,
    ports: u32,
) -> u64 {
    let rest = (ports as u64) << 32 | (seed ^ ((protocol as u32) << 24)) as u64;
    let h = mix(rest).wrapping_add(source[0]).wrapping_mul(K1);
    let h = (h ^ (h >> 32)).wrapping_add(source[1]).wrapping_mul(K1);
    let h = (h ^ (h >> 32)).wrapping_add(destination[0]).wrapping_mul(K1);
    let h = (h ^ (h >> 32)).wrapping_add(destination[1]).wrapping_mul(K1);
    mix(h)
}

/// All bits if a field counts, none if it is omitted.
#[inline(always)]
const fn kept(omitted: u32, field: u32) -> u64 {
    if omitted & field == 0 { u64::MAX } else { 0 }
}

/// Protocol and ports without what is omitted.
#[inline(always)]
const fn kept_rest(omitted: u32, protocol: u8, ports: u32) -> (u8, u32) {
    let ([from, to], [a, b, c, d]) = (
        [kept(omitted, OMIT_SOURCE_PORT) as u8, kept(omitted, OMIT_DESTINATION_PORT) as u8],
        ports.to_ne_bytes(),
    );
    let protocol = protocol & kept(omitted, OMIT_PROTOCOL) as u8;
    (protocol, u32::from_ne_bytes([a & from, b & from, c & to, d & to]))
}

/// As [`ipv4`], by the `HASH_` options of [`crate::schema::settings`].
#[inline(always)]
#[must_use]
pub const fn ipv4_by(
    options: u32,
    seed: u32,
    source: u32,
    destination: u32,
    protocol: u8,
    ports: u32,
) -> u64 {
    let omitted = options >> HASH_OMIT4;
    let source = source & kept(omitted, OMIT_SOURCE) as u32;
    let destination = destination & kept(omitted, OMIT_DESTINATION) as u32;
    let (protocol, ports) = kept_rest(omitted, protocol, ports);
    // The halves of `ports` change places without regard to byte order.
    let swapped = ports.rotate_left(16);
    let backward = source > destination || (source == destination && ports < swapped);
    if options & HASH_SYMMETRIC != 0 && backward {
        ipv4(seed, destination, source, protocol, swapped)
    } else {
        ipv4(seed, source, destination, protocol, ports)
    }
}

/// As [`ipv6`], by the `HASH_` options of [`crate::schema::settings`]; `label` is the flow label
/// (20 bits) in any byte order that is always the same.
#[inline(always)]
#[must_use]
pub const fn ipv6_by(
    options: u32,
    seed: u32,
    label: u32,
    source: [u64; 2],
    destination: [u64; 2],
    protocol: u8,
    ports: u32,
) -> u64 {
    let omitted = options >> HASH_OMIT6;
    let (of_source, of_destination) = (kept(omitted, OMIT_SOURCE), kept(omitted, OMIT_DESTINATION));
    let source = [source[0] & of_source, source[1] & of_source];
    let destination = [destination[0] & of_destination, destination[1] & of_destination];
    let (protocol, ports) = kept_rest(omitted, protocol, ports);
    // The protocol has the upper eight bits beside it.
    let seed = if options & HASH_FLOW_LABEL != 0 { seed ^ label } else { seed };
    let swapped = ports.rotate_left(16);
    let same = source[0] == destination[0] && source[1] == destination[1];
    let greater =
        source[0] > destination[0] || (source[0] == destination[0] && source[1] > destination[1]);
    if options & HASH_SYMMETRIC != 0 && (greater || (same && ports < swapped)) {
        ipv6(seed, destination, source, protocol, swapped)
    } else {
        ipv6(seed, source, destination, protocol, ports)
    }
}

/// As [`ethernet`], by the `HASH_` options of [`crate::schema::settings`].
#[inline(always)]
#[must_use]
pub const fn ethernet_by(
    options: u32,
    seed: u32,
    source: u64,
    destination: u64,
    ether_type: u16,
) -> u64 {
    if options & HASH_SYMMETRIC != 0 && source > destination {
        ethernet(seed, destination, source, ether_type)
    } else {
        ethernet(seed, source, destination, ether_type)
    }
}

/// The hash of a frame that is not IP: both MAC addresses (48 bits each) and the EtherType.
#[inline(always)]
#[must_use]
pub const fn ethernet(seed: u32, source: u64, destination: u64, ether_type: u16) -> u64 {
    let h = (source ^ (ether_type as u64) << 48).wrapping_mul(K1);
    mix((h ^ (h >> 32)) ^ destination.wrapping_add(seed as u64).wrapping_mul(K2))
}

/// The tunnel's UDP source port in network byte order, 49152 to 65535 (RFC 7348 §5).
///
/// Any bits of the hash are as good as others, so those that are in the right place serve.
#[inline(always)]
#[must_use]
pub const fn source_port_be(hash: u64) -> u16 {
    hash as u16 | SOURCE_PORT_FIRST.to_be()
}

/// As [`source_port_be`], in host byte order.
#[inline(always)]
#[must_use]
pub const fn source_port(hash: u64) -> u16 {
    u16::from_be(source_port_be(hash))
}

/// The part of the hash that chooses a bucket of a group.
#[inline(always)]
#[must_use]
pub const fn bucket(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The part of the hash that chooses among the next hops of a routed packet. Those may be VTEPs, each behind a group of
/// its own, so it shares no bit with [`bucket`]; its upper half, by which groups are divided first, shares none with
/// [`source_port_be`] either.
#[inline(always)]
#[must_use]
pub const fn routed(hash: u64) -> u32 {
    hash as u32
}

/// What chooses the VTEP of an Ethernet segment: mixed from all bits, so that it says nothing about the next
/// hop towards that VTEP ([`bucket`]) or about the choice of others ([`source_port_be`]).
#[inline(always)]
#[must_use]
pub const fn segment(hash: u64) -> u32 {
    bucket(mix(hash.wrapping_mul(K1)))
}

/// What chooses a bucket for all packets of a tunnel, where the kernel's policy counts addresses alone;
/// `peer` is the tunnel's key in [`crate::schema::peers`], which stands for both addresses.
#[inline(always)]
#[must_use]
pub const fn tunnel(seed: u32, peer: u64) -> u32 {
    bucket(mix(peer.wrapping_mul(K1).wrapping_add(seed as u64)))
}

/// The flow label of a tunnel over IPv6 in host byte order: 20 bits, never 0 (RFC 6438 §3).
///
/// Of all bits of the hash together, so that it is a function of neither [`bucket`] nor
/// [`source_port`].
#[inline(always)]
#[must_use]
pub const fn label(hash: u64) -> u32 {
    let label = (hash.wrapping_mul(K1) >> 44) as u32;
    if label == 0 { 1 } else { label }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::settings::OMIT_ALL;
    extern crate std;
    use std::vec::Vec;

    const BUCKETS: usize = 256;

    /// Chi-square of `counts` against equal shares.
    fn chi_square(counts: &[u32]) -> f64 {
        let total: u32 = counts.iter().sum();
        let expected = f64::from(total) / counts.len() as f64;
        counts.iter().map(|&c| (f64::from(c) - expected).powi(2) / expected).sum()
    }

    /// Flows as real networks make them: little varies, and what varies counts upwards.
    fn structured_flows() -> Vec<(&'static str, Vec<u64>)> {
        let ip = |last: u32| u32::from_ne_bytes([10, 1, 0, 0]) ^ last.swap_bytes();
        let ports =
            |s: u16, d: u16| u32::from_ne_bytes([(s >> 8) as u8, s as u8, (d >> 8) as u8, d as u8]);
        std::vec![
            (
                "source port counts up",
                (0..65_536).map(|i| ipv4(7, ip(1), ip(2), 17, ports(i as u16, 53))).collect()
            ),
            (
                "source address counts up",
                (0..65_536).map(|i| ipv4(7, ip(i), ip(2), 6, ports(1024, 80))).collect()
            ),
            (
                "both addresses count up",
                (0..65_536).map(|i| ipv4(7, ip(i), ip(70_000 + i), 6, 0)).collect()
            ),
            (
                "last octets only",
                (0..65_536_u32).map(|i| ipv4(7, ip(i & 255), ip(i >> 8), 1, 0)).collect()
            ),
            (
                "IPv6 interface identifiers",
                (0..65_536_u64).map(|i| ipv6(7, [1, i.swap_bytes()], [1, 99], 6, 1)).collect()
            ),
            (
                "MAC addresses count up",
                (0..65_536_u64)
                    .map(|i| ethernet(7, 0x5254_0000_0000 + i, 0x5254_0000_0001, 0x88ca))
                    .collect()
            ),
        ]
    }

    /// 255 degrees of freedom: chi-square above 340 has a probability below 0.0003.
    #[test]
    fn buckets_are_chosen_evenly_from_structured_flows() {
        for (name, hashes) in structured_flows() {
            let mut counts = [0_u32; BUCKETS];
            for h in &hashes {
                counts[bucket(*h) as usize % BUCKETS] += 1;
            }
            assert!(chi_square(&counts) < 340.0, "{name}: chi-square {}", chi_square(&counts));
        }
    }

    #[test]
    fn source_ports_stay_in_the_recommended_range_and_use_all_of_it() {
        for (name, hashes) in structured_flows() {
            let mut seen = std::vec![false; 65_536];
            for h in &hashes {
                seen[source_port(*h) as usize] = true;
            }
            assert!(!seen[..SOURCE_PORT_FIRST as usize].contains(&true), "{name}");
            // 65,536 throws at 16,384 ports leave e^-4 of them untouched: 16,084 are expected.
            let distinct = seen.iter().filter(|s| **s).count();
            assert!(distinct > 16_000, "{name}: {distinct} distinct ports");
        }
    }

    /// Member choice and source port must be independent, or the spines behind one member would
    /// see only part of the ports (polarization).
    #[test]
    fn the_source_port_is_independent_of_the_bucket() {
        for (name, hashes) in structured_flows() {
            let mut counts = [0_u32; 256];
            for h in &hashes {
                counts[(bucket(*h) as usize % 16) * 16 + (source_port(*h) & 15) as usize] += 1;
            }
            assert!(chi_square(&counts) < 340.0, "{name}: chi-square {}", chi_square(&counts));
        }
    }

    /// The VTEP that a packet is routed to, the way there and the source port say nothing about each other.
    #[test]
    fn the_next_hop_of_a_routed_packet_is_independent_of_the_tunnels_bucket_and_source_port() {
        for (name, hashes) in structured_flows() {
            let mut counts = [[0_u32; 256]; 3];
            for h in &hashes {
                let next_hop = crate::bucket::index(routed(*h), 0, 16) as usize * 16;
                let bucket = crate::bucket::index(bucket(*h), 0, 16) as usize;
                let port = source_port(*h);
                for (counts, other) in counts.iter_mut().zip([
                    bucket,
                    usize::from(port % 16),
                    usize::from(port >> 10 & 15),
                ]) {
                    counts[next_hop + other] += 1;
                }
            }
            for counts in counts {
                assert!(chi_square(&counts) < 340.0, "{name}: {}", chi_square(&counts));
            }
        }
    }

    /// A spine that hashes the label alone must not see part of the labels only, whichever way
    /// leads there.
    #[test]
    fn the_flow_label_is_even_and_independent_of_bucket_and_source_port() {
        for (name, hashes) in structured_flows() {
            let mut alone = [0_u32; 256];
            let mut with_bucket = [0_u32; 256];
            let mut with_port = [0_u32; 256];
            for h in &hashes {
                let label = label(*h);
                assert!((1..1 << 20).contains(&label));
                alone[label as usize % 256] += 1;
                let (low, high) = (label as usize % 16, (label >> 16) as usize);
                with_bucket[(bucket(*h) >> 28) as usize * 16 + low] += 1;
                with_port[usize::from(source_port(*h) % 16) * 16 + high] += 1;
            }
            for counts in [alone, with_bucket, with_port] {
                assert!(chi_square(&counts) < 340.0, "{name}: {}", chi_square(&counts));
            }
        }
    }

    /// A leaf chooses by the inner flow, the spine behind it by the outer one, of which the flow
    /// left its mark in the source port alone: each of the leaf's members sees all of the spine's.
    #[test]
    fn the_next_tier_chooses_independently_of_this_one() {
        let part = |hash: u64| crate::bucket::index(bucket(hash), 0, 16) as usize;
        for (name, hashes) in structured_flows() {
            let mut tunnelled = [0_u32; 256];
            for h in &hashes {
                let ports = u32::from(source_port(*h).to_be()) | u32::from(4789_u16.to_be()) << 16;
                tunnelled[part(*h) * 16 + part(ipv4(8, 1, 2, 17, ports))] += 1;
            }
            // Four flows share each source port, and so their choice: that adds a sixteenth of 4 to the
            // variance.
            assert!(chi_square(&tunnelled) < 1.25 * 340.0, "{name}: {}", chi_square(&tunnelled));
        }
        // The same packet at two routers, which differ by their seed alone.
        let mut routed = [0_u32; 256];
        for i in 0..65_536_u32 {
            let [one, two] = [7, 8].map(|seed| ipv4(seed, i.swap_bytes(), 9, 17, 0));
            routed[part(one) * 16 + part(two)] += 1;
        }
        assert!(chi_square(&routed) < 340.0, "{}", chi_square(&routed));
    }

    /// Each field alone tells packets apart, or does not if it is omitted.
    #[test]
    fn an_omitted_field_does_not_count_and_every_other_one_does() {
        let port = |from: u16, to: u16| u32::from(from.to_be()) | u32::from(to.to_be()) << 16;
        let v4 = |options, [source, destination, protocol, from, to]: [u16; 5]| {
            let (source, destination) = (u32::from(source), u32::from(destination));
            ipv4_by(options, 7, source, destination, protocol as u8, port(from, to))
        };
        let v6 = |options, [source, destination, protocol, from, to]: [u16; 5]| {
            let (source, destination) = ([1, source.into()], [2, destination.into()]);
            ipv6_by(options, 7, 0, source, destination, protocol as u8, port(from, to))
        };
        for omitted in 0..=OMIT_ALL {
            for field in 0..5 {
                let base = [100, 200, 17, 300, 400];
                let mut other = base;
                other[field] += 1;
                let counts = omitted >> field & 1 == 0;
                let options = omitted << HASH_OMIT4;
                assert_eq!(v4(options, base) != v4(options, other), counts, "{omitted} {field}");
                let options = omitted << HASH_OMIT6;
                assert_eq!(v6(options, base) != v6(options, other), counts, "{omitted} {field}");
            }
        }
    }

    #[test]
    fn another_seed_gives_another_choice() {
        let same = (0..10_000_u32)
            .filter(|i| bucket(ipv4(1, *i, 9, 17, 0)) % 2 == bucket(ipv4(2, *i, 9, 17, 0)) % 2)
            .count();
        assert!((4_700..5_300).contains(&same), "{same} of 10000 flows chose alike");
    }
}
