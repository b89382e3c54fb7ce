//! Servers that take their part in an anycast service, or no more.

use std::process::Command;

use super::error::LabError;
use super::interrupt::NEVER;
use super::render;
use super::running::Lab;
use super::tools;
use super::topology::{ControlPlane, Service};

impl Lab {
    /// Takes the addresses of a service from a server, as when the service ends there: FRR withdraws
    /// what is no longer on the box. Nothing happens if the server has none of them.
    ///
    /// # Errors
    /// If the server does not belong to the service.
    pub fn withdraw(&self, service: &str, server: &str) -> Result<(), LabError> {
        self.change(service, server, false)
    }

    /// Undoes [`Lab::withdraw`].
    ///
    /// # Errors
    /// If the server does not belong to the service.
    pub fn announce(&self, service: &str, server: &str) -> Result<(), LabError> {
        self.change(service, server, true)
    }

    /// Where a service runs, or which services there are.
    fn known(&self, service: &str) -> String {
        let services = &self.topology().services;
        match services.iter().find(|it| it.name == service) {
            Some(service) => format!("its servers are {}", service.servers.join(", ")),
            None if services.is_empty() => "the lab has no services".to_owned(),
            None => {
                let names: Vec<&str> = services.iter().map(|it| it.name.as_str()).collect();
                format!("the lab has the services {}", names.join(", "))
            }
        }
    }

    fn change(&self, service: &str, server: &str, wanted: bool) -> Result<(), LabError> {
        let node = self.node(server)?;
        if self.topology().fabric.control_plane == ControlPlane::Static {
            return Err(LabError::NothingAnnounces(self.name().to_owned()));
        }
        let mut known = self.topology().services_of(server);
        let Some(Service { addresses, .. }) = known.find(|it| it.name == service) else {
            return Err(LabError::UnknownService {
                server: server.to_owned(),
                service: service.to_owned(),
                known: self.known(service),
            });
        };
        // A line that changes nothing would be an error.
        let mut command = Command::new(tools::require("ip", "iproute2")?);
        let present = self.exec(server, command.args(["-o", "address", "show", "dev", "lo"]))?;
        let is_present = |address| present.contains(&format!(" {address}/"));
        let lines: Vec<String> = addresses
            .iter()
            .filter(|address| is_present(*address) != wanted)
            .map(|&address| match wanted {
                true => render::service_address(address),
                false => format!("address delete {address} dev lo"),
            })
            .collect();
        // All of the service's addresses, or none.
        self.go_on()?;
        tools::batch("ip", &lines, Some(node.netns()), &NEVER)
    }
}
