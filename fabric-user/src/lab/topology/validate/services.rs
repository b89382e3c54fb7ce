//! Services: single addresses on servers that are drawn.

use super::super::Service;
use super::{Check, Function};

impl Check<'_> {
    pub(super) fn services(&mut self) -> Vec<Service> {
        let mut services = Vec::new();
        for (name, entry) in &self.inventory.services {
            let path = |key| ["services", name, key];
            if entry.addresses.is_empty() || entry.servers.is_empty() {
                self.toml(
                    &["services", name],
                    format!(
                        "service {name} is nowhere; give it addresses = [\"10.99.0.1/32\"] and servers = [\"...\"]"
                    ),
                );
            }
            for wide in entry.addresses.iter().filter(|address| !address.is_host()) {
                self.toml(
                    &path("addresses"),
                    format!(
                        "address {wide} of service {name} is a subnet; a service has single addresses, with /32 or /128"
                    ),
                );
            }
            for (index, server) in entry.servers.iter().enumerate() {
                let says = format!("service {name} runs on");
                let rule = "services run on nodes with function=\"server\"";
                self.refers_to(&path("servers"), &says, server, &[Function::Server], rule);
                if entry.servers[..index].contains(server) {
                    self.toml(
                        &path("servers"),
                        format!("service {name} names server {server} twice; name it once"),
                    );
                }
            }
            self.servers_inside(name, entry);
            services.push(Service {
                name: name.clone(),
                addresses: entry.addresses.iter().map(|address| address.address).collect(),
                servers: entry.servers.clone(),
            });
        }
        services
    }
}
