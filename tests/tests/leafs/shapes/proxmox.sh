# Proxmox VE's result on an exit node: a plain bridge for each network with its gateway's address in the zone's VRF, a
# bridge for the zone's L3VNI, and the way out in the default VRF.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add vrf_zone type vrf table 1001
ip link set vrf_zone up
ip link add vxlan_net1 type vxlan id 1010 local 192.0.2.1 dstport 4789 nolearning
ip link set vxlan_net1 mtu 1450
ip link add net1 address bc:24:11:00:00:01 type bridge
ip link set vxlan_net1 master net1
bridge link set dev vxlan_net1 learning off neigh_suppress off
ip link set swp1 master net1 up
ip link set vxlan_net1 up
ip link set net1 master vrf_zone up
ip addr add 10.1.10.1/24 dev net1
ip addr add fd00:10::1/64 dev net1
ip link add vxlan_net2 type vxlan id 1020 local 192.0.2.1 dstport 4789 nolearning
ip link set vxlan_net2 mtu 1450
ip link add net2 address bc:24:11:00:00:01 type bridge
ip link set vxlan_net2 master net2
bridge link set dev vxlan_net2 learning off neigh_suppress off
ip link set swp2 master net2 up
ip link set vxlan_net2 up
ip link set net2 master vrf_zone up
ip addr add 10.1.20.1/24 dev net2
ip addr add fd00:20::1/64 dev net2
ip link add vrfvx_zone type vxlan id 4001 local 192.0.2.1 dstport 4789 nolearning
ip link set vrfvx_zone mtu 1450
ip link add vrfbr_zone type bridge
ip link set vrfvx_zone master vrfbr_zone
bridge link set dev vrfvx_zone learning off
ip link set vrfvx_zone up
ip link set vrfbr_zone master vrf_zone up
ip link set out1 up
ip addr add 198.51.100.0/31 dev out1
ip addr add fd00:99::/127 dev out1

# Hosts and the router, by ARP and neighbour discovery.
ip neigh add 10.1.10.11 lladdr 02:00:00:00:0a:0b dev net1 nud permanent
ip neigh add fd00:10::b lladdr 02:00:00:00:0a:0b dev net1 nud permanent
ip neigh add 10.1.20.12 lladdr 02:00:00:00:14:0c dev net2 nud permanent
ip neigh add fd00:20::c lladdr 02:00:00:00:14:0c dev net2 nud permanent
ip neigh add 198.51.100.1 lladdr 02:00:00:5b:00:09 dev out1 nud permanent
ip neigh add fd00:99::1 lladdr 02:00:00:5b:00:09 dev out1 nud permanent
ip route add default via 198.51.100.1 dev out1
ip route add default via fd00:99::1 dev out1

# zebra, which imports the default VRF's routes into the zone's and the other way
bridge fdb append 00:00:00:00:00:00 dev vxlan_net1 dst 192.0.2.2 self permanent
bridge fdb append 00:00:00:00:00:00 dev vxlan_net2 dst 192.0.2.2 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vxlan_net1 dst 192.0.2.2 self master dynamic extern_learn
bridge fdb add 02:00:00:00:14:16 dev vxlan_net2 dst 192.0.2.2 self master dynamic extern_learn
bridge fdb add 02:00:00:00:99:02 dev vrfvx_zone dst 192.0.2.2 self master dynamic extern_learn
ip neigh add 10.1.20.22 lladdr 02:00:00:00:14:16 dev net2 nud noarp extern_learn
ip neigh add fd00:20::16 lladdr 02:00:00:00:14:16 dev net2 nud noarp extern_learn
ip neigh add 192.0.2.2 lladdr 02:00:00:00:99:02 dev vrfbr_zone nud noarp extern_learn
ip neigh add ::ffff:192.0.2.2 lladdr 02:00:00:00:99:02 dev vrfbr_zone nud noarp extern_learn
ip route add 10.1.30.0/24 table 1001 via 192.0.2.2 dev vrfbr_zone onlink proto bgp metric 20
ip route add fd00:30::/64 table 1001 via ::ffff:192.0.2.2 dev vrfbr_zone onlink proto bgp metric 20
ip route add default table 1001 via 198.51.100.1 dev out1 proto bgp metric 20
ip route add default table 1001 via fd00:99::1 dev out1 proto bgp metric 20
ip route add 10.1.10.0/24 dev net1 proto bgp metric 20
ip route add fd00:10::/64 dev net1 proto bgp metric 20
ip route add 10.1.30.0/24 via 192.0.2.2 dev vrfbr_zone onlink proto bgp metric 20
ip route add fd00:30::/64 via ::ffff:192.0.2.2 dev vrfbr_zone onlink proto bgp metric 20
