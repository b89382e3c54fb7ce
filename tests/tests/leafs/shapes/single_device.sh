# A single vxlan device with a filter of VNIs for L2VNIs and the L3VNI, VLAN interfaces as gateways in a VRF, as FRR's
# documentation and tests have it.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add red type vrf table 1001
ip link set red up
ip link add bridge type bridge vlan_filtering 1 vlan_default_pvid 0
ip link set bridge addrgenmode none up
ip link add vxlan0 type vxlan external vnifilter local 192.0.2.1 dstport 4789 nolearning
ip link set vxlan0 addrgenmode none master bridge
bridge link set dev vxlan0 vlan_tunnel on neigh_suppress on learning off
bridge vlan add vid 10 dev bridge self
bridge vlan add vid 10 dev vxlan0
bridge vlan add vid 10 dev vxlan0 tunnel_info id 1010
bridge vni add vni 1010 dev vxlan0
bridge vlan add vid 20 dev bridge self
bridge vlan add vid 20 dev vxlan0
bridge vlan add vid 20 dev vxlan0 tunnel_info id 1020
bridge vni add vni 1020 dev vxlan0
bridge vlan add vid 4001 dev bridge self
bridge vlan add vid 4001 dev vxlan0
bridge vlan add vid 4001 dev vxlan0 tunnel_info id 4001
bridge vni add vni 4001 dev vxlan0
ip link set swp1 master bridge up
ip link set swp2 master bridge up
bridge vlan add vid 10 dev swp1 pvid untagged
bridge vlan add vid 20 dev swp2 pvid untagged
ip link set vxlan0 up
ip link add link bridge name vlan10 type vlan id 10
ip link set vlan10 master red up
ip addr add 10.1.10.1/24 dev vlan10
ip addr add fd00:10::1/64 dev vlan10
ip link add link bridge name vlan20 type vlan id 20
ip link set vlan20 master red up
ip addr add 10.1.20.1/24 dev vlan20
ip addr add fd00:20::1/64 dev vlan20
ip link add link bridge name vlan4001 type vlan id 4001
ip link set vlan4001 addrgenmode none master red up

# Hosts, by ARP and neighbour discovery.
ip neigh add 10.1.10.11 lladdr 02:00:00:00:0a:0b dev vlan10 nud permanent
ip neigh add fd00:10::b lladdr 02:00:00:00:0a:0b dev vlan10 nud permanent
ip neigh add 10.1.20.12 lladdr 02:00:00:00:14:0c dev vlan20 nud permanent
ip neigh add fd00:20::c lladdr 02:00:00:00:14:0c dev vlan20 nud permanent

# zebra
bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.2 src_vni 1010 self permanent
bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.2 src_vni 1020 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vxlan0 dst 192.0.2.2 src_vni 1010 self master dynamic extern_learn vlan 10
bridge fdb add 02:00:00:00:14:16 dev vxlan0 dst 192.0.2.2 src_vni 1020 self master dynamic extern_learn vlan 20
bridge fdb add 02:00:00:00:99:02 dev vxlan0 dst 192.0.2.2 src_vni 4001 self master dynamic extern_learn vlan 4001
ip neigh add 10.1.20.22 lladdr 02:00:00:00:14:16 dev vlan20 nud noarp extern_learn
ip neigh add fd00:20::16 lladdr 02:00:00:00:14:16 dev vlan20 nud noarp extern_learn
ip neigh add 192.0.2.2 lladdr 02:00:00:00:99:02 dev vlan4001 nud noarp extern_learn
ip neigh add ::ffff:192.0.2.2 lladdr 02:00:00:00:99:02 dev vlan4001 nud noarp extern_learn
ip nexthop add id 21 via 192.0.2.2 dev vlan4001 onlink proto zebra
ip nexthop add id 22 via ::ffff:192.0.2.2 dev vlan4001 onlink proto zebra
ip route add 10.1.30.0/24 table 1001 nhid 21 proto bgp metric 20
ip route add fd00:30::/64 table 1001 nhid 22 proto bgp metric 20
