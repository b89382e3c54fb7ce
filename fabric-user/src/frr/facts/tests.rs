//! Recorded answers of FRR 8.4.4 and 10.3, of the same fabrics, are read as the same values.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

/// Both recordings of an answer.
macro_rules! recorded {
    ($file:literal) => {
        [
            ("8.4", include_str!(concat!("recorded/8.4/", $file))),
            ("10.3", include_str!(concat!("recorded/10.3/", $file))),
        ]
    };
}

/// Asserts that both recordings are read as `expected`.
macro_rules! assert_read {
    ($file:literal, $read:expr, $expected:expr) => {
        let expected = $expected;
        for (version, text) in recorded!($file) {
            let read = ($read)(text).unwrap_or_else(|error| panic!("{version}: {error}"));
            assert_eq!(read, expected, "{} of {version}", $file);
        }
    };
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn mac(text: &str) -> crate::mac::Mac {
    text.parse().expect("a MAC")
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// VNIs with what FRR 8.4 says in words.
fn vnis(text: &str) -> serde_json::Result<BTreeMap<u32, Vni>> {
    let mut vnis = vni::read(text)?;
    if vni::lacks_flood(&vnis) {
        vni::flood(include_str!("recorded/8.4/vni.txt"), &mut vnis);
    }
    Ok(vnis)
}

#[test]
fn vnis_have_their_devices_their_flood_list_and_their_router() {
    let other = BTreeSet::from([ip("10.0.1.12")]);
    let network = Vni {
        vrf: some("red"),
        vxlan: some("vxlan10101"),
        svi: some("br101"),
        local: Some(ip("10.0.1.11")),
        flood: other.clone(),
        vteps: other,
        up: true,
        ..Vni::default()
    };
    let alone = Vni {
        vrf: some("green"),
        vxlan: some("vxlan10301"),
        svi: some("br301"),
        flood: BTreeSet::new(),
        vteps: BTreeSet::new(),
        ..network.clone()
    };
    let routed = Vni {
        kind: VniKind::L3,
        vrf: some("red"),
        vxlan: some("vxlan54001"),
        svi: some("br4001"),
        local: Some(ip("10.0.1.11")),
        up: true,
        router_mac: Some(mac("02:7b:f4:bf:a2:27")),
        system_mac: Some(mac("02:7b:f4:bf:a2:27")),
        networks: BTreeSet::from([10_101]),
        ..Vni::default()
    };
    assert_read!(
        "vni.json",
        vnis,
        BTreeMap::from([
            (10_101, network.clone()),
            (10_301, alone.clone()),
            (54_001, routed.clone())
        ])
    );
}

#[test]
fn a_vtep_that_asks_for_no_broadcasts_is_known_and_not_flooded_to() {
    let words = include_str!("recorded/8.4/vni.txt").replace("flood: HER", "flood: -");
    let mut vnis = vni::read(include_str!("recorded/8.4/vni.json")).expect("recorded");
    vni::flood(&words, &mut vnis);
    let newer = include_str!("recorded/10.3/vni.json").replace("HER", "-");
    for vnis in [vnis, vni::read(&newer).expect("as recorded")] {
        assert_eq!(vnis[&10_101].flood, BTreeSet::new());
        assert_eq!(vnis[&10_101].vteps, BTreeSet::from([ip("10.0.1.12")]));
    }
}

#[test]
fn macs_are_here_behind_a_vtep_or_behind_a_segment() {
    let entry = |text: &str, place: Place| MacEntry {
        vni: 10_101,
        mac: mac(text),
        place,
        ..MacEntry::default()
    };
    let port = |name: &str, vlan| Place::Local { interface: some(name), vlan };
    let segment = "03:44:38:39:ff:ff:02:00:00:08";
    assert_read!(
        "mac.json",
        super::mac::read,
        [
            MacEntry { sticky: true, ..entry("02:00:00:00:07:07", port("swp11", Some(101))) },
            MacEntry {
                segment: some(segment),
                ..entry("02:00:00:00:08:08", port("bond8", Some(101)))
            },
            MacEntry {
                gateway: true,
                own_svi: true,
                ..entry("02:1d:83:9e:0b:fd", port("vlan101", None))
            },
            entry("02:6d:1b:22:2a:ce", Place::Vtep(ip("10.0.1.11"))),
        ]
    );
    assert_read!(
        "mac-elsewhere.json",
        super::mac::read,
        [
            MacEntry { sticky: true, ..entry("02:00:00:00:07:07", Place::Vtep(ip("10.0.1.12"))) },
            MacEntry {
                segment: some(segment),
                ..entry("02:00:00:00:08:08", Place::Segment(segment.to_owned()))
            },
        ]
    );
}

#[test]
fn neighbours_are_here_or_behind_a_vtep() {
    let here = Place::Local { interface: None, vlan: None };
    let gateway = NeighbourEntry {
        vni: 10_201,
        address: ip("10.1.0.1"),
        mac: mac("02:00:5e:00:01:03"),
        place: here.clone(),
        active: true,
        gateway: true,
        ..NeighbourEntry::default()
    };
    let remote = NeighbourEntry {
        vni: 10_201,
        address: ip("10.1.0.2"),
        mac: mac("02:7c:ce:f6:fa:fc"),
        place: Place::Vtep(ip("10.0.1.12")),
        active: true,
        ..NeighbourEntry::default()
    };
    let host = NeighbourEntry {
        vni: 10_301,
        address: ip("fd00:1::11"),
        mac: mac("02:80:89:d9:40:ee"),
        place: here,
        active: true,
        ..NeighbourEntry::default()
    };
    assert_read!(
        "neighbour.json",
        neighbour::read,
        [gateway.clone(), remote.clone(), host.clone()]
    );
}

fn routers(macs: &str, hops: &str) -> Vec<RouterEntry> {
    let macs = router::macs(macs).expect("recorded");
    router::joined(macs, router::hops(hops).expect("recorded"))
}

#[test]
fn a_vtep_is_a_neighbour_for_both_families() {
    let macs = recorded!("router-macs.json");
    for ((version, macs), (_, hops)) in macs.into_iter().zip(recorded!("router-hops.json")) {
        let expected = RouterEntry {
            l3vni: 54_001,
            vtep: ip("10.0.1.12"),
            mac: mac("02:ca:c5:b7:04:9e"),
            hops: BTreeSet::from([ip("10.0.1.12"), ip("::ffff:10.0.1.12")]),
            in_fdb: true,
        };
        assert_eq!(routers(macs, hops), [expected], "{version}");
    }
}

#[test]
fn a_leaked_route_gives_a_vtep_another_mac_in_one_family() {
    // FRR 10.3 has the neighbour of IPv4 take the MAC that the VTEP has in the VRF which the route comes from.
    let routers = routers(
        include_str!("recorded/10.3/router-macs-leaked.json"),
        include_str!("recorded/10.3/router-hops-leaked.json"),
    );
    let found = routers.iter().map(|it| (it.mac.to_string(), it.hops.clone(), it.in_fdb));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            ("02:15:aa:2d:6a:f3".to_owned(), BTreeSet::from([ip("::ffff:10.0.1.12")]), true),
            ("02:ec:77:54:f2:0e".to_owned(), BTreeSet::from([ip("10.0.1.12")]), true),
        ]
    );
}

