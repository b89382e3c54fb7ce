//! The part of `frr.conf` that is about tenants: a VRF with its L3VNI each, whose subnets are announced as routes
//! of EVPN (type 5).

use std::fmt::{self, Write as _};

use crate::lab::topology::{Network, Switch, Tenant, Topology};

/// That zebra is to take a VNI for the L3VNI of a VRF.
pub(super) fn l3vnis(text: &mut String, topology: &Topology, node: &Switch) -> fmt::Result {
    for Tenant { name, vni, .. } in topology.tenants_of(node) {
        writeln!(text, "vrf {name}\n vni {vni}\nexit-vrf\n!")?;
    }
    Ok(())
}

/// The instance of BGP of each tenant.
pub(super) fn instances(text: &mut String, topology: &Topology, node: &Switch) -> fmt::Result {
    for Tenant { name, vni, .. } in topology.tenants_of(node) {
        writeln!(
            text,
            "router bgp {} vrf {name}\n bgp router-id {}\n bgp bestpath as-path multipath-relax\n !",
            node.asn, node.loopback
        )?;
        let of_tenant = |it: &&Network| it.tenant.as_ref() == Some(name);
        let is_ipv6 = topology.networks.iter().filter(of_tenant).any(Network::has_gateway6);
        let families = [("ipv4", true), ("ipv6", is_ipv6)].into_iter().filter(|it| it.1);
        for (family, _) in families.clone() {
            write!(
                text,
                " address-family {family} unicast
  redistribute connected
  maximum-paths 64
 exit-address-family
 !
"
            )?;
        }
        writeln!(text, " address-family l2vpn evpn")?;
        for (family, _) in families {
            writeln!(text, "  advertise {family} unicast")?;
        }
        // The automatic route target is AS:VNI, and every rack has another AS.
        write!(
            text,
            "  route-target import {rt}:{vni}
  route-target export {rt}:{vni}
 exit-address-family
exit
!
",
            rt = topology.fabric.route_target_as,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::lab::render::frr_conf;
    use crate::lab::topology::Topology;

    #[test]
    fn a_tenant_has_an_l3vni_and_announces_its_subnets_by_its_own_route_target() {
        let picture = include_str!("../../../../topologies/tenants.dot");
        let inventory = include_str!("../../../../topologies/tenants.toml");
        let topology = Topology::parse("tenants", picture, inventory).expect("valid");
        let text = frr_conf(&topology, topology.switch("leaf01").expect("drawn"));
        assert!(text.contains("vrf red\n vni 54001\nexit-vrf\n!\n"), "{text}");
        let (_, red) = text.split_once("router bgp 65101 vrf red\n").expect("it has an instance");
        let (red, _) = red.split_once("\nexit\n").expect("which ends");
        for line in [
            "  redistribute connected",
            "  advertise ipv4 unicast",
            "  advertise ipv6 unicast",
            "  route-target import 65000:54001",
            "  route-target export 65000:54001",
        ] {
            assert!(red.lines().any(|it| it == line), "{line}: {red}");
        }
        let spine = frr_conf(&topology, topology.switch("spine01").expect("drawn"));
        assert!(!spine.contains("vrf"), "{spine}");
    }
}
