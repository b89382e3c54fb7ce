mod bridges;
mod follower;
mod mac_addresses;
mod order;
mod recorded;
mod underlay;
mod vlans;
mod world;
