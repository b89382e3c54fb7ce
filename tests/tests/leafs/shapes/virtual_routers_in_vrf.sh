# ifupdown2's result, as on Cumulus Linux: VLAN interfaces in a tenant's VRF, each with an address of its own and a
# virtual router's on a macvlan (`address-virtual`), and an L3VNI with a router MAC of its own (`hwaddress`).
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add red type vrf table 1001
ip link set red up
ip route add unreachable default table 1001 metric 8192
ip link add bridge type bridge vlan_filtering 1 vlan_default_pvid 1
ip link set bridge up
ip link add vni10 type vxlan id 1010 local 192.0.2.1 dstport 4789 nolearning ageing 1800
ip link set vni10 master bridge
ip link add vni20 type vxlan id 1020 local 192.0.2.1 dstport 4789 nolearning ageing 1800
ip link set vni20 master bridge
ip link add vni4001 type vxlan id 4001 local 192.0.2.1 dstport 4789 nolearning ageing 1800
ip link set vni4001 master bridge
ip link set swp1 master bridge up
ip link set swp3 master bridge up
bridge link set dev vni10 learning off neigh_suppress on
bridge link set dev vni20 learning off neigh_suppress on
bridge link set dev vni4001 learning off
bridge vlan del vid 1 dev vni10
bridge vlan add vid 10 dev vni10 pvid untagged
bridge vlan del vid 1 dev vni20
bridge vlan add vid 20 dev vni20 pvid untagged
bridge vlan del vid 1 dev vni4001
bridge vlan add vid 4001 dev vni4001 pvid untagged
bridge vlan del vid 1 dev swp1
bridge vlan add vid 10 dev swp1 pvid untagged
bridge vlan add vid 10 dev swp3
bridge vlan add vid 20 dev swp3
bridge vlan add vid 10 dev bridge self
bridge vlan add vid 20 dev bridge self
bridge vlan add vid 4001 dev bridge self
ip link add link bridge name vlan10 type vlan id 10
ip link set vlan10 master red up
ip addr add 10.1.10.2/24 dev vlan10
ip addr add fd00:10::2/64 dev vlan10
ip link add link vlan10 name vlan10-v0 type macvlan mode private
ip link set vlan10-v0 address 00:00:5e:00:01:01 master red up
bridge fdb add 00:00:5e:00:01:01 dev bridge vlan 10 self local
ip addr add 10.1.10.1/24 dev vlan10-v0 metric 1024
ip addr add fd00:10::1/64 dev vlan10-v0 metric 1024
ip link add link bridge name vlan20 type vlan id 20
ip link set vlan20 master red up
ip addr add 10.1.20.2/24 dev vlan20
ip addr add fd00:20::2/64 dev vlan20
ip link add link vlan20 name vlan20-v0 type macvlan mode private
ip link set vlan20-v0 address 00:00:5e:00:01:01 master red up
bridge fdb add 00:00:5e:00:01:01 dev bridge vlan 20 self local
ip addr add 10.1.20.1/24 dev vlan20-v0 metric 1024
ip addr add fd00:20::1/64 dev vlan20-v0 metric 1024
ip link add link bridge name vlan4001 type vlan id 4001
ip link set vlan4001 address 02:00:00:00:99:01
ip link set vlan4001 master red up
bridge fdb add 02:00:00:00:99:01 dev bridge vlan 4001 self local
ip link set vni10 up
ip link set vni20 up
ip link set vni4001 up

# Hosts, by ARP and neighbour discovery.
ip neigh add 10.1.10.11 lladdr 02:00:00:00:0a:0b dev vlan10 nud permanent
ip neigh add fd00:10::b lladdr 02:00:00:00:0a:0b dev vlan10 nud permanent
ip neigh add 10.1.20.12 lladdr 02:00:00:00:14:0c dev vlan20 nud permanent
ip neigh add fd00:20::c lladdr 02:00:00:00:14:0c dev vlan20 nud permanent

# zebra
bridge fdb append 00:00:00:00:00:00 dev vni10 dst 192.0.2.2 self permanent
bridge fdb append 00:00:00:00:00:00 dev vni20 dst 192.0.2.2 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vni10 dst 192.0.2.2 self master dynamic extern_learn vlan 10
bridge fdb add 02:00:00:00:14:16 dev vni20 dst 192.0.2.2 self master dynamic extern_learn vlan 20
bridge fdb add 02:00:00:00:99:02 dev vni4001 dst 192.0.2.2 self master dynamic extern_learn vlan 4001
ip neigh add 10.1.20.22 lladdr 02:00:00:00:14:16 dev vlan20 nud noarp extern_learn
ip neigh add fd00:20::16 lladdr 02:00:00:00:14:16 dev vlan20 nud noarp extern_learn
ip neigh add 192.0.2.2 lladdr 02:00:00:00:99:02 dev vlan4001 nud noarp extern_learn
ip neigh add ::ffff:192.0.2.2 lladdr 02:00:00:00:99:02 dev vlan4001 nud noarp extern_learn
ip nexthop add id 21 via 192.0.2.2 dev vlan4001 onlink proto zebra
ip nexthop add id 22 via ::ffff:192.0.2.2 dev vlan4001 onlink proto zebra
ip route add 10.1.30.0/24 table 1001 nhid 21 proto bgp metric 20
ip route add fd00:30::/64 table 1001 nhid 22 proto bgp metric 20
ip route add 10.1.20.22/32 table 1001 nhid 21 proto bgp metric 20
