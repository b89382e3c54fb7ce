# One more network that is on the leaf of local_bridges.sh alone, with tags behind a port of the first one.
ip link add br40 address 02:00:00:00:28:01 type bridge
ip link add link swp3 name swp3.40 type vlan id 40
ip link set swp3.40 master br40 up
ip link set br40 up
ip addr add 10.1.40.1/24 dev br40
ip addr add fd00:40::1/64 dev br40
ip neigh add 10.1.40.41 lladdr 02:00:00:00:28:29 dev br40 nud permanent
ip neigh add fd00:40::29 lladdr 02:00:00:00:28:29 dev br40 nud permanent
