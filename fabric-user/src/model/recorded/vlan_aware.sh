# set up
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
ip link set lo up
for port in u1 h1 h2 h3; do ip link add $port type veth peer name ${port}p; done
for port in u1p h1p h2p h3p u1 h3; do ip link set $port up; done
ip addr add 10.0.0.1/32 dev lo
ip addr add 192.0.2.1/31 dev u1
ip neigh replace 192.0.2.0 lladdr 02:00:00:00:00:51 dev u1 nud permanent
ip route add 10.0.0.2/32 via 192.0.2.0
ip link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0
ip link add vx200 type vxlan id 10200 local 10.0.0.1 dstport 4789 nolearning noudpcsum
for port in vx200 h1 h2; do ip link set $port master br0; ip link set $port up; done
bridge link set dev vx200 learning off
ip link set br0 up
bridge vlan add dev vx200 vid 200 pvid untagged
# VLANs of the ports
bridge vlan add dev h1 vid 200 pvid untagged
bridge vlan add dev h2 vid 200-203
bridge vlan add dev h2 vid 300
# MACs
bridge fdb replace 02:aa:00:00:00:01 dev h2 vlan 200 master dynamic use
bridge fdb replace 02:aa:00:00:00:02 dev vx200 vlan 200 dst 10.0.0.2 self master dynamic extern_learn
# a VLAN leaves a port
bridge vlan del dev h2 vid 201-202
# everything is read again
#dump
# a VLAN device becomes a port
ip link add link h3 name h3.200 type vlan id 200
ip link set h3.200 up master br0
bridge vlan add dev h3.200 vid 200 pvid untagged
bridge fdb replace 02:aa:00:00:00:03 dev h3.200 vlan 200 master dynamic use
# the bridge becomes plain
ip link set br0 type bridge vlan_filtering 0
