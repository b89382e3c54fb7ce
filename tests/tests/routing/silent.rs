//! What the kernel removes, or takes into use again, without a message about it. No audit helps: the
//! next one is a day away.

use std::collections::BTreeSet;

use fabric_tests::fabric::{Router, SOON, until};
use serde_json::Value;

const DAY: &str = "audit_interval_s = 86400\n";

/// A router with routes of every form over all of its ports.
fn router() -> Router {
    let mut router = Router::without_daemon(DAY);
    router.know_neighbours();
    router.ip("route add 10.9.1.0/24 via inet6 2001:db8:1::2 dev swp1\n\
         route add 10.9.2.0/24 via 10.1.1.2 src 10.1.1.1\n\
         route add 10.9.3.0/24 nexthop via 10.1.1.2 nexthop via 10.1.2.2\n\
         addr add 10.1.3.77/24 dev swp3\n\
         route add 10.9.4.0/24 via 10.1.2.2 src 10.1.3.77\n\
         route add 10.9.5.0/24 nexthop via inet6 2001:db8:1::2 dev swp1 nexthop via 10.1.2.2\n\
         nexthop add id 1 via 10.1.1.2 dev swp1\nnexthop add id 2 via 10.1.2.2 dev swp2\n\
         nexthop add id 12 group 1/2\nroute add 10.9.6.0/24 nhid 1\nroute add 10.9.7.0/24 nhid 12\n\
         route add 10.9.8.0/24 dev swp1\nroute add 2001:db8:9::/48 via 2001:db8:1::2\n\
         route add 2001:db8:a::/48 via 2001:db8:2::2 src 2001:db8:1::1\n");
    router.start();
    router.wait_way("10.9.3.1", "10.1.1.2 and 10.1.2.2");
    router
}

/// Where the kernel's routes to all of these lead, in the words of [`Router::way`].
const ADDRESSES: [&str; 11] = [
    "10.9.1.1",
    "10.9.2.1",
    "10.9.3.1",
    "10.9.4.1",
    "10.9.5.1",
    "10.9.6.1",
    "10.9.7.1",
    "10.9.8.1",
    "10.9.9.1",
    "2001:db8:9::1",
    "2001:db8:a::1",
];

/// The routers that the kernel sends packets to an address by; it is asked about many flows.
fn kernel(router: &Router, address: &str) -> BTreeSet<String> {
    let asked: String = (16..40)
        .map(|flow| {
            let source = match address.contains(':') {
                true => format!("2001:db8:4::{flow}"),
                false => format!("10.1.4.{flow}"),
            };
            format!("route get {address} from {source} iif swp4\n")
        })
        .collect();
    let way = |line: &str| {
        let answer: Value = serde_json::from_str(line).ok()?;
        let route = answer.get(0)?;
        let gateway = route["gateway"].as_str().or_else(|| route["via"]["host"].as_str())?;
        Some(gateway.to_owned())
    };
    router.ask_ip(&asked).lines().filter_map(way).collect()
}

/// The routers that Fabric sends packets to an address by; none if it leaves them to the kernel.
fn fabric(router: &Router, address: &str) -> Option<BTreeSet<String>> {
    let way = router.way(address);
    if ["kernel", "connected", "unreachable"].contains(&way.as_str()) {
        return None;
    }
    if way == "none" || way == "local" {
        return Some(BTreeSet::new());
    }
    // Members of dead links stay in their groups, but nothing is sent to them.
    let maps = router.maps();
    let dead: Vec<u32> = (1..=4_u32)
        .filter(|i| {
            let name = format!("swp{i}");
            let mut ports = maps.ports.iter();
            let ifindex = router.links().get(&name).copied();
            ports.any(|(_, port)| Some(port.ifindex) == ifindex && port.down != 0)
        })
        .collect();
    let lives = |gateway: &&str| {
        let on = |i| [format!("10.1.{i}.2"), format!("2001:db8:{i}::2")];
        !dead.iter().any(|i| on(i).contains(&(*gateway).to_owned()))
    };
    let gateways = way.split(" and ").map(|member| member.split('*').next().unwrap_or_default());
    Some(gateways.filter(lives).map(str::to_owned).collect())
}

/// Each step in words of `ip`, and what it takes away or gives back in silence.
const STEPS: [(&str, &str); 10] = [
    ("addr del 10.1.3.77/24 dev swp3", "a source address: `fib_sync_down_addr`"),
    ("addr del 10.1.1.1/24 dev swp1", "an interface's last IPv4 address: `fib_disable_ip`"),
    ("addr add 10.1.1.1/24 dev swp1", "an interface's first one: `fib_sync_up`"),
    ("link set swp2 down", "a link that is down: `fib_sync_down_dev`, `nexthop_flush_dev`"),
    ("link set swp2 up", "and up again"),
    ("addr del 2001:db8:1::1/64 dev swp1", "an IPv6 address"),
    ("link set swp2 netns PEERS", "an interface that moves to another namespace"),
    ("nexthop add id 3 via 10.1.1.2 dev swp1", "nothing"),
    ("route add 10.9.9.0/24 nhid 3", "nothing"),
    ("nexthop del id 3", "routes with their nexthop object: `__remove_nexthop_fib`"),
];

#[test]
fn what_the_kernel_flushes_in_silence_is_flushed_here_as_well() {
    let router = router();
    for (step, what) in STEPS {
        router.ip(&format!("{}\n", step.replace("PEERS", router.peers().name())));
        for address in ADDRESSES {
            let mut last = None;
            until(
                SOON,
                &format!("{address} goes where the kernel sends it after {step} ({what})"),
                || {
                    let (kernel, fabric) = (kernel(&router, address), fabric(&router, address));
                    let agree = fabric.as_ref().is_none_or(|fabric| *fabric == kernel);
                    last = Some((kernel, fabric));
                    agree
                },
            );
        }
    }
    let state = router.state();
    assert_eq!((state.audits, state.resyncs), (0, 0), "nothing but messages was needed");
}
