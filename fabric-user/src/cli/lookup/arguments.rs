//! The packet, as it is typed.

use std::net::IpAddr;

use anyhow::bail;

use super::flow::{Flow, Payload, WITH_PORTS};
use crate::{cli::instance::Choice, mac::Mac};

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// Names of protocols (IANA).
const PROTOCOLS: [(&str, u8); 9] = [
    ("icmp", ICMP),
    ("tcp", 6),
    ("udp", 17),
    ("gre", 47),
    ("esp", 50),
    ("icmpv6", ICMPV6),
    ("icmp6", ICMPV6),
    ("ospf", 89),
    ("sctp", 132),
];

const AFTER_HELP: &str = "\
Examples:
  fabricctl lookup 10.0.0.1 10.0.0.2 tcp 40000 443 --in swp1
  fabricctl lookup 2001:db8::1 2001:db8:7::1 udp 40000 53
  fabricctl lookup --mac 02:00:5e:00:00:01 --bridge br200 10.2.0.1 10.2.0.2 tcp 40000 443
  fabricctl lookup --mac GATEWAY --bridge br200 10.2.0.1 10.3.0.9 udp 40000 53
  fabricctl lookup --mac ROUTER --vni 104001 --from-vtep 10.0.0.2 10.3.0.9 10.2.0.1

A frame for the MAC address of a gateway is followed on through its route, to the frame to the next hop.
The maps and the code of the packet path give the answer; no packet is sent and no daemon is asked.
The exit status is 0 if something in the maps matches, 1 if nothing does: no route, or no MAC.";

/// Arguments of `fabricctl lookup`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct Args {
    /// Source address
    #[arg(value_name = "SRC", required_unless_present = "ether_type")]
    source: Option<IpAddr>,
    /// Destination address
    #[arg(value_name = "DST", required_unless_present = "ether_type")]
    destination: Option<IpAddr>,
    /// tcp, udp, sctp, icmp or another protocol, by name or number [default: icmp or icmpv6]
    #[arg(value_name = "PROTOCOL", value_parser = protocol)]
    protocol_: Option<u8>,
    /// Source port
    #[arg(value_name = "SPORT")]
    sport_: Option<u16>,
    /// Destination port
    #[arg(value_name = "DPORT")]
    dport_: Option<u16>,
    /// The port on which the packet arrives
    #[arg(long = "in", visible_alias = "port", value_name = "PORT")]
    pub(super) port: Option<String>,
    /// The same as PROTOCOL
    #[arg(long, value_name = "PROTOCOL", value_parser = protocol, conflicts_with = "protocol_")]
    protocol: Option<u8>,
    /// The same as SPORT
    #[arg(long, value_name = "N", conflicts_with = "sport_")]
    sport: Option<u16>,
    /// The same as DPORT
    #[arg(long, value_name = "N", conflicts_with = "dport_")]
    dport: Option<u16>,
    /// A fragment: its ports do not count
    #[arg(long)]
    fragment: bool,
    /// Flow label of IPv6, which counts if the settings say so
    #[arg(long, value_name = "N", value_parser = label, default_value = "0", hide_default_value = true)]
    flow_label: u32,
    /// Length of the IP packet in bytes, to see whether it fits
    #[arg(long, value_name = "BYTES")]
    pub(super) length: Option<u32>,
    /// What a VXLAN packet carries, where packets go by that: "SRC DST PROTOCOL SPORT DPORT"
    #[arg(long, value_name = "PACKET", value_parser = inner)]
    pub(super) inner: Option<Flow>,
    /// A frame to this MAC inside a bridge, instead of a packet to be routed
    #[arg(long, value_name = "MAC")]
    pub(super) mac: Option<Mac>,
    /// The bridge of the frame, with its VLAN if it is VLAN-aware, as `fabricctl status` has it
    #[arg(long, value_name = "NAME", requires = "mac")]
    pub(super) bridge: Option<String>,
    /// The VNI of the frame
    #[arg(long, requires = "mac", conflicts_with = "bridge")]
    pub(super) vni: Option<u32>,
    /// The frame comes out of a tunnel of this VTEP
    #[arg(long, value_name = "ADDRESS", requires = "mac", conflicts_with = "port")]
    pub(super) from_vtep: Option<IpAddr>,
    /// The VLAN tag with which the frame arrives
    #[arg(long, value_name = "ID", requires_all = ["mac", "port"])]
    pub(super) vlan: Option<u16>,
    /// EtherType of a frame that is not IP
    #[arg(
        long, value_name = "TYPE", value_parser = ether_type,
        requires_all = ["mac", "from_mac"], conflicts_with = "source"
    )]
    ether_type: Option<u16>,
    /// Source MAC of a frame that is not IP
    #[arg(long, value_name = "MAC", requires = "ether_type")]
    from_mac: Option<Mac>,
    #[command(flatten)]
    pub(super) choice: Choice,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Args {
    /// What the packet or frame is.
    ///
    /// # Errors
    /// If it cannot be.
    pub(super) fn payload(&self) -> anyhow::Result<Payload> {
        if let (Some(ether_type), Some(source)) = (self.ether_type, self.from_mac) {
            return Ok(Payload::Other { source, ether_type });
        }
        let (Some(source), Some(destination)) = (self.source, self.destination) else {
            bail!("give both addresses of the packet");
        };
        let typed = Typed {
            source,
            destination,
            protocol: self.protocol.or(self.protocol_),
            ports: [self.sport.or(self.sport_), self.dport.or(self.dport_)],
            fragment: self.fragment,
        };
        let flow = typed.flow().map_err(anyhow::Error::msg)?;
        Ok(Payload::Ip(Flow { flow_label: self.flow_label, ..flow }))
    }
}

