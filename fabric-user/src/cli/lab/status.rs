//! `fabricctl lab status`: what there is of a lab, and what is not as it should be.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::{Built, Document, NO_LAB};
use crate::cli::{
    print,
    table::{Look, Table},
};
use crate::lab::status::{HostStatus, LinkStatus, Status, SwitchStatus};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status:
  0  everything is as it should be
  1  something is not, and is named
  2  no such lab is up, or several and none is named")]
pub(super) struct Args {
    #[command(flatten)]
    built: Built,
    /// Have every host ping its gateway and the other hosts of its network.
    #[arg(long)]
    ping: bool,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let lab = match args.built.which().and_then(|which| which.open()) {
        Ok(lab) => lab,
        Err(error) => {
            eprintln!("fabricctl: {error:#}");
            return Ok(ExitCode::from(NO_LAB));
        }
    };
    let status = lab.status(args.ping)?;
    let printed = match args.json {
        true => print::json(&Document::new(&status)),
        false => print::text(&text(&status)),
    };
    print::told(printed, ExitCode::from(u8::from(!status.healthy)))
}

fn text(status: &Status) -> String {
    let verdict = match status.faults.len() {
        0 => "everything is as it should be".to_owned(),
        1 => "one thing is not as it should be".to_owned(),
        n => format!("{n} things are not as they should be"),
    };
    let mut text = format!("lab {} (topology {}): {verdict}\n", status.lab, status.topology);
    for fault in &status.faults {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {fault}");
    }
    let broken = status.links.iter().filter(|link| link.complaint().is_some()).count();
    let _ = writeln!(text, "links: {} of {} up", status.links.len() - broken, status.links.len());
    if let Some(pings) = &status.pings {
        let answered = pings.iter().filter(|ping| ping.answered).count();
        let _ = writeln!(text, "pings: {answered} of {} answered", pings.len());
    }
    for table in [switches(&status.switches), hosts(status)] {
        text.push('\n');
        text.push_str(&table.text(Look::default()));
    }
    text
}

fn switches(all: &[SwitchStatus]) -> Table {
    // A column for everything would not fit on a line.
    let with_bgp = all.iter().any(|node| node.bgp_sessions > 0);
    let with_bfd = all.iter().any(|node| node.bfd_sessions > 0);
    let with_services = all.iter().any(|node| !node.services.is_empty());
    let mut header = vec!["NODE", "FUNCTION", "SITE", "LOOPBACK"];
    header.extend(with_bgp.then_some(["AS", "FRR", "BGP"]).into_iter().flatten());
    header.extend(with_bfd.then_some("BFD"));
    header.extend(with_bgp.then_some(["EVPN ROUTES", "MACS"]).into_iter().flatten());
    header.extend(["VNIS", "FABRIC-XDPD", "ACCELERATED"]);
    header.extend(with_services.then_some("SERVICES"));
    let row = |node: &SwitchStatus| {
        let known = |count: Option<usize>| count.map_or_else(|| "?".to_owned(), |n| n.to_string());
        let vnis: Vec<String> = node.vnis.iter().map(ToString::to_string).collect();
        let or_none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let runs =
            |daemon: &&crate::lab::status::FrrDaemon| daemon.pid.is_some() && !daemon.suspended;
        let mut row = vec![
            node.node.clone(),
            node.function.name().to_owned(),
            node.site.clone(),
            node.vtep.to_string(),
        ];
        let running = node.daemons.iter().filter(runs).count();
        let bgp = || {
            [
                node.asn.to_string(),
                format!("{running}/{}", node.daemons.len()),
                format!("{}/{}", known(node.bgp_established), node.bgp_sessions),
            ]
        };
        row.extend(with_bgp.then(bgp).into_iter().flatten());
        row.extend(with_bfd.then(|| format!("{}/{}", known(node.bfd_up), node.bfd_sessions)));
        let evpn = || [node.evpn_routes.to_string(), node.macs.to_string()];
        row.extend(with_bgp.then(evpn).into_iter().flatten());
        row.extend([
            or_none(vnis.join(" ")),
            node.fabric_xdpd.name().to_owned(),
            format!("{}/{}", node.accelerated, node.accelerable),
        ]);
        row.extend(with_services.then(|| or_none(node.services.join(" "))));
        row
    };
    Table::plain(&header, all.iter().map(row))
}

fn hosts(status: &Status) -> Table {
    let header = ["HOST", "NETWORK", "ADDRESS", "MAC", "AT", "PORT", "LINK"];
    let row = |host: &HostStatus| {
        let links = status.links.iter().filter(|link| link.b.node == host.node);
        let complaints: Vec<String> = links.filter_map(LinkStatus::complaint).collect();
        vec![
            host.node.clone(),
            host.network.clone().unwrap_or_else(|| format!("routed, {}", host.subnets.join(" "))),
            host.address.to_string(),
            host.mac.to_string(),
            host.switch.clone(),
            host.port.clone(),
            if complaints.is_empty() { "up".to_owned() } else { complaints.join(", ") },
        ]
    };
    Table::plain(&header, status.hosts.iter().map(row))
}
