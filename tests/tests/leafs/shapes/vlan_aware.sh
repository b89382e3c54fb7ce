# ifupdown2's result, as on Cumulus Linux: one VLAN-aware bridge, a vxlan device for each VNI (`bridge-access`), access
# ports and a trunk; VLAN interfaces without addresses, for ARP suppression. The second tunnel learns, as where
# `bridge-learning off` was forgotten.
ip link add bridge type bridge vlan_filtering 1 vlan_default_pvid 1
ip link set bridge up
ip link add vni10 type vxlan id 1010 local 192.0.2.1 dstport 4789 nolearning ageing 1800
ip link set vni10 master bridge
ip link add vni20 type vxlan id 1020 local 192.0.2.1 dstport 4789 nolearning ageing 1800
ip link set vni20 master bridge
ip link set swp1 master bridge up
ip link set swp2 master bridge up
ip link set swp3 master bridge up
bridge link set dev vni10 learning off neigh_suppress on
bridge link set dev vni20 neigh_suppress on
bridge vlan del vid 1 dev vni10
bridge vlan add vid 10 dev vni10 pvid untagged
bridge vlan del vid 1 dev vni20
bridge vlan add vid 20 dev vni20 pvid untagged
bridge vlan del vid 1 dev swp1
bridge vlan add vid 10 dev swp1 pvid untagged
bridge vlan del vid 1 dev swp2
bridge vlan add vid 20 dev swp2 pvid untagged
bridge vlan add vid 10 dev swp3
bridge vlan add vid 20 dev swp3
bridge vlan add vid 10 dev bridge self
bridge vlan add vid 20 dev bridge self
ip link add link bridge name vlan10 type vlan id 10
ip link add link bridge name vlan20 type vlan id 20
ip link set vlan10 up
ip link set vlan20 up
ip link set vni10 up
ip link set vni20 up

# zebra
bridge fdb append 00:00:00:00:00:00 dev vni10 dst 192.0.2.2 self permanent
bridge fdb append 00:00:00:00:00:00 dev vni20 dst 192.0.2.2 self permanent
bridge fdb add 02:00:00:00:0a:15 dev vni10 dst 192.0.2.2 self master dynamic extern_learn vlan 10
bridge fdb add 02:00:00:00:14:16 dev vni20 dst 192.0.2.2 self master dynamic extern_learn vlan 20
