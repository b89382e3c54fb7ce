# The least that works: a bridge, and a vxlan device that has no local address.
ip link add br10 type bridge
ip link set br10 up
ip link add vx10 type vxlan id 1010 dstport 4789
ip link set vx10 master br10 up
ip link set swp1 master br10 up
ip link set swp3 master br10 up

# zebra
bridge fdb append 00:00:00:00:00:00 dev vx10 dst 192.0.2.2 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vx10 dst 192.0.2.2 self master dynamic extern_learn
ip route change 192.0.2.2/32 via 203.0.113.1 dev up1 proto bgp metric 20 src 192.0.2.1
