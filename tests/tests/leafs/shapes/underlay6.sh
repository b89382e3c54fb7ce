# The underlay: IPv6, the way to the other leaf over a link-local next hop.
ip addr add 2001:db8:ff::1/128 dev lo
ip link set up1 up
ip addr add fe80::a1/64 dev up1 nodad
ip neigh add fe80::1 lladdr 02:00:00:5b:00:01 dev up1 nud permanent
ip route add 2001:db8:ff::2/128 via fe80::1 dev up1 proto bgp metric 20
