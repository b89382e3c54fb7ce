//! `fabricctl lab`: build a whole fabric in network namespaces and work with it.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command as Process, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::lab::{Foreground, Lab, LabError, Options, Topology, graph, interrupt, render};

/// A fabric converges in seconds, and within minutes on a machine that has much else to do.
const CONVERGENCE_LIMIT: Duration = Duration::from_secs(300);
/// What a shell adds to the number of a signal that ended a program.
const ENDED_BY_SIGNAL: i32 = 128;

/// Arguments of `fabricctl lab`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build and start a lab from TOPOLOGY.dot and TOPOLOGY.toml.
    Up(Up),
    /// Take a lab down and remove everything it made.
    Down(Down),
    /// Show nodes, BGP and BFD sessions, EVPN and fabric-xdpd of a lab.
    Status(Status),
    /// Draw a topology, or a lab as it is now, as SVG.
    Graph(Graph),
    /// Run a command in a node of a lab; `vtysh` talks to the node's own FRR.
    Exec(Exec),
    /// Move a virtual machine to another leaf, with its MAC and addresses.
    Migrate(Migrate),
    /// Cut a link: the port loses its carrier.
    Cut(Fault),
    /// Silence a link: its ends keep their carrier, and nothing arrives any more.
    Silence(Fault),
    /// Mend a link that was cut or silenced.
    Mend(Fault),
    /// Take the addresses of an anycast service from a server, which announces them no longer.
    Withdraw(Part),
    /// Give a server the addresses of its anycast service back.
    Announce(Part),
    /// Print what the devices of a topology are configured with.
    Render(Render),
}

