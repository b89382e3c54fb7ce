# set up
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
ip link set lo up
for port in u1 u2 h1 h2; do ip link add $port type veth peer name ${port}p; done
sysctl -qw net.ipv6.conf.u2.disable_ipv6=0
ip link set u1 address 02:00:00:00:01:01 && ip link set u2 address 02:00:00:00:01:02
for port in u1p u2p h1p h2p u1 u2; do ip link set $port up; done
ip addr add 10.0.0.1/32 dev lo
ip addr add 192.0.2.1/31 dev u1
ip neigh replace 192.0.2.0 lladdr 02:00:00:00:00:51 dev u1 nud permanent
ip neigh replace fe80::52 lladdr 02:00:00:00:00:52 dev u2 nud permanent
ip link add br10 type bridge ageing_time 3000
ip link add vx10 type vxlan id 10010 local 10.0.0.1 dstport 4789 nolearning noudpcsum
ip link set vx10 master br10
bridge link set dev vx10 learning off neigh_suppress on
for port in h1 h2; do ip link set $port master br10; ip link set $port up; done
ip link set vx10 up && ip link set br10 up
# underlay
ip nexthop add id 11 via 192.0.2.0 dev u1
ip nexthop add id 12 via fe80::52 dev u2
ip nexthop add id 20 group 11/12,3
ip route add 10.0.0.2/32 nhid 20
# flood
bridge fdb append 00:00:00:00:00:00 dev vx10 dst 10.0.0.2 self permanent
# local
bridge fdb replace 02:aa:00:00:00:01 dev h1 master dynamic use
# remote
bridge fdb replace 02:aa:00:00:00:02 dev vx10 dst 10.0.0.2 self master dynamic extern_learn
# remote moves here
bridge fdb replace 02:aa:00:00:00:02 dev h2 master dynamic use
# moves to another VTEP that has no route
bridge fdb replace 02:aa:00:00:00:02 dev vx10 dst 10.0.0.3 self master dynamic extern_learn
# route to the other VTEP
ip route add 10.0.0.3/32 via inet6 fe80::52 dev u2
# access port down
ip link set h1p down
# underlay port loses carrier
ip link set u1p down
# routing is read again
#dump routing
# underlay port comes back
ip link set u1p up
ip neigh replace 192.0.2.0 lladdr 02:00:00:00:00:51 dev u1 nud permanent
ip nexthop add id 11 via 192.0.2.0 dev u1
ip nexthop replace id 20 group 11/12,3
# messages are lost
#lose bridge fdb del 02:aa:00:00:00:02 dev vx10 self master; ip link set h1p up
# everything is read again
#dump
# next hop leaves the group
ip nexthop replace id 20 group 12
# VNI removed
ip link del vx10
