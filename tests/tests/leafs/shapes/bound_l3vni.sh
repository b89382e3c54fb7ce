# A border that only routes: an L3VNI whose vxlan device is bound to an uplink, and a router outside.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add br4001 type bridge
ip link add vx4001 type vxlan id 4001 local 192.0.2.1 dev up1 dstport 4789 nolearning
ip link set vx4001 master br4001
bridge link set dev vx4001 learning off
ip link set vx4001 up
ip link set br4001 up
ip link set out1 up
ip addr add 198.51.100.0/31 dev out1
ip addr add fd00:99::/127 dev out1

# The router, by ARP and neighbour discovery, and BGP with it.
ip neigh add 198.51.100.1 lladdr 02:00:00:5b:00:09 dev out1 nud permanent
ip neigh add fd00:99::1 lladdr 02:00:00:5b:00:09 dev out1 nud permanent
ip route add default via 198.51.100.1 dev out1 proto bgp metric 20
ip route add default via fd00:99::1 dev out1 proto bgp metric 20

# zebra
bridge fdb add 02:00:00:00:99:02 dev vx4001 dst 192.0.2.2 self master dynamic extern_learn
ip neigh add 192.0.2.2 lladdr 02:00:00:00:99:02 dev br4001 nud noarp extern_learn
ip neigh add ::ffff:192.0.2.2 lladdr 02:00:00:00:99:02 dev br4001 nud noarp extern_learn
ip route add 10.1.30.0/24 via 192.0.2.2 dev br4001 onlink proto bgp metric 20
ip route add fd00:30::/64 via ::ffff:192.0.2.2 dev br4001 onlink proto bgp metric 20
