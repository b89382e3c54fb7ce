# ifupdown2's result on the exit of a centralised fabric: VLAN interfaces with virtual routers in the default VRF, no
# hosts of its own, and a router outside.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add bridge type bridge vlan_filtering 1 vlan_default_pvid 1
ip link set bridge up
ip link add vni10 type vxlan id 1010 local 192.0.2.1 dstport 4789 nolearning ageing 1800
ip link set vni10 master bridge
ip link add vni20 type vxlan id 1020 local 192.0.2.1 dstport 4789 nolearning ageing 1800
ip link set vni20 master bridge
bridge link set dev vni10 learning off neigh_suppress on
bridge link set dev vni20 learning off neigh_suppress on
bridge vlan del vid 1 dev vni10
bridge vlan add vid 10 dev vni10 pvid untagged
bridge vlan del vid 1 dev vni20
bridge vlan add vid 20 dev vni20 pvid untagged
bridge vlan add vid 10 dev bridge self
bridge vlan add vid 20 dev bridge self
ip link add link bridge name vlan10 type vlan id 10
ip link set vlan10 up
ip addr add 10.1.10.2/24 dev vlan10
ip addr add fd00:10::2/64 dev vlan10
ip link add link vlan10 name vlan10-v0 type macvlan mode private
ip link set vlan10-v0 address 00:00:5e:00:01:01 up
bridge fdb add 00:00:5e:00:01:01 dev bridge vlan 10 self local
ip addr add 10.1.10.1/24 dev vlan10-v0 metric 1024
ip addr add fd00:10::1/64 dev vlan10-v0 metric 1024
ip link add link bridge name vlan20 type vlan id 20
ip link set vlan20 up
ip addr add 10.1.20.2/24 dev vlan20
ip addr add fd00:20::2/64 dev vlan20
ip link add link vlan20 name vlan20-v0 type macvlan mode private
ip link set vlan20-v0 address 00:00:5e:00:01:01 up
bridge fdb add 00:00:5e:00:01:01 dev bridge vlan 20 self local
ip addr add 10.1.20.1/24 dev vlan20-v0 metric 1024
ip addr add fd00:20::1/64 dev vlan20-v0 metric 1024
ip link set vni10 up
ip link set vni20 up
ip link set out1 up
ip addr add 198.51.100.0/31 dev out1
ip addr add fd00:99::/127 dev out1

# The router, by ARP and neighbour discovery, and BGP with it.
ip neigh add 198.51.100.1 lladdr 02:00:00:5b:00:09 dev out1 nud permanent
ip neigh add fd00:99::1 lladdr 02:00:00:5b:00:09 dev out1 nud permanent
ip route add default via 198.51.100.1 dev out1 proto bgp metric 20
ip route add default via fd00:99::1 dev out1 proto bgp metric 20

# zebra
bridge fdb append 00:00:00:00:00:00 dev vni10 dst 192.0.2.2 self permanent
bridge fdb append 00:00:00:00:00:00 dev vni20 dst 192.0.2.2 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vni10 dst 192.0.2.2 self master dynamic extern_learn vlan 10
bridge fdb add 02:00:00:00:14:16 dev vni20 dst 192.0.2.2 self master dynamic extern_learn vlan 20
ip neigh add 10.1.10.21 lladdr 02:00:00:00:0a:15 dev vlan10 nud noarp extern_learn
ip neigh add fd00:10::15 lladdr 02:00:00:00:0a:15 dev vlan10 nud noarp extern_learn
ip neigh add 10.1.20.22 lladdr 02:00:00:00:14:16 dev vlan20 nud noarp extern_learn
ip neigh add fd00:20::16 lladdr 02:00:00:00:14:16 dev vlan20 nud noarp extern_learn
