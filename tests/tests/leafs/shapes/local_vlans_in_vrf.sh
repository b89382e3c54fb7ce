# A VRF with an L3VNI, and a VLAN-aware bridge without any vxlan device that has its networks: one by a VLAN device, one by a
# virtual router's macvlan directly on the bridge, which is in that VLAN without tags.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add red type vrf table 1001
ip link set red up
ip link add bridge type bridge vlan_filtering 1 vlan_default_pvid 0
ip link set swp1 master bridge up
ip link set swp2 master bridge up
ip link set swp3 master bridge up
bridge vlan add vid 10 dev swp1 pvid untagged
bridge vlan add vid 20 dev swp2 pvid untagged
bridge vlan add vid 10 dev swp3
bridge vlan add vid 10 dev bridge pvid untagged self
bridge vlan add vid 20 dev bridge self
ip link set bridge up
ip link add link bridge name vlan20 type vlan id 20
ip link set vlan20 master red up
ip addr add 10.1.20.1/24 dev vlan20
ip addr add fd00:20::1/64 dev vlan20
ip link add link bridge name bridge-v0 type macvlan mode private
ip link set bridge-v0 address 00:00:5e:00:01:0a master red up
bridge fdb add 00:00:5e:00:01:0a dev bridge self local vlan 10
ip addr add 10.1.10.1/24 dev bridge-v0
ip addr add fd00:10::1/64 dev bridge-v0
ip link add br4001 type bridge
ip link add vx4001 type vxlan id 4001 local 192.0.2.1 dstport 4789 nolearning
ip link set vx4001 master br4001 up
bridge link set dev vx4001 learning off
ip link set br4001 master red up
ip link set out1 master red up
ip addr add 198.51.100.0/31 dev out1
ip addr add fd00:99::/127 dev out1

# Hosts, and the router, by ARP and neighbour discovery.
ip neigh add 10.1.10.11 lladdr 02:00:00:00:0a:0b dev bridge-v0 nud permanent
ip neigh add fd00:10::b lladdr 02:00:00:00:0a:0b dev bridge-v0 nud permanent
ip neigh add 10.1.20.12 lladdr 02:00:00:00:14:0c dev vlan20 nud permanent
ip neigh add fd00:20::c lladdr 02:00:00:00:14:0c dev vlan20 nud permanent
ip neigh add 198.51.100.1 lladdr 02:00:00:5b:00:09 dev out1 nud permanent
ip neigh add fd00:99::1 lladdr 02:00:00:5b:00:09 dev out1 nud permanent
ip route add default table 1001 via 198.51.100.1 dev out1 proto bgp metric 20
ip route add default table 1001 via fd00:99::1 dev out1 proto bgp metric 20

# zebra
bridge fdb add 02:00:00:00:99:02 dev vx4001 dst 192.0.2.2 self master dynamic extern_learn
ip neigh add 192.0.2.2 lladdr 02:00:00:00:99:02 dev br4001 nud noarp extern_learn
ip neigh add ::ffff:192.0.2.2 lladdr 02:00:00:00:99:02 dev br4001 nud noarp extern_learn
ip route add 10.1.30.0/24 table 1001 via 192.0.2.2 dev br4001 onlink proto bgp metric 20
ip route add fd00:30::/64 table 1001 via ::ffff:192.0.2.2 dev br4001 onlink proto bgp metric 20