#[test]
fn vrfs_have_their_l3vni_and_their_router() {
    let blue = VrfEntry {
        l3vni: 54_004,
        router_mac: Some(mac("02:25:2e:e0:d6:6c")),
        svi: some("br4002"),
        vxlan: some("vxlan54004"),
        up: true,
    };
    let red = VrfEntry {
        l3vni: 54_001,
        router_mac: Some(mac("02:7b:f4:bf:a2:27")),
        svi: some("br4001"),
        vxlan: some("vxlan54001"),
        up: true,
    };
    let all = BTreeMap::from([("blue".to_owned(), blue), ("red".to_owned(), red)]);
    assert_read!("vrf.json", vrf::read, all.clone());
    // As of a VRF whose VNI there is no device of (`zl3vni_vxlan_if_name`).
    let text = r#"{"vrfs":[{"vrf":"green","vni":54999,"vxlanIntf":"None","sviIntf":"None","state":"Down","routerMac":"None"}]}"#;
    let down = VrfEntry { l3vni: 54_999, ..VrfEntry::default() };
    assert_eq!(vrf::read(text).expect("as FRR writes it")["green"], down);
}

#[test]
fn segments_have_their_port_their_vteps_and_their_vnis() {
    let shared = Segment {
        esi: "03:44:38:39:ff:ff:01:00:00:09".to_owned(),
        local: true,
        remote: true,
        interface: some("bond9"),
        forwards: Some(true),
        up: Some(true),
        bridged: Some(true),
        preference: Some(32_767),
        group: Some(536_870_913),
        vteps: vec![SegmentVtep {
            vtep: ip("10.0.1.12"),
            algorithm: some("preference"),
            preference: Some(100),
            hop: Some(268_435_458),
        }],
        vnis: BTreeSet::from([10_101]),
        ..Segment::default()
    };
    let elsewhere = Segment {
        esi: "03:44:38:39:ff:ff:02:00:00:08".to_owned(),
        remote: true,
        group: Some(536_870_915),
        vteps: vec![SegmentVtep {
            vtep: ip("10.0.1.12"),
            algorithm: None,
            preference: None,
            hop: Some(268_435_458),
        }],
        ..Segment::default()
    };
    let segments = recorded!("segment.json");
    for ((version, text), (_, parts)) in segments.into_iter().zip(recorded!("segment-vnis.json")) {
        let read = segment::read(text).expect("recorded");
        let joined = segment::joined(read, segment::networks(parts).expect("recorded"));
        assert_eq!(joined, [shared.clone(), elsewhere.clone()], "{version}");
    }
}

