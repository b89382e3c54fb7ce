# The underlay: one uplink with addresses, and what BGP, or OSPF, has written.
ip addr add 192.0.2.1/32 dev lo
ip addr add 203.0.113.0/31 dev up1
ip link set up1 up
ip neigh add 203.0.113.1 lladdr 02:00:00:5b:00:01 dev up1 nud permanent
ip route add 192.0.2.2/32 via 203.0.113.1 dev up1 proto bgp metric 20
