//! Servers that take their part in an anycast service, or no more.

use std::process::Command;

use super::error::LabError;
use super::render;
use super::running::Lab;
use super::tools;
use super::topology::Service;

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

    fn change(&self, service: &str, server: &str, wanted: bool) -> Result<(), LabError> {
        let node = self.node(server)?;
        let mut known = self.topology().services_of(server);
        let Some(Service { addresses, .. }) = known.find(|it| it.name == service) else {
            let known = self.topology().services_of(server).map(|it| it.name.as_str());
            return Err(LabError::UnknownService {
                server: server.to_owned(),
                service: service.to_owned(),
                known: known.collect::<Vec<_>>().join(", "),
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
        tools::batch("ip", &lines, Some(node.netns()))
    }
}
