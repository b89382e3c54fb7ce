//! Pings and connections between the hosts.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

use fabric_common::reason::Reason;
use fabric_tests::{device, fabric::PATIENCE};

use crate::site::Site;

/// Connections, so many that both underlay ports have some: 2 in 2^64 runs they do not.
const CONNECTIONS: usize = 64;
/// Bytes that each sends and gets back.
const BYTES: usize = 100_000;

/// Sends bytes over one connection after another and gets them back.
fn echo(site: &Site, address: &str) {
    let [client, server] = &site.hosts;
    let listener = server.enter(|| TcpListener::bind((address, 7_777)));
    let listener = listener.expect("the namespace exists").expect("the address is there");
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..CONNECTIONS {
                let (mut stream, _) = listener.accept().expect("a connection");
                stream.set_read_timeout(Some(PATIENCE)).expect("it is not zero");
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes).expect("what was sent arrives");
                stream.write_all(&bytes).expect("it can be sent back");
            }
        });
        let sent: Vec<u8> = (0..BYTES).map(|i| (i % 251) as u8).collect();
        for _ in 0..CONNECTIONS {
            let stream = client.enter(|| TcpStream::connect((address, 7_777)));
            let mut stream = stream.expect("the namespace exists").expect("the host is reached");
            stream.set_read_timeout(Some(PATIENCE)).expect("it is not zero");
            stream.write_all(&sent).expect("it can be sent");
            stream.shutdown(Shutdown::Write).expect("it is connected");
            let mut back = Vec::new();
            stream.read_to_end(&mut back).expect("what was sent comes back");
            assert!(back == sent, "{} bytes came back, not all or not the same", back.len());
        }
    });
}

fn talk(options: &str) {
    let site = Site::new(options);
    for address in ["198.51.100.2", "2001:db8:100::2"] {
        let ping = || device::run("ping", &format!("-c 20 -i 0.02 -w 120 {address}"));
        let said = site.hosts[0].enter(ping).expect("the namespace exists");
        let said = said.unwrap_or_else(|error| panic!("{error:#}"));
        assert!(said.contains(" 0% packet loss"), "{said}");
        echo(&site, address);
    }
    // Segments and their acknowledgements, less what is shown to the kernel now and then.
    for leaf in &site.leafs {
        for reason in [Reason::Encapsulated, Reason::Decapsulated] {
            assert!(leaf.met(reason) > 5_000, "{reason:?}: {}", leaf.met(reason));
        }
        let sent = leaf.sent();
        let all: u64 = sent.iter().sum();
        assert!(sent.iter().all(|part| part * 10 > all), "both underlay ports are used: {sent:?}");
        assert_eq!(leaf.state().problems, Vec::<String>::new());
    }
}

#[test]
fn hosts_talk_over_ipv6_with_checksums() {
    talk("");
}

#[test]
fn hosts_talk_over_ipv6_without_checksums() {
    talk("udp6zerocsumtx udp6zerocsumrx");
}

/// Each leaf takes what the other sends: a checksum is verified also where none is required.
#[test]
fn hosts_talk_over_ipv6_with_checksums_that_nobody_requires() {
    talk("udp6zerocsumrx flowlabel 0x12345");
}
