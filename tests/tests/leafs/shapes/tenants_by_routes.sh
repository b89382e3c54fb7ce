# systemd-networkd's result where tenants have VRFs and no networks in common: an L3VNI for each on a VLAN-aware bridge,
# servers behind a routed port, outer UDP checksums, a bridge port that learns, and routes from one VRF into the other.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add vrf4001 type vrf table 1001
ip link add vrf4002 type vrf table 1002
ip link set vrf4001 up
ip link set vrf4002 up
ip link add bridge type bridge vlan_filtering 1 vlan_default_pvid 0
ip link set bridge up
ip link add vni4001 type vxlan id 4001 local 192.0.2.1 dstport 4789 nolearning udpcsum
ip link add vni4002 type vxlan id 4002 local 192.0.2.1 dstport 4789 nolearning udpcsum
ip link set vni4001 master bridge up
ip link set vni4002 master bridge up
ip link add link bridge name vlan4001 type vlan id 1001
ip link add link bridge name vlan4002 type vlan id 1002
ip link set vlan4001 master vrf4001 up
ip link set vlan4002 master vrf4002 up
ip link set swp1 master vrf4001 up
ip addr add 10.1.10.1/24 dev swp1
ip addr add fd00:10::1/64 dev swp1
bridge vlan add vid 1001 dev bridge self
bridge vlan add vid 1002 dev bridge self
bridge vlan add vid 1001 dev vni4001 pvid untagged
bridge vlan add vid 1002 dev vni4002 pvid untagged

# The server, by ARP and neighbour discovery.
ip neigh add 10.1.10.11 lladdr 02:00:00:00:0a:0b dev swp1 nud permanent
ip neigh add fd00:10::b lladdr 02:00:00:00:0a:0b dev swp1 nud permanent

# zebra: the other leaf has 10.1.30.0/24 for this tenant, and the way out is the other VRF's
ip neigh add 192.0.2.2 lladdr 02:00:00:00:99:02 dev vlan4001 nud noarp extern_learn
ip neigh add ::ffff:192.0.2.2 lladdr 02:00:00:00:99:02 dev vlan4001 nud noarp extern_learn
ip neigh add 192.0.2.2 lladdr 02:00:00:00:99:03 dev vlan4002 nud noarp extern_learn
ip neigh add ::ffff:192.0.2.2 lladdr 02:00:00:00:99:03 dev vlan4002 nud noarp extern_learn
ip route add 10.1.30.0/24 table 1001 via 192.0.2.2 dev vlan4001 onlink proto bgp metric 20
ip route add fd00:30::/64 table 1001 via ::ffff:192.0.2.2 dev vlan4001 onlink proto bgp metric 20
ip route add default table 1001 via 192.0.2.2 dev vlan4002 onlink proto bgp metric 20
ip route add default table 1001 via ::ffff:192.0.2.2 dev vlan4002 onlink proto bgp metric 20
ip route add 10.1.30.0/24 table 1002 via 192.0.2.2 dev vlan4001 onlink proto bgp metric 20
ip route add fd00:30::/64 table 1002 via ::ffff:192.0.2.2 dev vlan4001 onlink proto bgp metric 20
bridge fdb add 02:00:00:00:99:02 dev vni4001 dst 192.0.2.2 self master dynamic extern_learn vlan 1001
bridge fdb add 02:00:00:00:99:03 dev vni4002 dst 192.0.2.2 self master dynamic extern_learn vlan 1002