#[derive(Debug, clap::Args)]
struct Up {
    /// The picture (TOPOLOGY.dot); the inventory (TOPOLOGY.toml) lies beside it.
    topology: PathBuf,
    /// Name of the lab [default: the file's name].
    #[arg(long)]
    name: Option<String>,
    /// The fabric-xdpd to run [default: the one beside this program].
    #[arg(long, value_name = "PATH", conflicts_with = "no_fabric_xdpd")]
    fabric_xdpd: Option<PathBuf>,
    /// Run no fabric-xdpd: the kernel forwards everything.
    #[arg(long)]
    no_fabric_xdpd: bool,
    /// Return when everything runs, without waiting until BGP has converged.
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, clap::Args)]
struct Status {
    /// The lab [default: the only one that is up].
    name: Option<String>,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Migrate {
    /// The lab [default: the only one that is up].
    #[arg(long)]
    name: Option<String>,
    /// The virtual machine.
    vm: String,
    /// The leaf that it moves to.
    node: String,
    /// Print JSON instead of a sentence.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Down {
    /// The lab [default: the only one that is up].
    name: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Graph {
    /// The picture (TOPOLOGY.dot) or the name of a lab that is up.
    topology: PathBuf,
    /// The file to write; `-` for standard output [default: TOPOLOGY.svg in this folder].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Exec {
    /// The lab [default: the only one that is up].
    #[arg(long)]
    name: Option<String>,
    /// The node.
    node: String,
    /// The command and its arguments, after `--`.
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
struct Fault {
    /// The lab [default: the only one that is up].
    #[arg(long)]
    name: Option<String>,
    /// The node.
    node: String,
    /// Its port.
    port: String,
}

#[derive(Debug, clap::Args)]
struct Part {
    /// The lab [default: the only one that is up].
    #[arg(long)]
    name: Option<String>,
    /// The service.
    service: String,
    /// The server.
    server: String,
}

#[derive(Debug, clap::Args)]
struct Render {
    /// The picture (TOPOLOGY.dot) or the name of a lab that is up.
    topology: PathBuf,
    /// The node [default: all].
    node: Option<String>,
}

/// Runs the subcommand. Ctrl-C and SIGTERM end all of them within two seconds: those that only look at
/// once, the others when they have undone or done what they were at.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let cancel = match args.command {
        Command::Status(_) | Command::Graph(_) | Command::Render(_) => {
            interrupt::end_at_once().map(|()| Arc::default())
        }
        _ => interrupt::watch(),
    };
    let cancel = cancel.context("cannot watch for Ctrl-C")?;
    let result = match args.command {
        Command::Up(args) => up(args, &cancel),
        Command::Down(args) => down(args),
        Command::Status(args) => status(args),
        Command::Graph(args) => draw(&args),
        Command::Exec(args) => exec(args, cancel),
        Command::Migrate(args) => migrate(args, cancel),
        Command::Cut(args) => fault(args, "cut", cancel, Lab::cut),
        Command::Silence(args) => fault(args, "silent", cancel, Lab::silence),
        Command::Mend(args) => fault(args, "mended", cancel, Lab::mend),
        Command::Withdraw(args) => part(args, "announces no longer", cancel, Lab::withdraw),
        Command::Announce(args) => part(args, "announces", cancel, Lab::announce),
        Command::Render(args) => render_nodes(&args),
    };
    match (result, interrupt::last()) {
        (Err(error), Some(last)) if matches!(error.downcast_ref(), Some(LabError::Interrupted)) => {
            eprintln!("fabricctl: {error}");
            Ok(exit_code(ENDED_BY_SIGNAL + last.signal))
        }
        (result, _) => result,
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

fn up(args: Up, cancel: &Arc<AtomicBool>) -> anyhow::Result<ExitCode> {
    let topology = load(&args.topology)?;
    let fabric_xdpd = match (args.no_fabric_xdpd, args.fabric_xdpd) {
        (true, _) => None,
        (false, Some(path)) => Some(path),
        (false, None) => Some(sibling("fabric-xdpd")?),
    };
    if let Some(path) = fabric_xdpd.as_ref().filter(|path| !path.is_file()) {
        bail!(
            "there is no fabric-xdpd at {}; give another --fabric-xdpd or --no-fabric-xdpd",
            path.display()
        );
    }
    let options = Options { name: args.name, fabric_xdpd, cancel: Arc::clone(cancel) };
    let start = Instant::now();
    let mut progress = |line: &str| eprintln!("{:6.2} s  {line}", start.elapsed().as_secs_f64());
    let mut lab = Lab::up(&topology, &options, &mut progress)?;
    if args.no_wait {
        lab.go_on()?;
        lab.keep();
        progress(&format!("lab {} is up; BGP converges in the background", lab.name()));
        return Ok(ExitCode::SUCCESS);
    }
    progress("waiting for BGP and EVPN to converge");
    match lab.wait_converged(CONVERGENCE_LIMIT) {
        Err(LabError::Interrupted) => {
            progress("taking down what was made");
            lab.down(&mut |_| {})?;
            Err(LabError::Interrupted.into())
        }
        waited => {
            lab.keep();
            waited
                .context("the lab stays up for you to look at; `fabricctl lab down` removes it")?;
            progress(&format!("lab {} is up and has converged", lab.name()));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn status(args: Status) -> anyhow::Result<ExitCode> {
    let names = Lab::names();
    if args.name.is_none() && names.len() != 1 {
        match names.as_slice() {
            [] => println!("no lab is up; start one with `fabricctl lab up TOPOLOGY`"),
            _ => println!("labs that are up: {}", names.join(", ")),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let status = open(args.name)?.status()?;
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

fn migrate(args: Migrate, cancel: Arc<AtomicBool>) -> anyhow::Result<ExitCode> {
    let report = open(args.name)?.heeding(cancel).migrate(&args.vm, &args.node)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!(
            "{} moved from {} {} to {} {}: changed links in {:.1} ms, announced after {:.1} ms",
            args.vm,
            report.from.switch,
            report.from.port,
            report.to.switch,
            report.to.port,
            Duration::from_micros(report.link_down_us).as_secs_f64() * 1e3,
            Duration::from_micros(report.announced_us).as_secs_f64() * 1e3,
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn fault(
    args: Fault,
    done: &str,
    cancel: Arc<AtomicBool>,
    work: impl FnOnce(&Lab, &str, &str) -> Result<(), LabError>,
) -> anyhow::Result<ExitCode> {
    let lab = open(args.name)?.heeding(cancel);
    work(&lab, &args.node, &args.port)?;
    println!("the link at {} {} is {done}", args.node, args.port);
    Ok(ExitCode::SUCCESS)
}

fn part(
    args: Part,
    does: &str,
    cancel: Arc<AtomicBool>,
    work: impl FnOnce(&Lab, &str, &str) -> Result<(), LabError>,
) -> anyhow::Result<ExitCode> {
    let lab = open(args.name)?.heeding(cancel);
    work(&lab, &args.service, &args.server)?;
    println!("{} {does} service {}", args.server, args.service);
    Ok(ExitCode::SUCCESS)
}

fn sibling(program: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find the path of this program")?;
    Ok(own.with_file_name(program))
}

fn down(args: Down) -> anyhow::Result<ExitCode> {
    let name = match args.name {
        Some(name) => name,
        None => match Lab::names().as_slice() {
            [] => {
                println!("no lab is up");
                return Ok(ExitCode::SUCCESS);
            }
            _ => the_only_lab()?,
        },
    };
    if Lab::take_down(&name, &mut |line| eprintln!("{line}"))? {
        println!("lab {name} is down");
    } else {
        println!("lab {name} is not up; nothing to do");
    }
    Ok(ExitCode::SUCCESS)
}

fn the_only_lab() -> anyhow::Result<String> {
    let mut names = Lab::names();
    match names.len() {
        0 => bail!("no lab is up; start one with `fabricctl lab up TOPOLOGY`"),
        1 => Ok(names.remove(0)),
        _ => bail!("several labs are up ({}); say which one is meant", names.join(", ")),
    }
}

fn open(name: Option<String>) -> anyhow::Result<Lab> {
    let name = match name {
        Some(name) => name,
        None => the_only_lab()?,
    };
    Ok(Lab::open(&name)?)
}

fn exec(args: Exec, cancel: Arc<AtomicBool>) -> anyhow::Result<ExitCode> {
    let lab = open(args.name)?.heeding(cancel);
    let Some((program, arguments)) = args.command.split_first() else {
        bail!("no command was given; write it after --");
    };
    let mut command = Process::new(program);
    if program == "vtysh" {
        // FRR of a node keeps its sockets under the namespace's name.
        command.args(["-N", lab.node(&args.node)?.netns().name()]);
    }
    let foreground = Foreground::prepare(&mut command);
    let mut child = lab.spawn(&args.node, command.args(arguments))?;
    let status = foreground.wait(&mut child).context("cannot wait for the command")?;
    let code = status.code().unwrap_or_else(|| {
        ENDED_BY_SIGNAL + std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0)
    });
    Ok(exit_code(code))
}

fn render_nodes(args: &Render) -> anyhow::Result<ExitCode> {
    let topology = topology_of(&args.topology)?;
    if let Some(name) = &args.node
        && topology.node_names().all(|known| known != name)
    {
        let known = topology.node_names().collect::<Vec<_>>().join(", ");
        bail!("topology {} has no node {name}; it has {known}", topology.name);
    }
    let wanted = |name: &str| args.node.as_deref().is_none_or(|node| node == name);
    let switches = topology.switches.iter().filter(|switch| wanted(&switch.name));
    let hosts = topology.hosts.iter().filter(|host| wanted(&host.name));
    let texts: Vec<String> = switches
        .map(|switch| render::switch_text(&topology, switch))
        .chain(hosts.map(|host| render::host_text(&topology, host)))
        .collect();
    std::io::stdout().write_all(texts.join("\n").as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn draw(args: &Graph) -> anyhow::Result<ExitCode> {
    let topology = topology_of(&args.topology)?;
    let picture = graph::svg(&topology);
    let path = args.output.clone().unwrap_or_else(|| format!("{}.svg", topology.name).into());
    if path.as_os_str() == "-" {
        std::io::stdout().write_all(picture.as_bytes())?;
    } else {
        std::fs::write(&path, picture)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("wrote {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// The topology of a file, or of a lab that is up when there is no such file.
fn topology_of(argument: &std::path::Path) -> anyhow::Result<Topology> {
    if let Some(name) = argument.to_str().filter(|name| Lab::names().iter().any(|lab| lab == name))
    {
        return Ok(Lab::open(name)?.current_topology()?);
    }
    load(argument)
}

/// The topology of a file; says what in it was left out or guessed.
fn load(path: &std::path::Path) -> anyhow::Result<Topology> {
    let topology = Topology::load(path)?;
    for note in &topology.notes {
        eprintln!("note: {note}");
    }
    Ok(topology)
}
