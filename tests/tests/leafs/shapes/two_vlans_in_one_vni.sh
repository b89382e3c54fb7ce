# A VLAN-aware bridge with one vxlan device of one VNI that carries two VLANs with their tags, VLAN interfaces as
# gateways, all written by hand; the vxlan device's bridge port learns, as nobody has said otherwise. A trunk beside the
# access ports.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add bridge type bridge vlan_filtering 1 vlan_default_pvid 1
ip link set bridge addrgenmode none up
ip link set swp1 master bridge up
ip link set swp2 master bridge up
ip link set swp3 master bridge up
bridge vlan add vid 10 dev bridge self
bridge vlan add vid 20 dev bridge self
bridge vlan del vid 1 dev swp1
bridge vlan add vid 10 dev swp1 pvid untagged
bridge vlan del vid 1 dev swp2
bridge vlan add vid 20 dev swp2 pvid untagged
bridge vlan add vid 10 dev swp3
bridge vlan add vid 20 dev swp3
ip link add link bridge name vlan10 type vlan id 10
ip link set vlan10 up
ip addr add 10.1.10.1/24 dev vlan10
ip addr add fd00:10::1/64 dev vlan10
ip link add link bridge name vlan20 type vlan id 20
ip link set vlan20 up
ip addr add 10.1.20.1/24 dev vlan20
ip addr add fd00:20::1/64 dev vlan20
ip link add vxlan0 type vxlan id 1001 local 192.0.2.1 dstport 4789 nolearning
ip link set vxlan0 addrgenmode none master bridge up
bridge vlan add vid 10 dev vxlan0
bridge vlan add vid 20 dev vxlan0

# Hosts, by ARP and neighbour discovery.
ip neigh add 10.1.10.11 lladdr 02:00:00:00:0a:0b dev vlan10 nud permanent
ip neigh add fd00:10::b lladdr 02:00:00:00:0a:0b dev vlan10 nud permanent
ip neigh add 10.1.20.12 lladdr 02:00:00:00:14:0c dev vlan20 nud permanent
ip neigh add fd00:20::c lladdr 02:00:00:00:14:0c dev vlan20 nud permanent

# zebra
bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.2 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vxlan0 dst 192.0.2.2 self master dynamic extern_learn vlan 10
bridge fdb add 02:00:00:00:14:16 dev vxlan0 dst 192.0.2.2 self master dynamic extern_learn vlan 20
ip neigh add 10.1.10.21 lladdr 02:00:00:00:0a:15 dev vlan10 nud noarp extern_learn
ip neigh add fd00:10::15 lladdr 02:00:00:00:0a:15 dev vlan10 nud noarp extern_learn
ip neigh add 10.1.20.22 lladdr 02:00:00:00:14:16 dev vlan20 nud noarp extern_learn
ip neigh add fd00:20::16 lladdr 02:00:00:00:14:16 dev vlan20 nud noarp extern_learn
