//! Flows as real networks make them: some at random, most of them counting upwards.

use crate::{
    addresses::{HOST_A, HOST_R, Station},
    packet::{Frame, protocol},
    random::Random,
};

/// Flows of each input.
pub const FLOWS: u32 = 65_536;

/// A set of flows.
#[derive(Clone, Debug)]
pub struct Input {
    /// What varies.
    pub name: &'static str,
    /// The first frame of each flow.
    pub frames: Vec<Vec<u8>>,
}

/// Ports of services that networks really run (IANA).
const SERVICES: [u16; 32] = [
    20, 22, 25, 53, 80, 110, 123, 143, 161, 179, 389, 443, 445, 465, 514, 587, 636, 993, 995, 1433,
    1521, 2049, 3306, 3389, 5432, 5672, 6379, 6443, 8080, 8443, 9090, 9200,
];

fn v4(source: u32, destination: u32, ports: [u16; 2], number: u8) -> Vec<u8> {
    let [a, b] = [source, destination].map(u32::to_be_bytes);
    let frame =
        Frame::ipv4(&Station { ipv4: a, ..HOST_A }, &Station { ipv4: b, ..HOST_R }).ports(ports);
    frame.change_ipv4(|ip| ip.protocol = number).bytes()
}

fn v6(source: u128, destination: u128, ports: [u16; 2]) -> Vec<u8> {
    let [a, b] = [source, destination].map(u128::to_be_bytes);
    let frame = Frame::ipv6(&Station { ipv6: a, ..HOST_A }, &Station { ipv6: b, ..HOST_R });
    frame.ports(ports).change_ipv6(|ip| ip.next_header = protocol::TCP).bytes()
}

const NET: u32 = u32::from_be_bytes([10, 1, 0, 0]);
const NET6: u128 = 0x2001_0db8_0001_0000_0000_0000_0000_0000;

/// All inputs, each of [`FLOWS`] different flows.
#[must_use]
pub fn inputs() -> Vec<Input> {
    let mut random = Random::new(2_026);
    let mut any = move || {
        let (addresses, ports) = (random.bits(), random.bits());
        v4(
            addresses as u32,
            (addresses >> 32) as u32,
            [ports as u16, (ports >> 16) as u16],
            if ports >> 63 == 0 { protocol::TCP } else { protocol::UDP },
        )
    };
    let mut random = Random::new(2_027);
    let mut any6 = move || {
        let halves = [random.bits(), random.bits(), random.bits(), random.bits()];
        let [a, b, c, d] = halves.map(u128::from);
        v6(a << 64 | b, c << 64 | d, [halves[0] as u16, halves[3] as u16])
    };
    let tcp = protocol::TCP;
    let of = |name, frame: &mut dyn FnMut(u32) -> Vec<u8>| Input {
        name,
        frames: (0..FLOWS).map(frame).collect(),
    };
    vec![
        of("random, IPv4", &mut |_| any()),
        of("random, IPv6", &mut |_| any6()),
        of("sequential source addresses", &mut |i| v4(NET + i, NET + 99, [1_024, 443], tcp)),
        of("sequential address pairs", &mut |i| v4(NET + i, NET + 70_000 + i, [1_024, 443], tcp)),
        of("one octet of each address", &mut |i| {
            v4(NET + (i & 255), NET + (i >> 8 << 8), [1_024, 443], tcp)
        }),
        of("one changing port", &mut |i| v4(NET + 1, NET + 2, [i as u16, 443], tcp)),
        of("clients of real services", &mut |i| {
            let service = SERVICES[(i % 32) as usize];
            v4(NET + i / 1_024, NET + 99, [32_768 + (i / 32 % 32) as u16, service], tcp)
        }),
        of("sequential interface identifiers, IPv6", &mut |i| {
            v6(NET6 + u128::from(i), NET6 + (1 << 64), [1_024, 443])
        }),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_flows_of_an_input_are_different() {
        for input in inputs() {
            let different: BTreeSet<&Vec<u8>> = input.frames.iter().collect();
            assert_eq!(different.len(), FLOWS as usize, "{}", input.name);
        }
    }
}
