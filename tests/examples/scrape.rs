//! What does a scrape cost on a leaf with 1,000 VNIs and 64 ports?
//!
//! ```sh
//! cargo build && cargo run --package fabric-tests --example scrape
//! ```
//!
//! Prints the processor time that fabric-xdpd's threads for metrics take for one scrape, the median of several, and
//! the length of the answer. Needs root.

use std::{fs, thread::sleep, time::Duration};

use fabric_tests::{
    daemon::Daemon,
    scrape::{OPEN, TEXT, get},
    space::{Space, unique},
};

const VNIS: u32 = 1_000;
const PORTS: u32 = 64;
/// MAC addresses behind the VTEP, of each VNI.
const MACS: u32 = 4;
const ROUNDS: usize = 15;
const PORT: u16 = 9843;

/// Nanoseconds that the threads for metrics of a process have run.
fn spent(process: i32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("fabric-xdpd runs");
    let mut spent = 0;
    for task in tasks.flatten().map(|task| task.path()) {
        let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
        let times = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
        if name.starts_with("metrics") {
            spent += times.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0);
        }
    }
    spent
}

fn leaf(space: &Space, hosts: &Space) {
    space.sysctls(&[
        ("ipv6/conf/all/disable_ipv6", "1"),
        ("ipv6/conf/default/disable_ipv6", "1"),
        ("ipv4/ip_forward", "1"),
    ]);
    let mut links = format!(
        "link set lo up\naddr add 10.0.0.1/32 dev lo\n\
         link add up0 type veth peer name up0 netns {}\nlink set up0 up\n\
         addr add 10.1.0.1/30 dev up0\n",
        hosts.name()
    );
    let mut macs = String::new();
    for i in 0..VNIS {
        let vni = 10_000 + i;
        links += &format!(
            "link add br{i} up type bridge\n\
             link add vx{i} type vxlan id {vni} local 10.0.0.1 dstport 4789 nolearning noudpcsum\n\
             link set vx{i} master br{i} up\n"
        );
        for mac in 0..MACS {
            let mac = format!("02:00:{mac:02x}:00:{:02x}:{:02x}", i >> 8, i & 255);
            macs += &format!(
                "fdb add {mac} dev vx{i} dst 10.0.0.2 self static\n\
                 fdb add {mac} dev vx{i} master static\n"
            );
        }
    }
    for i in 0..PORTS - 1 {
        links += &format!(
            "link add h{i} type veth peer name h{i} netns {}\nlink set h{i} master br{i} up\n",
            hosts.name()
        );
    }
    space.ip(&links);
    space.bridge(&macs);
    let ends: String = (0..PORTS - 1).map(|i| format!("link set h{i} up\n")).collect();
    hosts.ip(&format!("link set up0 up\n{ends}"));
    space.ip("neigh replace 10.1.0.2 lladdr 02:00:00:00:00:02 dev up0 nud permanent\n\
         route add 10.0.0.2/32 via 10.1.0.2\n");
}

fn main() {
    let name = unique("scrape");
    let hosts = Space::new(format!("{name}h"));
    let space = Space::new(name.clone());
    leaf(&space, &hosts);
    let mut daemon = Daemon::new(&name, &["--metrics", "9843"]);
    daemon.start(&space);
    let process = daemon.pid().as_raw_nonzero().get();
    for (format, accept) in [("OpenMetrics", OPEN), ("text 0.0.4", TEXT)] {
        let mut costs = Vec::new();
        let mut length = 0;
        for _ in 0..ROUNDS {
            // What was read within a second would be given again.
            sleep(Duration::from_millis(1_100));
            let before = spent(process);
            length = get(&space, PORT, "/metrics", accept).expect("metrics are served").len();
            costs.push(spent(process) - before);
        }
        costs.sort_unstable();
        let page = fabric_tests::scrape::metrics(&space, PORT).expect("it is an exposition");
        let reading = page.value("fabric_scrape_duration_seconds", &[]).unwrap_or_default();
        println!(
            "{VNIS} VNIs, {} ports, {format}: {:.1} ms of processor time (least {:.1}, most {:.1}), \
             {} kB, read in {:.1} ms",
            page.series("fabric_port_info").count(),
            costs[ROUNDS / 2] as f64 / 1e6,
            costs[0] as f64 / 1e6,
            costs[ROUNDS - 1] as f64 / 1e6,
            length / 1_000,
            reading * 1e3,
        );
        assert_eq!(page.series("fabric_vni_info").count(), VNIS as usize);
    }
}
