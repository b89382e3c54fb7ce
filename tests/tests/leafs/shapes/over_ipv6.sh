# Tunnels over IPv6: plain bridges with the gateway's address.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add br10 type bridge
ip link add vx10 type vxlan id 1010 local 2001:db8:ff::1 dstport 4789 nolearning udp6zerocsumtx udp6zerocsumrx
ip link set vx10 mtu 1500 master br10
bridge link set dev vx10 learning off neigh_suppress on
ip link set swp1 master br10 up
ip link set vx10 up
ip link set br10 up
ip addr add 10.1.10.1/24 dev br10
ip addr add fd00:10::1/64 dev br10
ip link add br20 type bridge
ip link add vx20 type vxlan id 1020 local 2001:db8:ff::1 dstport 4789 nolearning udp6zerocsumtx udp6zerocsumrx
ip link set vx20 mtu 1500 master br20
bridge link set dev vx20 learning off neigh_suppress on
ip link set swp2 master br20 up
ip link set vx20 up
ip link set br20 up
ip addr add 10.1.20.1/24 dev br20
ip addr add fd00:20::1/64 dev br20

# Hosts, by ARP and neighbour discovery.
ip neigh add 10.1.10.11 lladdr 02:00:00:00:0a:0b dev br10 nud permanent
ip neigh add fd00:10::b lladdr 02:00:00:00:0a:0b dev br10 nud permanent
ip neigh add 10.1.20.12 lladdr 02:00:00:00:14:0c dev br20 nud permanent
ip neigh add fd00:20::c lladdr 02:00:00:00:14:0c dev br20 nud permanent

# zebra
bridge fdb append 00:00:00:00:00:00 dev vx10 dst 2001:db8:ff::2 self permanent
bridge fdb append 00:00:00:00:00:00 dev vx20 dst 2001:db8:ff::2 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vx10 dst 2001:db8:ff::2 self master dynamic extern_learn
bridge fdb add 02:00:00:00:14:16 dev vx20 dst 2001:db8:ff::2 self master dynamic extern_learn
ip neigh add 10.1.10.21 lladdr 02:00:00:00:0a:15 dev br10 nud noarp extern_learn
ip neigh add fd00:10::15 lladdr 02:00:00:00:0a:15 dev br10 nud noarp extern_learn
