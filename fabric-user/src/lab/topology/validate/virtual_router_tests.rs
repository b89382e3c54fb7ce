//! What is refused of virtual routers, and how it is said.

use super::tests::{check, files_refused, with};

const PICTURE: &str = include_str!("../../../../../topologies/tenants.dot");
const INVENTORY: &str = include_str!("../../../../../topologies/tenants.toml");
/// The own addresses of leaf02 in red-web, the first such lines of the file.
const RED_WEB: &str =
    "[networks.red-web.addresses]\nleaf02 = [\"10.1.0.2/24\", \"fd00:1::2/64\"]\n";

#[track_caller]
fn refused(from: &str, to: &str, message: &str) {
    files_refused(PICTURE, &with(INVENTORY, from, to), message);
}

/// That the inventory with other addresses of single nodes in red-web is refused.
#[track_caller]
fn refused_with(addresses: &str, message: &str) {
    refused(RED_WEB, &format!("[networks.red-web.addresses]\n{addresses}\n"), message);
}

#[test]
fn the_svi_has_its_own_address_and_the_virtual_router_the_gateways() {
    let topology = check(PICTURE, INVENTORY).expect("valid");
    let routers = |node: &str| {
        let network = topology.network("red-web").expect("it is there");
        let routers = topology.switch(node).expect("drawn").routers(network).into_iter();
        let shown =
            routers.map(|it| (it.device, it.addresses.iter().map(ToString::to_string).collect()));
        shown.collect::<Vec<(String, Vec<String>)>>()
    };
    let (own, gateways) = (["10.1.0.2/24", "fd00:1::2/64"], ["10.1.0.1/24", "fd00:1::1/64"]);
    let of = |device: &str, all: [&str; 2]| (device.to_owned(), all.map(str::to_owned).to_vec());
    assert_eq!(routers("leaf01"), [of("br101", gateways)]);
    assert_eq!(routers("leaf02"), [of("vlan101", own), of("vlan101-v0", gateways)]);
}

#[test]
fn a_node_with_virtual_routers_needs_an_address_of_its_own_in_each_network_with_a_gateway() {
    let message = "leaf02 has gateways = \"vrr\" and no address of its own in network red-web; write one of the gateway's subnet in [networks.red-web.addresses], and one of gateway6's";
    refused(RED_WEB, "", message);
    refused_with(
        "leaf02 = []",
        "leaf02 needs exactly one IPv4 address and at most one IPv6 address",
    );
    refused_with(
        "leaf02 = [\"10.1.0.2/24\"]",
        "the gateway has an IPv6 address in network red-web and leaf02 has none",
    );
}

#[test]
fn an_own_address_is_another_one_of_the_gateways_subnet() {
    refused_with(
        "leaf02 = [\"10.1.0.1/24\", \"fd00:1::2/64\"]",
        "address 10.1.0.1 of tenant red is used twice, by the gateway of network red-web and by leaf02",
    );
    refused_with(
        "leaf02 = [\"10.1.0.2/24\", \"fd00:1::1/64\"]",
        "address fd00:1::1 of tenant red is used twice, by the gateway of network red-web and by leaf02",
    );
    refused_with(
        "leaf02 = [\"10.1.0.12/24\", \"fd00:1::2/64\"]",
        "address 10.1.0.12 of tenant red is used twice, by leaf02 in network red-web and by host red2",
    );
    for (wrong, other) in [("10.9.0.2/24", "10.1.0.1/24"), ("10.1.0.2/25", "10.1.0.1/24")] {
        refused_with(
            &format!("leaf02 = [\"{wrong}\", \"fd00:1::2/64\"]"),
            &format!(
                "leaf02 has {wrong} in network red-web, and the gateway has {other}, in another"
            ),
        );
    }
    refused_with(
        "leaf02 = [\"10.1.0.255/24\", \"fd00:1::2/64\"]",
        "address 10.1.0.255/24 of leaf02 in network red-web is that of the subnet or its broadcast",
    );
}

