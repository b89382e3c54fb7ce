# ifupdown2's result, as on Cumulus Linux 5: a bridge with a single vxlan device for L2VNIs, and another bridge with
# another one for L3VNIs; virtual routers in a tenant's VRF.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add red type vrf table 1001
ip link set red up
ip link add br_default type bridge vlan_filtering 1 vlan_default_pvid 1
ip link set br_default up
ip link add br_l3vni type bridge vlan_filtering 1 vlan_default_pvid 0
ip link set br_l3vni up
ip link add vxlan48 type vxlan external vnifilter local 192.0.2.1 dstport 4789 nolearning
ip link set vxlan48 master br_default
ip link add vxlan99 type vxlan external vnifilter local 192.0.2.1 dstport 4789 nolearning
ip link set vxlan99 master br_l3vni
ip link set swp1 master br_default up
ip link set swp2 master br_default up
bridge link set dev vxlan48 vlan_tunnel on neigh_suppress on learning off
bridge vlan add vid 10 dev vxlan48
bridge vlan add vid 10 dev vxlan48 tunnel_info id 1010
bridge vlan add vid 20 dev vxlan48
bridge vlan add vid 20 dev vxlan48 tunnel_info id 1020
bridge vni add vni 1010 dev vxlan48
bridge vni add vni 1020 dev vxlan48
bridge link set dev vxlan99 vlan_tunnel on learning off
bridge vlan add vid 220 dev vxlan99
bridge vlan add vid 220 dev vxlan99 tunnel_info id 4001
bridge vni add vni 4001 dev vxlan99
bridge vlan del vid 1 dev swp1
bridge vlan add vid 10 dev swp1 pvid untagged
bridge vlan del vid 1 dev swp2
bridge vlan add vid 20 dev swp2 pvid untagged
bridge vlan add vid 10 dev br_default self
bridge vlan add vid 20 dev br_default self
bridge vlan add vid 220 dev br_l3vni self
ip link set vxlan48 up
ip link set vxlan99 up
ip link add link br_default name vlan10 type vlan id 10
ip link set vlan10 master red up
ip addr add 10.1.10.2/24 dev vlan10
ip addr add fd00:10::2/64 dev vlan10
ip link add link vlan10 name vlan10-v0 type macvlan mode private
ip link set vlan10-v0 address 00:00:5e:00:01:0a master red up
ip addr add 10.1.10.1/24 dev vlan10-v0 metric 1024
ip addr add fd00:10::1/64 dev vlan10-v0 metric 1024
ip link add link br_default name vlan20 type vlan id 20
ip link set vlan20 master red up
ip addr add 10.1.20.1/24 dev vlan20
ip addr add fd00:20::1/64 dev vlan20
ip link add link br_l3vni name vlan220_l3 type vlan id 220
ip link set vlan220_l3 master red up

# Hosts, by ARP and neighbour discovery.
ip neigh add 10.1.10.11 lladdr 02:00:00:00:0a:0b dev vlan10 nud permanent
ip neigh add fd00:10::b lladdr 02:00:00:00:0a:0b dev vlan10 nud permanent
ip neigh add 10.1.20.12 lladdr 02:00:00:00:14:0c dev vlan20 nud permanent
ip neigh add fd00:20::c lladdr 02:00:00:00:14:0c dev vlan20 nud permanent

# zebra
ip neigh add 192.0.2.2 lladdr 02:00:00:00:99:02 dev vlan220_l3 nud noarp extern_learn
ip neigh add ::ffff:192.0.2.2 lladdr 02:00:00:00:99:02 dev vlan220_l3 nud noarp extern_learn
ip nexthop add id 21 via 192.0.2.2 dev vlan220_l3 onlink proto zebra
ip nexthop add id 22 via ::ffff:192.0.2.2 dev vlan220_l3 onlink proto zebra
ip route add 10.1.30.0/24 table 1001 nhid 21 proto bgp metric 20
ip route add fd00:30::/64 table 1001 nhid 22 proto bgp metric 20
bridge fdb add 00:00:5e:00:01:0a dev br_default vlan 10 self local
bridge fdb append 00:00:00:00:00:00 dev vxlan48 dst 192.0.2.2 src_vni 1010 self permanent
bridge fdb append 00:00:00:00:00:00 dev vxlan48 dst 192.0.2.2 src_vni 1020 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vxlan48 dst 192.0.2.2 src_vni 1010 self master dynamic extern_learn vlan 10
bridge fdb add 02:00:00:00:14:16 dev vxlan48 dst 192.0.2.2 src_vni 1020 self master dynamic extern_learn vlan 20
bridge fdb add 02:00:00:00:99:02 dev vxlan99 dst 192.0.2.2 src_vni 4001 self master dynamic extern_learn vlan 220
