# The underlay: BGP unnumbered over two uplinks, with nexthop objects as zebra writes them.
ip addr add 192.0.2.1/32 dev lo
ip link set up1 up
ip link set up2 up
ip addr add fe80::a1/64 dev up1 nodad
ip addr add fe80::a2/64 dev up2 nodad
ip neigh add fe80::1 lladdr 02:00:00:5b:00:01 dev up1 nud permanent
ip neigh add fe80::1 lladdr 02:00:00:5b:00:02 dev up2 nud permanent
ip nexthop add id 11 via fe80::1 dev up1 proto zebra
ip nexthop add id 12 via fe80::1 dev up2 proto zebra
ip nexthop add id 13 group 11/12 proto zebra
ip route add 192.0.2.2/32 nhid 13 proto bgp metric 20