/// A packet as it is typed.
struct Typed {
    source: IpAddr,
    destination: IpAddr,
    protocol: Option<u8>,
    ports: [Option<u16>; 2],
    fragment: bool,
}

impl Typed {
    /// The packet, or why there can be none.
    fn flow(self) -> Result<Flow, String> {
        let Self { source, destination, protocol, ports, fragment } = self;
        if source.is_ipv4() != destination.is_ipv4() {
            return Err(format!(
                "{source} and {destination} cannot be in one packet; give two of one family"
            ));
        }
        let protocol = protocol.unwrap_or(if source.is_ipv4() { ICMP } else { ICMPV6 });
        let name = protocol_name(protocol);
        let ports = match (ports, WITH_PORTS.contains(&protocol)) {
            _ if fragment => None,
            ([Some(source), Some(destination)], true) => Some([source, destination]),
            ([None, None], false) => None,
            (_, true) => {
                return Err(format!(
                    "the way of {name} depends on both ports; give them, or --fragment"
                ));
            }
            (_, false) => return Err(format!("{name} has no ports; leave them out")),
        };
        Ok(Flow { source, destination, protocol, ports, flow_label: 0 })
    }
}

/// `10.0.0.1 10.0.0.2 tcp 40000 443`.
fn inner(text: &str) -> Result<Flow, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (source, destination, rest) = match &words[..] {
        [source, destination, rest @ ..] if rest.len() <= 3 => (source, destination, rest),
        _ => return Err("write SRC DST, or SRC DST PROTOCOL, or with both ports behind".into()),
    };
    let address =
        |text: &str| text.parse::<IpAddr>().map_err(|_| format!("{text} is not an IP address"));
    let port = |text: &&str| text.parse::<u16>().map_err(|_| format!("{text} is not a port"));
    let typed = Typed {
        source: address(source)?,
        destination: address(destination)?,
        protocol: rest.first().map(|text| protocol(text)).transpose()?,
        ports: [rest.get(1).map(port).transpose()?, rest.get(2).map(port).transpose()?],
        fragment: false,
    };
    typed.flow()
}

/// A protocol as people call it.
pub(super) fn protocol_name(number: u8) -> String {
    let known = PROTOCOLS.iter().find(|(_, known)| *known == number);
    known.map_or_else(|| format!("protocol {number}"), |(name, _)| (*name).into())
}

