//! `fabricctl lab status`: what there is of a lab.

use std::io::Write as _;
use std::process::ExitCode;

use super::Which;
use crate::lab::Lab;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let names = Lab::names();
    if args.which.name.is_none() && names.len() != 1 {
        match names.as_slice() {
            [] => println!("no lab is up; start one with `fabricctl lab up TOPOLOGY`"),
            _ => println!("labs that are up: {}", names.join(", ")),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let status = args.which.open()?.status()?;
    // Unlike println!, this is an error and no panic when the reader closes the pipe.
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&status)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "lab {} (topology {})", status.lab, status.topology)?;
    match (status.complete, status.missing.as_slice()) {
        (false, _) => writeln!(out, "not complete: it is being built, or was interrupted"),
        (true, []) => writeln!(out, "converged"),
        (true, missing) => writeln!(out, "not converged: {}", missing.join(", ")),
    }?;
    // A column for everything would not fit on a line.
    let with_bfd = status.switches.iter().any(|node| node.bfd_sessions > 0);
    let with_services = status.switches.iter().any(|node| !node.services.is_empty());
    let mut header = vec!["NODE", "FUNCTION", "SITE", "AS", "LOOPBACK", "BGP"];
    header.extend(with_bfd.then_some("BFD"));
    header.extend(["EVPN ROUTES", "VNIS", "MACS", "FABRIC-XDPD"]);
    header.extend(with_services.then_some("SERVICES"));
    let mut switches = table(&header);
    for node in &status.switches {
        let known = |count: Option<usize>| count.map_or_else(|| "?".to_owned(), |n| n.to_string());
        let vnis: Vec<String> = node.vnis.iter().map(ToString::to_string).collect();
        let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let mut row = vec![
            node.node.clone(),
            node.function.name().to_owned(),
            node.site.clone(),
            node.asn.to_string(),
            node.vtep.to_string(),
            format!("{}/{}", known(node.bgp_established), node.bgp_sessions),
        ];
        row.extend(with_bfd.then(|| format!("{}/{}", known(node.bfd_up), node.bfd_sessions)));
        row.extend([
            node.evpn_routes.to_string(),
            or_none(vnis.join(" ")),
            node.macs.to_string(),
            node.fabric_xdpd.name().to_owned(),
        ]);
        row.extend(with_services.then(|| or_none(node.services.join(" "))));
        switches.add_row(row);
    }
    writeln!(out, "\n{switches}")?;
    let mut hosts = table(&["HOST", "NETWORK", "ADDRESS", "MAC", "LEAF", "PORT"]);
    for host in &status.hosts {
        hosts.add_row([
            host.node.clone(),
            host.network.clone().unwrap_or_else(|| format!("routed, {}", host.subnets.join(" "))),
            host.address.to_string(),
            host.mac.to_string(),
            host.switch.clone(),
            host.port.clone(),
        ]);
    }
    writeln!(out, "\n{hosts}")?;
    Ok(ExitCode::SUCCESS)
}

fn table(header: &[&str]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(header.iter().copied());
    table
}
