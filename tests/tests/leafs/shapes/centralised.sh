# The one gateway of a fabric whose other leafs only bridge: bridges with addresses, and the way out.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add br10 type bridge
ip link add vx10 type vxlan id 1010 local 192.0.2.1 dstport 4789 nolearning
ip link set vx10 master br10
bridge link set dev vx10 learning off neigh_suppress on
ip link set vx10 up
ip link set br10 up
ip addr add 10.1.10.1/24 dev br10
ip addr add fd00:10::1/64 dev br10
ip link add br20 type bridge
ip link add vx20 type vxlan id 1020 local 192.0.2.1 dstport 4789 nolearning
ip link set vx20 master br20
bridge link set dev vx20 learning off neigh_suppress on
ip link set vx20 up
ip link set br20 up
ip addr add 10.1.20.1/24 dev br20
ip addr add fd00:20::1/64 dev br20
ip link set out1 up
ip addr add 198.51.100.0/31 dev out1
ip addr add fd00:99::/127 dev out1

# The router, by ARP and neighbour discovery, and BGP with it.
ip neigh add 198.51.100.1 lladdr 02:00:00:5b:00:09 dev out1 nud permanent
ip neigh add fd00:99::1 lladdr 02:00:00:5b:00:09 dev out1 nud permanent
ip route add default via 198.51.100.1 dev out1 proto bgp metric 20
ip route add default via fd00:99::1 dev out1 proto bgp metric 20

# zebra
bridge fdb append 00:00:00:00:00:00 dev vx10 dst 192.0.2.2 self permanent
bridge fdb append 00:00:00:00:00:00 dev vx20 dst 192.0.2.2 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vx10 dst 192.0.2.2 self master dynamic extern_learn
bridge fdb add 02:00:00:00:14:16 dev vx20 dst 192.0.2.2 self master dynamic extern_learn
ip neigh add 10.1.10.21 lladdr 02:00:00:00:0a:15 dev br10 nud noarp extern_learn
ip neigh add fd00:10::15 lladdr 02:00:00:00:0a:15 dev br10 nud noarp extern_learn
ip neigh add 10.1.20.22 lladdr 02:00:00:00:14:16 dev br20 nud noarp extern_learn
ip neigh add fd00:20::16 lladdr 02:00:00:00:14:16 dev br20 nud noarp extern_learn
