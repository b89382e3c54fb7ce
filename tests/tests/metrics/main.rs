//! Metrics: what fabric-xdpd serves is what `fabricctl` says, Debian's tools are content with it, and its Prometheus
//! makes of it what alerts and dashboard ask for. What goes wrong with it costs nothing else.

mod lab;
mod router;
mod rules;
mod verify;
