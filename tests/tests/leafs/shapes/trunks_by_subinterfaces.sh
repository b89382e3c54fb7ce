# Plain bridges whose ports are VLANs of a trunk, with the gateways' addresses, in a VRF; its L3VNI is over IPv6.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add red type vrf table 1001
ip link set red up
ip link set swp3 up
ip link add link swp3 name swp3.10 type vlan id 10
ip link add link swp3 name swp3.20 type vlan id 20
ip link add br10 type bridge
ip link add vx10 type vxlan id 1010 local 192.0.2.1 dstport 4789 nolearning
ip link set vx10 master br10 up
ip link set swp3.10 master br10 up
ip link set br10 master red up
ip addr add 10.1.10.1/24 dev br10
ip addr add fd00:10::1/64 dev br10
ip link add br20 type bridge
ip link add vx20 type vxlan id 1020 local 192.0.2.1 dstport 4789 nolearning
ip link set vx20 master br20 up
ip link set swp3.20 master br20 up
ip link set br20 master red up
ip addr add 10.1.20.1/24 dev br20
ip addr add fd00:20::1/64 dev br20
ip link add br4001 type bridge
ip link add vx4001 type vxlan id 4001 local 2001:db8:ff::1 dstport 4789 nolearning
ip link set vx4001 mtu 1500 master br4001 up
ip link set br4001 master red up

# Hosts, by ARP and neighbour discovery.
ip neigh add 10.1.10.11 lladdr 02:00:00:00:0a:0b dev br10 nud permanent
ip neigh add fd00:10::b lladdr 02:00:00:00:0a:0b dev br10 nud permanent
ip neigh add 10.1.20.12 lladdr 02:00:00:00:14:0c dev br20 nud permanent
ip neigh add fd00:20::c lladdr 02:00:00:00:14:0c dev br20 nud permanent

# zebra
ip neigh add 10.1.20.22 lladdr 02:00:00:00:14:16 dev br20 nud noarp extern_learn
ip neigh add fd00:20::16 lladdr 02:00:00:00:14:16 dev br20 nud noarp extern_learn
ip neigh add 2001:db8:ff::2 lladdr 02:00:00:00:99:02 dev br4001 nud noarp extern_learn
ip route add 10.1.30.0/24 table 1001 via inet6 2001:db8:ff::2 dev br4001 onlink proto bgp metric 20
ip route add fd00:30::/64 table 1001 via 2001:db8:ff::2 dev br4001 onlink proto bgp metric 20
bridge link set dev vx10 learning off neigh_suppress on
bridge link set dev vx20 learning off neigh_suppress on
bridge link set dev vx4001 learning off
bridge fdb append 00:00:00:00:00:00 dev vx10 dst 192.0.2.2 self permanent
bridge fdb append 00:00:00:00:00:00 dev vx20 dst 192.0.2.2 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vx10 dst 192.0.2.2 self master dynamic extern_learn
bridge fdb add 02:00:00:00:14:16 dev vx20 dst 192.0.2.2 self master dynamic extern_learn
bridge fdb add 02:00:00:00:99:02 dev vx4001 dst 2001:db8:ff::2 self master dynamic extern_learn