fn hop(gateway: Option<&str>, interface: &str) -> HopEntry {
    HopEntry {
        gateway: gateway.map(ip),
        interface: some(interface),
        weight: 1,
        active: true,
        fib: true,
        ..HopEntry::default()
    }
}

fn route(vrf: Option<&str>, to: &str, protocol: &str, hops: &[HopEntry]) -> RouteEntry {
    RouteEntry {
        vrf: vrf.map(str::to_owned),
        prefix: prefix::parse(to).expect("a prefix"),
        protocol: protocol.to_owned(),
        distance: if protocol == "bgp" { 20 } else { 0 },
        installed: true,
        hops: hops.to_vec(),
        ..RouteEntry::default()
    }
}

#[test]
fn routes_of_all_vrfs_are_read_as_far_as_they_are_chosen() {
    let nowhere =
        |kind| HopEntry { kind, weight: 1, active: true, fib: true, ..HopEntry::default() };
    let leaked = HopEntry { vrf: some("green"), onlink: true, ..hop(Some("10.0.1.12"), "br4003") };
    assert_read!(
        "route.json",
        super::route::read,
        [
            route(Some("blue"), "10.1.0.0/24", "connected", &[hop(None, "br201")]),
            route(Some("blue"), "10.9.0.1/32", "bgp", &[leaked]),
            // FRR 10 has a second one, of the kernel's table `local`, which is not chosen.
            route(None, "10.0.1.11/32", "connected", &[hop(None, "lo")]),
            route(None, "10.77.0.0/16", "kernel", &[nowhere(HopKind::Blackhole)]),
            route(None, "10.78.0.0/16", "kernel", &[nowhere(HopKind::Unreachable)]),
            route(None, "10.79.0.0/16", "kernel", &[nowhere(HopKind::Prohibit)]),
        ]
    );
    let last = RouteEntry {
        distance: 255,
        metric: 8192,
        ..route(Some("blue"), "::/0", "kernel", &[nowhere(HopKind::Unreachable)])
    };
    let routed = HopEntry { onlink: true, ..hop(Some("::ffff:10.0.1.12"), "br4002") };
    assert_read!(
        "route6.json",
        super::route::read,
        [
            last.clone(),
            route(Some("blue"), "fd00:2::/64", "bgp", &[routed]),
            route(None, "fe80::/64", "connected", &[hop(None, "swp1")]),
        ]
    );
}

#[test]
fn a_route_has_all_its_ways_and_says_what_it_goes_by() {
    let [left, right] = [("fe80::66:53ff:fef6:fc3d", "swp2"), ("fe80::84:5fff:fea1:b666", "swp1")]
        .map(|(gateway, port)| hop(Some(gateway), port));
    assert_read!(
        "route-ecmp.json",
        super::route::read,
        [route(None, "10.0.1.12/32", "bgp", &[left.clone(), right.clone()])]
    );
    let by = HopEntry {
        gateway: Some(ip("10.0.1.12")),
        weight: 1,
        active: true,
        recursive: true,
        ..HopEntry::default()
    };
    assert_read!(
        "route-static.json",
        super::route::read,
        [RouteEntry {
            distance: 1,
            ..route(None, "10.66.0.0/16", "static", &[by.clone(), right.clone()])
        }]
    );
    // As of a next hop that the kernel cannot reach (`ROUTE_ENTRY_FAILED`).
    let recorded = include_str!("recorded/10.3/route-static.json");
    let refused = recorded.replace("\"installed\":true", "\"failed\":true");
    let [entry] = &super::route::read(&refused).expect("as FRR writes it")[..] else {
        panic!("it is one route")
    };
    assert!(entry.failed && !entry.installed, "{entry:?}");
    assert_eq!(super::route::read("").expect("nothing"), []);
}

