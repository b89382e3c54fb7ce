# set up
ip link set lo up
for port in s1 s2 s3; do ip link add $port type veth peer name ${port}p; done
for port in s1 s2 s3; do echo 1 > /proc/sys/net/ipv6/conf/$port/addr_gen_mode; echo 1 > /proc/sys/net/ipv6/conf/${port}p/disable_ipv6; done
ip link set s1 address 02:00:00:00:01:01 && ip link set s2 address 02:00:00:00:01:02 && ip link set s3 address 02:00:00:00:01:03
for port in s1 s2 s3; do ip link set ${port}p up; ip link set $port up; done
ip addr add 10.0.0.9/32 dev lo
ip addr add 192.0.2.1/31 dev s1
ip addr add 192.0.2.3/31 dev s2
ip addr add 10.1.0.1/24 dev s3
ip addr add 2001:db8:1::1/64 dev s3 nodad
ip neigh replace 192.0.2.0 lladdr 02:00:00:00:00:51 dev s1 nud permanent
ip neigh replace fe80::52 lladdr 02:00:00:00:00:52 dev s2 nud permanent
ip neigh replace 10.1.0.7 lladdr 02:00:00:00:00:07 dev s3 nud permanent
ip nexthop add id 101 via 192.0.2.0 dev s1
ip nexthop add id 102 via fe80::52 dev s2
ip nexthop add id 110 group 101/102,3
ip route add 10.9.0.0/16 nhid 110
# forwarding
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
# IPv6 next hops are appended and leave
ip -6 route add 2001:db8:9::/48 via 2001:db8:1::7 dev s3
ip -6 route append 2001:db8:9::/48 via 2001:db8:1::8 dev s3
ip -6 route del 2001:db8:9::/48 via 2001:db8:1::7 dev s3
# a second route of the same key
ip route append 10.9.0.0/16 via 192.0.2.0
ip route prepend 10.9.0.0/16 via 10.1.0.7
# only the second one is left
ip route del 10.9.0.0/16 via 10.1.0.7
ip route del 10.9.0.0/16 nhid 110
# a table of its own for the rack
ip route add blackhole 10.66.0.0/16 table 1000
ip route add unreachable default metric 4278198272 table 1000
ip rule add iif s3 lookup 1000 pref 100
# a rule by source
ip rule add from 10.1.0.0/24 lookup 1000 pref 200
# the rules are gone
ip rule del pref 100
ip rule del pref 200
# sources are checked
echo 2 > /proc/sys/net/ipv4/conf/s2/rp_filter
# and no more
echo 0 > /proc/sys/net/ipv4/conf/s2/rp_filter
ip route add 10.8.0.0/16 nhid 110
ip nexthop add id 103 via 192.0.2.0 dev s1
ip route add 10.7.0.0/16 nhid 103
# a nexthop becomes a blackhole in place
ip nexthop replace id 103 blackhole
# and leads to a router again
ip nexthop replace id 103 via 192.0.2.0 dev s1
# a nexthop is deleted with its routes
ip nexthop del id 103
# routing is read again
#dump routing
# a port is set down
ip link set s2 down
# routing is read once more
#dump routing
# everything is read again
#dump
# a port is gone
ip link del s3
# the end
#dump
