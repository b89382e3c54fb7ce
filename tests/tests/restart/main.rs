//! fabricd that ends, starts, is refused and comes back, under traffic: one case a file.

mod bypass;
mod clean_stop;
mod detach;
mod foreign_program;
mod full_map;
mod killed;
mod not_root;
mod other_layout;
mod ports;
mod stopped;
mod two_daemons;
mod unusable_vxlan;
mod without_frr;
