# A plain bridge for each VNI, nothing learns from tunnels, and nobody routes.
ip link add br10 type bridge
ip link add vx10 type vxlan id 1010 local 192.0.2.1 dstport 4789 nolearning
ip link set vx10 master br10
bridge link set dev vx10 learning off neigh_suppress on
ip link set swp1 master br10 up
ip link set swp3 master br10 up
ip link set vx10 up
ip link set br10 up
ip link add br20 type bridge
ip link add vx20 type vxlan id 1020 local 192.0.2.1 dstport 4789 nolearning
ip link set vx20 master br20
bridge link set dev vx20 learning off neigh_suppress on
ip link set swp2 master br20 up
ip link set vx20 up
ip link set br20 up

# zebra
bridge fdb append 00:00:00:00:00:00 dev vx10 dst 192.0.2.2 self permanent
bridge fdb append 00:00:00:00:00:00 dev vx20 dst 192.0.2.2 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vx10 dst 192.0.2.2 self master dynamic extern_learn
bridge fdb add 02:00:00:00:14:16 dev vx20 dst 192.0.2.2 self master dynamic extern_learn