#[test]
fn sessions_have_their_state_and_what_they_carry_in_each_family() {
    for (version, text) in recorded!("session.json") {
        let sessions = session::read(text).expect("recorded");
        let [up, down] = sessions.as_slice() else {
            panic!("{version} has two sessions: {sessions:?}");
        };
        assert!(up.is_established() && !down.is_established(), "{version}");
        let families = |accepted, sent| {
            let [v4, evpn] = accepted;
            let [to_v4, to_evpn] = sent;
            BTreeMap::from([
                ("ipv4Unicast".to_owned(), Prefixes { accepted: v4, sent: to_v4 }),
                ("l2VpnEvpn".to_owned(), Prefixes { accepted: evpn, sent: to_evpn }),
            ])
        };
        let evpn = up.families["l2VpnEvpn"];
        assert!(evpn.accepted > 0 && evpn.sent > 0, "{version}: {evpn:?}");
        let session = |peer: &str, name: &str, state: &str| Session {
            peer: peer.to_owned(),
            name: some(name),
            remote_as: 65_100,
            local_as: 65_101,
            state: state.to_owned(),
            ..Session::default()
        };
        let expected = Session {
            uptime: Some(23),
            families: families([8, evpn.accepted], [9, evpn.sent]),
            ..session("swp1", "spine01", "Established")
        };
        assert_eq!(*up, expected, "{version}");
        let expected =
            Session { families: families([0, 0], [0, 0]), ..session("swp2", "spine02", "Idle") };
        assert_eq!(*down, expected, "{version}");
    }
}

#[test]
fn bfd_says_who_is_heard_and_by_which_timers() {
    for (version, text) in recorded!("bfd.json") {
        let mut sessions = super::bfd::read(text).expect("recorded");
        assert!(sessions.iter().all(|it| it.uptime.is_some_and(|it| it < 10)), "{version}");
        sessions.iter_mut().for_each(|it| it.uptime = None);
        let session = |interface: &str, peer: &str, local: &str| BfdSession {
            peer: ip(peer),
            local: Some(ip(local)),
            interface: some(interface),
            up: true,
            status: "up".to_owned(),
            diagnostic: "ok".to_owned(),
            receive_ms: 300,
            transmit_ms: 300,
            multiplier: 3,
            remote_transmit_ms: 300,
            remote_multiplier: 3,
            ..BfdSession::default()
        };
        let expected = [
            session("swp1", "fe80::84:5fff:fea1:b666", "fe80::a7:d7ff:fe71:fb6d"),
            session("swp4", "fe80::60:15ff:fec0:8dcb", "fe80::a7:d7ff:fe71:f2ee"),
        ];
        assert_eq!(sessions, expected, "{version}");
    }
}

#[test]
fn duplicates_are_detected_by_the_settings() {
    assert_read!(
        "duplicates.json",
        duplicates::read,
        Some(DuplicateDetection {
            enabled: true,
            moves: 2,
            seconds: 600,
            freezes: Some(true),
            freeze_seconds: Some(3600),
        })
    );
}

#[test]
fn where_evpn_is_off_there_is_nothing() {
    // What FRR 8.4 and 10.3 say then.
    for nothing in ["", "{}\n"] {
        assert_eq!(duplicates::read(nothing).expect("nothing"), None);
        assert_eq!(vni::read(nothing).expect("nothing"), BTreeMap::new());
        assert_eq!(super::mac::read(nothing).expect("nothing"), []);
        assert_eq!(neighbour::read(nothing).expect("nothing"), []);
        assert_eq!(segment::read(nothing).expect("nothing"), []);
        assert_eq!(vrf::read(nothing).expect("nothing"), BTreeMap::new());
        assert_eq!(session::read(nothing).expect("nothing"), []);
        assert_eq!(super::route::read(nothing).expect("nothing"), []);
    }
}

/// FRR's sockets in a folder of their own, which go with this value. Each daemon is a thread that answers from a table.
struct Sockets {
    folder: PathBuf,
}

/// What a daemon answers to a command.
type Answers = fn(&str) -> &'static str;