fn protocol(text: &str) -> Result<u8, String> {
    let named = PROTOCOLS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    named.map(|(_, number)| *number).or_else(|| text.parse().ok()).ok_or_else(|| {
        "write a number from 0 to 255, or tcp, udp, sctp, icmp, icmpv6, gre, esp or ospf".into()
    })
}

/// A number in decimal or, after `0x`, hexadecimal.
fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn label(text: &str) -> Result<u32, String> {
    let label = number(text).filter(|label| *label < 1 << 20);
    label.ok_or_else(|| "write a number from 0 to 0xfffff".into())
}

fn ether_type(text: &str) -> Result<u16, String> {
    let number = number(text).and_then(|number| u16::try_from(number).ok());
    number
        .filter(|number| *number >= 0x600 && *number != 0x800 && *number != 0x86dd)
        .ok_or_else(|| "write an EtherType from 0x600 to 0xffff that is not IP".into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn payload(line: &str) -> anyhow::Result<Payload> {
        Line::try_parse_from(line.split(' '))?.args.payload()
    }

    fn flow(line: &str) -> Flow {
        match payload(line).unwrap() {
            Payload::Ip(flow) => flow,
            other => panic!("{other:?} is not IP"),
        }
    }

    #[test]
    fn a_packet_can_be_typed_in_a_row_or_by_options() {
        let row = flow("lookup 10.0.0.1 10.0.0.2 tcp 40000 443 --in swp1");
        let options = flow("lookup --protocol 6 --dport 443 --sport 40000 10.0.0.1 10.0.0.2");
        assert_eq!(row, options);
        assert_eq!((row.protocol, row.ports), (6, Some([40_000, 443])));
    }

    #[test]
    fn without_protocol_it_is_a_ping() {
        assert_eq!(flow("lookup 10.0.0.1 10.0.0.2").protocol, ICMP);
        assert_eq!(flow("lookup fe80::1 fe80::2").protocol, ICMPV6);
    }

    #[test]
    fn what_cannot_be_a_packet_is_refused_with_what_is_missing() {
        let error = |line: &str| payload(line).unwrap_err().to_string();
        assert!(error("lookup 10.0.0.1 10.0.0.2 tcp").contains("both ports"));
        assert!(error("lookup 10.0.0.1 10.0.0.2 udp 5").contains("--fragment"));
        assert!(error("lookup 10.0.0.1 fe80::1").contains("one family"));
        assert!(error("lookup 10.0.0.1 10.0.0.2 gre 1 2").contains("gre has no ports"));
        assert!(error("lookup 10.0.0.1 10.0.0.2 nonsense").contains("0 to 255"));
        assert!(error("lookup ::1 ::2 --flow-label 0x100000").contains("0xfffff"));
        assert!(payload("lookup 10.0.0.1").is_err());
        assert!(payload("lookup 10.0.0.1 10.0.0.2 --bridge br1").is_err());
    }

    #[test]
    fn a_fragment_has_no_ports_that_count() {
        assert_eq!(flow("lookup 10.0.0.1 10.0.0.2 udp --fragment").ports, None);
    }

    #[test]
    fn an_inner_packet_is_typed_as_the_outer_one() {
        assert_eq!(
            inner("10.0.0.1 10.0.0.2 tcp 40000 443"),
            Ok(flow("lookup 10.0.0.1 10.0.0.2 tcp 40000 443"))
        );
        assert!(inner("10.0.0.1").is_err() && inner("10.0.0.1 10.0.0.2 tcp").is_err());
        assert!(inner("10.0.0.1 10.0.0.2 udp 1 2 3").is_err());
    }

    #[test]
    fn a_frame_that_is_not_ip_has_macs_and_a_type() {
        let line =
            "lookup --mac 02:00:00:00:00:01 --from-mac 02:00:00:00:00:02 --ether-type 0x88b5";
        let source = Mac([2, 0, 0, 0, 0, 2]);
        assert_eq!(payload(line).unwrap(), Payload::Other { source, ether_type: 0x88b5 });
        assert!(payload(&line.replace("0x88b5", "0x800")).is_err());
    }
}
