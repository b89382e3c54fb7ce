//! What a node has to be told again about a port that was switched off: the kernel forgets the port's IPv6
//! addresses and every route over it.

use super::interfaces::Configuration;

/// Begins a next hop in an `ip` line.
const NEXT_HOP: &str = " nexthop ";

/// The `ip` lines of a configuration that give a port its addresses, and the node its routes over it, in a
/// form that changes nothing where they are there. Next hops at ports of which `is_on` says that they are
/// switched off are left out, because the kernel refuses them. `lone` says whether it is the node's only
/// port, over which routes lead that name none.
pub fn anew(
    configuration: &Configuration,
    port: &str,
    lone: bool,
    is_on: impl Fn(&str) -> bool,
) -> Vec<String> {
    let device = |text: &str| {
        text.split_whitespace().skip_while(|it| *it != "dev").nth(1).map(str::to_owned)
    };
    let at_port = |text: &str| device(text).map_or(lone, |it| it == port);
    let anew = |line: &String| {
        if let Some(address) = line.strip_prefix("address add ") {
            return at_port(address).then(|| format!("address replace {address}"));
        }
        let (_, route) = line.split_once("route ")?;
        let route = route.strip_prefix("add ").or(route.strip_prefix("replace "))?;
        let (to, hops) = route.split_once(NEXT_HOP).unwrap_or((route, ""));
        if hops.is_empty() {
            return at_port(to).then(|| format!("route replace {to}"));
        }
        let hops = hops.split(NEXT_HOP).filter(|hop| device(hop).is_some_and(|it| is_on(&it)));
        let hops: Vec<&str> = hops.collect();
        let hops_there = hops.iter().any(|hop| at_port(hop));
        hops_there.then(|| format!("route replace {to}{NEXT_HOP}{}", hops.join(NEXT_HOP)))
    };
    configuration.ip.iter().filter_map(anew).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(lines: &[&str]) -> Configuration {
        let ip = lines.iter().map(|&line| line.to_owned()).collect();
        Configuration { ip, ..Configuration::default() }
    }

    #[test]
    fn a_switch_gets_the_ports_addresses_and_its_routes_over_ports_that_are_on() {
        let all = configuration(&[
            "link set swp1 mtu 1600 up",
            "address add 10.0.1.11/32 dev lo",
            "address add fe80::1/64 dev swp1",
            "address add fe80::1/64 dev swp2",
            "route replace 10.0.1.1/32 proto static nexthop via inet6 fe80::2 dev swp2",
            "route replace fd00::1/128 proto static nexthop via fe80::2 dev swp1 nexthop via fe80::2 dev swp2 \
             nexthop via fe80::2 dev swp3",
        ]);
        let expected = [
            "address replace fe80::1/64 dev swp1",
            "route replace fd00::1/128 proto static nexthop via fe80::2 dev swp1 nexthop via fe80::2 dev swp3",
        ];
        assert_eq!(anew(&all, "swp1", false, |port| port != "swp2"), expected);
    }

    #[test]
    fn a_host_gets_its_addresses_and_default_routes() {
        let all = configuration(&[
            "link set lo up",
            "address add fd00:1:11::10/64 dev eth0",
            "route add default via fd00:1:11::1",
        ]);
        let expected =
            ["address replace fd00:1:11::10/64 dev eth0", "route replace default via fd00:1:11::1"];
        assert_eq!(anew(&all, "eth0", true, |_| true), expected);
    }
}