impl Sockets {
    fn new(name: &str) -> Self {
        let folder = format!("fabric-frr-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        Self { folder }
    }

    /// A daemon that takes one call.
    fn runs(&self, daemon: &str, answers: Answers) {
        let listener = self.listens(daemon);
        std::thread::spawn(move || {
            if let Ok((caller, _)) = listener.accept() {
                serve(caller, answers);
            }
        });
    }

    fn listens(&self, daemon: &str) -> UnixListener {
        let path = self.folder.join(daemon).with_extension("vty");
        UnixListener::bind(path).expect("a socket can be made")
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Answers until the caller hangs up.
fn serve(mut caller: UnixStream, answers: Answers) {
    let mut question = Vec::new();
    let mut byte = [0];
    while caller.read_exact(&mut byte).is_ok() {
        if byte[0] != 0 {
            question.push(byte[0]);
            continue;
        }
        let command = String::from_utf8_lossy(&question).into_owned();
        question.clear();
        let answer = [answers(&command).as_bytes(), &[0; 4]].concat();
        if caller.write_all(&answer).is_err() {
            return;
        }
    }
}

/// As long as a test waits that something goes well.
const PATIENCE: Duration = Duration::from_secs(60);

fn zebra(command: &str) -> &'static str {
    match command {
        "show version" => "FRRouting 8.4.4 (leaf01) on Linux(6.1.0).\n",
        vni::COMMAND => include_str!("recorded/8.4/vni.json"),
        vni::IN_WORDS => include_str!("recorded/8.4/vni.txt"),
        "show ip route vrf all json" => include_str!("recorded/8.4/route.json"),
        "show ipv6 route vrf all json" => include_str!("recorded/8.4/route6.json"),
        // As where a feature is off.
        _ => "",
    }
}

#[test]
fn all_daemons_are_asked_and_what_they_say_can_be_written_and_read_again() {
    let here = Sockets::new("all");
    here.runs("zebra", zebra);
    here.runs("bgpd", |_| include_str!("recorded/8.4/session.json"));
    let frr = collect(&here.folder, PATIENCE).expect("it answers").expect("zebra runs");
    assert_eq!(frr.version, "8.4.4");
    assert_eq!(frr.vnis[&10_101].flood, BTreeSet::from([ip("10.0.1.12")]));
    assert_eq!((frr.routes.len(), frr.sessions.len(), frr.bfd.len()), (9, 2, 0));
    let missing = BTreeMap::from([("bfdd".to_owned(), "bfdd of FRR does not run".to_owned())]);
    assert_eq!(frr.missing, missing);
    let text = serde_json::to_string(&frr).expect("plain values");
    assert_eq!(serde_json::from_str::<Frr>(&text).expect("its own text"), frr);
}

#[test]
fn without_zebra_there_is_no_frr() {
    let here = Sockets::new("none");
    assert_eq!(collect(&here.folder, PATIENCE).expect("nobody is there"), None);
    assert_eq!(collect(Path::new("/nowhere"), PATIENCE).expect("nobody is there"), None);
}

#[test]
fn a_daemon_that_is_stuck_ends_by_the_patience_with_one_sentence() {
    let here = Sockets::new("stuck");
    let listener = here.listens("zebra");
    let error = collect(&here.folder, Duration::from_millis(50)).expect_err("it is stuck");
    let path = here.folder.join("zebra.vty");
    let expected =
        format!("zebra of FRR takes no calls at {}: no answer within 0 s", path.display());
    assert_eq!(error.to_string(), expected);
    drop(listener);
    let error = collect(&here.folder, PATIENCE).expect_err("it has died and left its socket");
    assert!(error.to_string().starts_with("zebra of FRR has ended: nobody listens at "), "{error}");
}

#[test]
fn an_answer_that_is_no_json_is_named_with_its_command_and_place() {
    let here = Sockets::new("nonsense");
    here.runs("zebra", zebra);
    here.runs("bgpd", |command| match command {
        session::COMMAND => "{\n\"default\":{\n  \"peers\":nan\n}}",
        _ => "",
    });
    let frr = collect(&here.folder, PATIENCE).expect("zebra answers").expect("zebra runs");
    assert_eq!(
        frr.missing["bgpd"],
        "the answer of FRR's bgpd to `show bgp vrf all summary json` is not the JSON it should be: \
         expected ident at line 3 column 12, near `\"peers\":nan`"
    );
    let here = Sockets::new("nonsense-zebra");
    here.runs("zebra", |command| match command {
        vni::COMMAND => "% Something went wrong\n",
        _ => "",
    });
    let error = collect(&here.folder, PATIENCE).expect_err("nonsense");
    let place = "expected value at line 1 column 1, near `% Something went wrong`";
    assert!(error.to_string().ends_with(place), "{error}");
}