#[test]
fn two_nodes_of_a_network_have_two_addresses() {
    let both =
        with(INVENTORY, "loopback = \"10.0.1.11\"", "loopback = \"10.0.1.11\"\ngateways = \"vrr\"");
    let same =
        with(&both, RED_WEB, &format!("{RED_WEB}leaf01 = [\"10.1.0.2/24\", \"fd00:1::3/64\"]\n"));
    files_refused(
        PICTURE,
        &same,
        "address 10.1.0.2 of tenant red is used twice, by leaf01 in network red-web and by leaf02 in",
    );
}

#[test]
fn an_own_address_beside_a_gateway_is_that_of_a_node_with_virtual_routers() {
    let beside = |node: &str| format!("{RED_WEB}{node} = [\"10.1.0.3/24\", \"fd00:1::3/64\"]\n");
    for (node, message) in [
        (
            "leaf01",
            "a gateway and addresses of leaf01, on which it is no virtual router; write gateways",
        ),
        (
            "spine01",
            "network red-web has addresses of spine01, which is a spine; leafs, borders and",
        ),
        ("nobody", "network red-web has addresses of the unknown node nobody; draw it in"),
    ] {
        refused(RED_WEB, &beside(node), message);
    }
    let elsewhere =
        with(INVENTORY, "loopback = \"10.0.1.11\"", "loopback = \"10.0.1.11\"\ngateways = \"vrr\"");
    let message =
        "leaf01 has addresses in network red-db, which does not live there; let it live there";
    let red_db = "[networks.red-db.addresses]\n";
    let elsewhere = with(
        &elsewhere,
        red_db,
        &format!("{red_db}leaf01 = [\"10.2.0.3/24\", \"fd00:2::3/64\"]\n"),
    );
    files_refused(PICTURE, &elsewhere, message);
}

/// One sentence for each network, and none about hosts or subnets.
#[test]
fn forgotten_virtual_routers_are_said_once_for_each_network() {
    let sentences = |inventory: &str| {
        let error = check(PICTURE, inventory).expect_err("must be refused").to_string();
        error.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let forgotten = sentences(&with(INVENTORY, "gateways = \"vrr\"\n", ""));
    let networks = INVENTORY.matches(".addresses]").count();
    assert_eq!(forgotten.len(), networks, "{forgotten:#?}");
    let message =
        "(leaf02), which take the gateway's place; remove one of them, or write gateways = \"vrr\"";
    assert!(forgotten.iter().all(|it| it.contains(message)), "{forgotten:#?}");
    let mistyped = sentences(&with(INVENTORY, "\"vrr\"", "\"varp\""));
    assert_eq!(mistyped.len(), 1, "{mistyped:#?}");
}

#[test]
fn an_exit_may_have_virtual_routers_in_its_networks_with_gateways() {
    let picture = include_str!("../../../../../topologies/exits.dot");
    let inventory = include_str!("../../../../../topologies/exits.toml");
    let exit = "[nodes.exit01]\n";
    let inventory = with(inventory, exit, &format!("{exit}gateways = \"vrr\"\n"));
    let web = "[networks.web]\nvlan = 60\nvni = 10060\nleafs = [\"exit01\"]\ngateway = \"10.60.0.1/24\"\n\
               gateway_mac = \"00:00:5e:00:01:3c\"\n[networks.web.addresses]\nexit01 = [\"10.60.0.2/24\"]\n";
    let topology = check(picture, &format!("{inventory}\n{web}")).expect("valid");
    let devices = |network: &str| {
        let network = topology.network(network).expect("it is there");
        let routers = topology.switch("exit01").expect("drawn").routers(network).into_iter();
        routers.map(|it| it.device).collect::<Vec<_>>()
    };
    assert_eq!(devices("front"), ["br50"]);
    assert_eq!(devices("web"), ["br60", "br60-v0"]);
    files_refused(picture, &inventory, "and no network with a gateway lives on it");
}

#[test]
fn virtual_routers_are_of_networks_with_a_gateway() {
    refused(
        "loopback = \"10.0.1.1\"\n",
        "loopback = \"10.0.1.1\"\ngateways = \"vrr\"\n",
        "spine01 has gateways = \"vrr\", and no network with a gateway lives on it",
    );
    refused("gateways = \"vrr\"", "gateways = \"varp\"", "unknown variant `varp`");
}
