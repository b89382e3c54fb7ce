//! fabric-xdpd that ends, starts, is refused and comes back, under traffic: one case a file.

mod bypass;
mod clean_stop;
mod detach;
mod foreign_program;
mod full_map;
mod hardship;
mod killed;
mod not_root;
mod other_layout;
mod ports;
mod reload;
mod restless;
mod signals;
mod status;
mod stopped;
mod two_daemons;
mod unit;
mod unusable_vxlan;
mod without_frr;
