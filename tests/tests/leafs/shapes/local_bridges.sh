# A stretched network, and one that is on this leaf alone, whose bridge has no vxlan device: other leafs reach it by its
# prefix (type 5) and the L3VNI of the default VRF.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add br10 address 00:00:5e:00:01:0a type bridge
ip link add vx10 type vxlan id 1010 local 192.0.2.1 dstport 4789 nolearning
ip link set vx10 master br10 up
bridge link set dev vx10 learning off neigh_suppress on
ip link set swp1 master br10 up
ip link set br10 up
ip addr add 10.1.10.1/24 dev br10
ip addr add fd00:10::1/64 dev br10
ip link add br20 type bridge
ip link set swp2 master br20 up
ip link set swp3 master br20 up
ip link set br20 up
ip addr add 10.1.20.1/24 dev br20
ip addr add fd00:20::1/64 dev br20
ip link add br4001 type bridge
ip link add vx4001 type vxlan id 4001 local 192.0.2.1 dstport 4789 nolearning
ip link set vx4001 master br4001 up
bridge link set dev vx4001 learning off
ip link set br4001 up
ip link set out1 up
ip addr add 198.51.100.0/31 dev out1
ip addr add fd00:99::/127 dev out1

# Hosts, and one router, by ARP and neighbour discovery.
ip neigh add 10.1.10.11 lladdr 02:00:00:00:0a:0b dev br10 nud permanent
ip neigh add fd00:10::b lladdr 02:00:00:00:0a:0b dev br10 nud permanent
ip neigh add 10.1.20.12 lladdr 02:00:00:00:14:0c dev br20 nud permanent
ip neigh add fd00:20::c lladdr 02:00:00:00:14:0c dev br20 nud permanent
ip neigh add 198.51.100.1 lladdr 02:00:00:5b:00:09 dev out1 nud permanent
ip neigh add fd00:99::1 lladdr 02:00:00:5b:00:09 dev out1 nud permanent
ip route add default via 198.51.100.1 dev out1 proto bgp metric 20
ip route add default via fd00:99::1 dev out1 proto bgp metric 20

# zebra
bridge fdb append 00:00:00:00:00:00 dev vx10 dst 192.0.2.2 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vx10 dst 192.0.2.2 self master dynamic extern_learn
ip neigh add 10.1.10.21 lladdr 02:00:00:00:0a:15 dev br10 nud noarp extern_learn
ip neigh add fd00:10::15 lladdr 02:00:00:00:0a:15 dev br10 nud noarp extern_learn
bridge fdb add 02:00:00:00:99:02 dev vx4001 dst 192.0.2.2 self master dynamic extern_learn
ip neigh add 192.0.2.2 lladdr 02:00:00:00:99:02 dev br4001 nud noarp extern_learn
ip neigh add ::ffff:192.0.2.2 lladdr 02:00:00:00:99:02 dev br4001 nud noarp extern_learn
ip nexthop add id 21 via 192.0.2.2 dev br4001 onlink proto zebra
ip nexthop add id 22 via ::ffff:192.0.2.2 dev br4001 onlink proto zebra
ip route add 10.1.30.0/24 nhid 21 proto bgp metric 20
ip route add fd00:30::/64 nhid 22 proto bgp metric 20
