# A stretched network with its gateway, and the bridge of containers that docker makes in the same VRF: IPv4 with rules
# that translate, and of IPv6 what every interface has.
sysctl -w net.ipv4.ip_forward=1
sysctl -w net.ipv6.conf.all.forwarding=1
ip link add br10 type bridge
ip link add vx10 type vxlan id 1010 local 192.0.2.1 dstport 4789 nolearning
ip link set vx10 master br10 up
ip link set swp1 master br10 up
ip link set br10 up
ip addr add 10.1.10.1/24 dev br10
ip addr add fd00:10::1/64 dev br10
ip link add docker0 type bridge
ip link set swp2 master docker0 up
ip link set docker0 up
ip addr add 172.17.0.1/16 dev docker0
nft add table ip filter
nft add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }
nft add rule ip filter FORWARD iifname docker0 accept
nft add table ip nat
nft add chain ip nat POSTROUTING { type nat hook postrouting priority 100; }
nft add rule ip nat POSTROUTING ip saddr 172.17.0.0/16 oifname != docker0 masquerade
