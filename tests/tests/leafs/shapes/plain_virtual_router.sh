# Plain bridges with an address of their own and a virtual router's on a macvlan, as ifupdown2 makes both
# (`address-virtual`), and an L3VNI in the default VRF.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add br10 type bridge
ip link add vx10 type vxlan id 1010 local 192.0.2.1 dstport 4789 nolearning
ip link set vx10 master br10
bridge link set dev vx10 learning off neigh_suppress on
ip link set swp1 master br10 up
ip link set vx10 up
ip link set br10 up
ip addr add 10.1.10.2/24 dev br10
ip addr add fd00:10::2/64 dev br10
ip link add link br10 name br10-v0 type macvlan mode private
ip link set br10-v0 address 00:00:5e:00:01:01 up
bridge fdb add 00:00:5e:00:01:01 dev br10 self local
ip addr add 10.1.10.1/24 dev br10-v0 metric 1024
ip addr add fd00:10::1/64 dev br10-v0 metric 1024
ip link add br20 type bridge
ip link add vx20 type vxlan id 1020 local 192.0.2.1 dstport 4789 nolearning
ip link set vx20 master br20
bridge link set dev vx20 learning off neigh_suppress on
ip link set swp2 master br20 up
ip link set vx20 up
ip link set br20 up
ip addr add 10.1.20.2/24 dev br20
ip addr add fd00:20::2/64 dev br20
ip link add link br20 name br20-v0 type macvlan mode private
ip link set br20-v0 address 00:00:5e:00:01:01 up
bridge fdb add 00:00:5e:00:01:01 dev br20 self local
ip addr add 10.1.20.1/24 dev br20-v0 metric 1024
ip addr add fd00:20::1/64 dev br20-v0 metric 1024
ip link add br4001 type bridge
ip link add vx4001 type vxlan id 4001 local 192.0.2.1 dstport 4789 nolearning
ip link set vx4001 master br4001
bridge link set dev vx4001 learning off
ip link set vx4001 up
ip link set br4001 up

# Hosts, by ARP and neighbour discovery.
ip neigh add 10.1.10.11 lladdr 02:00:00:00:0a:0b dev br10 nud permanent
ip neigh add fd00:10::b lladdr 02:00:00:00:0a:0b dev br10 nud permanent
ip neigh add 10.1.20.12 lladdr 02:00:00:00:14:0c dev br20 nud permanent
ip neigh add fd00:20::c lladdr 02:00:00:00:14:0c dev br20 nud permanent

# zebra
bridge fdb append 00:00:00:00:00:00 dev vx10 dst 192.0.2.2 self permanent
bridge fdb append 00:00:00:00:00:00 dev vx20 dst 192.0.2.2 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vx10 dst 192.0.2.2 self master dynamic extern_learn
bridge fdb add 02:00:00:00:14:16 dev vx20 dst 192.0.2.2 self master dynamic extern_learn
bridge fdb add 02:00:00:00:99:02 dev vx4001 dst 192.0.2.2 self master dynamic extern_learn
ip neigh add 10.1.20.22 lladdr 02:00:00:00:14:16 dev br20 nud noarp extern_learn
ip neigh add fd00:20::16 lladdr 02:00:00:00:14:16 dev br20 nud noarp extern_learn
ip neigh add 192.0.2.2 lladdr 02:00:00:00:99:02 dev br4001 nud noarp extern_learn
ip neigh add ::ffff:192.0.2.2 lladdr 02:00:00:00:99:02 dev br4001 nud noarp extern_learn
ip nexthop add id 21 via 192.0.2.2 dev br4001 onlink proto zebra
ip nexthop add id 22 via ::ffff:192.0.2.2 dev br4001 onlink proto zebra
ip route add 10.1.30.0/24 nhid 21 proto bgp metric 20
ip route add fd00:30::/64 nhid 22 proto bgp metric 20
