//! `fabricctl lab inventory`: writes an Ansible inventory of a lab, by which modules run in its nodes.
//!
//! Ansible starts a module's Python on this machine (`ansible_connection: local`), and a program of each node's
//! own in place of Python enters the node's namespace first: modules need no other plugin. `ip netns exec` would
//! hide pinned BPF objects, `nsenter` does not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::Which;
use crate::cli::print;
use crate::lab::topology::{ControlPlane, Host, Switch};
use crate::lab::{Lab, Topology};

/// The file that Ansible reads.
const FILE: &str = "hosts.yml";
/// Where the nodes' Pythons are: Ansible takes programs in the folder for inventories, but for hidden ones.
const PYTHONS: &str = ".python";
/// The first line, by which a file is known that may be written anew.
const HEAD: &str = "# Written by `fabricctl lab inventory`.\n";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The folder gets hosts.yml, and a program for each node in .python by which Ansible's modules run in the node's
namespace. Nodes are in groups by function (spines, leafs, hosts and so on) and by site.")]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// The folder to write, as for `ansible -i FOLDER`.
    folder: PathBuf,
    /// The Python that runs modules.
    #[arg(long, value_name = "PATH", default_value = "/usr/bin/python3")]
    python: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let lab = args.which.open()?;
    let pythons = args.folder.join(PYTHONS);
    let file = args.folder.join(FILE);
    check_ours(&file)?;
    let cannot_write = |path: &Path| format!("cannot write {}", path.display());
    fs::create_dir_all(&pythons).with_context(|| cannot_write(&pythons))?;
    let pythons = pythons.canonicalize().with_context(|| cannot_write(&pythons))?;
    let inventory = Inventory::of(&Running::of(&lab)?, &pythons)?;
    for (node, vars) in &inventory.all.hosts {
        let path = pythons.join(node);
        fs::write(&path, vars.wrapper(&args.python))
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
            .with_context(|| cannot_write(&path))?;
    }
    fs::write(&file, inventory.text()?).with_context(|| cannot_write(&file))?;
    print::text(&format!(
        "wrote {} with {} nodes; `ansible-inventory -i {} --graph` shows them\n",
        file.display(),
        inventory.all.hosts.len(),
        args.folder.display(),
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses to write over what somebody else has written.
fn check_ours(file: &Path) -> anyhow::Result<()> {
    match fs::read_to_string(file) {
        Ok(text) if text.starts_with(HEAD) => Ok(()),
        Ok(_) => bail!(
            "{} is not one that `fabricctl lab inventory` has written; name another folder",
            file.display()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// What is known of a lab that is up.
struct Running {
    lab: String,
    /// With every host where it is plugged in now.
    topology: Topology,
    /// Network namespaces by node.
    namespaces: BTreeMap<String, String>,
    /// Instances of fabric-xdpd by node.
    instances: BTreeMap<String, String>,
}

impl Running {
    fn of(lab: &Lab) -> anyhow::Result<Self> {
        let state = lab.state()?;
        Ok(Self {
            lab: lab.name().to_owned(),
            topology: lab.current_topology()?,
            namespaces: state.namespaces,
            instances: state.instances,
        })
    }
}

/// The file.
#[derive(Debug, Serialize)]
struct Inventory {
    all: All,
}

/// The group that everything is in.
#[derive(Debug, Serialize)]
struct All {
    vars: Common,
    hosts: BTreeMap<String, Vars>,
    children: BTreeMap<String, Group>,
}

/// Variables of all nodes.
#[derive(Debug, Serialize)]
struct Common {
    ansible_connection: &'static str,
    fabric_lab: String,
}

/// A group by its members, which have their variables elsewhere.
#[derive(Debug, Default, Serialize)]
struct Group {
    hosts: BTreeMap<String, Option<()>>,
}

/// Variables of a node.
#[derive(Debug, Serialize)]
struct Vars {
    ansible_python_interpreter: PathBuf,
    fabric_namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fabric_instance: Option<String>,
    fabric_function: &'static str,
    fabric_site: String,
    #[serde(flatten)]
    of_kind: OfKind,
}

/// Variables of a node that other kinds of nodes do not have.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum OfKind {
    /// A switch, or a server that speaks BGP.
    Switch {
        /// How its own FRR is spoken with.
        #[serde(skip_serializing_if = "Option::is_none")]
        fabric_vtysh: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        fabric_as: Option<u32>,
        fabric_loopback: Ipv4Addr,
        fabric_networks: Vec<String>,
    },
    /// A host.
    Host {
        fabric_addresses: Vec<IpAddr>,
        #[serde(skip_serializing_if = "Option::is_none")]
        fabric_network: Option<String>,
        /// What it is plugged into.
        fabric_at: String,
    },
}

impl Vars {
    /// The program that is a node's Python.
    fn wrapper(&self, python: &Path) -> String {
        // What asks fabric-xdpd asks this node's, as on a box of its own.
        let instance = self.fabric_instance.as_ref();
        let instance =
            instance.map(|it| format!("export FABRIC_INSTANCE={it}\n")).unwrap_or_default();
        format!(
            "#!/bin/sh\n{instance}exec nsenter --net=/run/netns/{} '{}' \"$@\"\n",
            self.fabric_namespace,
            python.display().to_string().replace('\'', r"'\''"),
        )
    }
}

impl Inventory {
    /// Of a lab whose nodes have their Pythons in a folder.
    ///
    /// # Errors
    /// If two sites would be one group.
    fn of(running: &Running, pythons: &Path) -> anyhow::Result<Self> {
        let topology = &running.topology;
        let mut hosts = BTreeMap::new();
        let mut children: BTreeMap<String, Group> = BTreeMap::new();
        let sites = site_groups(topology)?;
        let mut add = |name: &str, function: &'static str, site: &str, of_kind| {
            for group in [format!("{function}s"), sites[site].clone()] {
                children.entry(group).or_default().hosts.insert(name.to_owned(), None);
            }
            let vars = Vars {
                ansible_python_interpreter: pythons.join(name),
                fabric_namespace: running.namespaces.get(name).cloned().unwrap_or_default(),
                fabric_instance: running.instances.get(name).cloned(),
                fabric_function: function,
                fabric_site: site.to_owned(),
                of_kind,
            };
            hosts.insert(name.to_owned(), vars);
        };
        for switch in &topology.switches {
            let of_kind = running.of_switch(switch);
            add(&switch.name, switch.function.name(), &switch.site, of_kind);
        }
        for host in &topology.hosts {
            let at = topology.switch(&host.switch.node);
            let site = at.map(|it| it.site.as_str()).context("a host is plugged in nowhere")?;
            add(&host.name, "host", site, of_host(host));
        }
        let vars = Common { ansible_connection: "local", fabric_lab: running.lab.clone() };
        Ok(Self { all: All { vars, hosts, children } })
    }

    fn text(&self) -> anyhow::Result<String> {
        Ok(format!("{HEAD}{}", serde_saphyr::to_string(self)?))
    }
}

impl Running {
    fn of_switch(&self, switch: &Switch) -> OfKind {
        let speaks = self.topology.fabric.control_plane == ControlPlane::Bgp;
        let namespace = self.namespaces.get(&switch.name).filter(|_| speaks);
        OfKind::Switch {
            fabric_vtysh: namespace.map(|it| format!("vtysh -N {it}")),
            fabric_as: speaks.then_some(switch.asn),
            fabric_loopback: switch.loopback,
            fabric_networks: switch.networks.clone(),
        }
    }
}

fn of_host(host: &Host) -> OfKind {
    let addresses = [Some(IpAddr::V4(host.address)), host.address6.map(IpAddr::V6)];
    OfKind::Host {
        fabric_addresses: addresses.into_iter().flatten().collect(),
        fabric_network: host.network().map(str::to_owned),
        fabric_at: host.switch.node.clone(),
    }
}

/// The group of each site: Ansible takes letters, digits and `_` alone.
fn site_groups(topology: &Topology) -> anyhow::Result<BTreeMap<&str, String>> {
    let group = |site: &str| {
        let plain: String = site
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .collect();
        format!("site_{}", plain.strip_prefix("site").unwrap_or(&plain).trim_start_matches('_'))
    };
    let groups: BTreeMap<&str, String> =
        topology.sites().into_iter().map(|site| (site, group(site))).collect();
    let different: BTreeSet<&String> = groups.values().collect();
    if different.len() < groups.len() {
        let sites = groups.keys().copied().collect::<Vec<_>>().join(", ");
        bail!("two of the sites {sites} would be one group of Ansible's; rename one");
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn running(name: &str, change: impl Fn(String) -> String) -> Running {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies");
        let read = |ending| fs::read_to_string(folder.join(format!("{name}.{ending}"))).unwrap();
        let topology = Topology::parse(name, &read("dot"), &change(read("toml"))).unwrap();
        let names: Vec<String> = topology.node_names().map(str::to_owned).collect();
        let of = |before: &str| {
            names.iter().map(|it| (it.clone(), format!("{before}tour-{it}"))).collect()
        };
        let (namespaces, mut instances): (_, BTreeMap<String, String>) = (of("fab-"), of(""));
        instances.retain(|name, _| topology.switch(name).is_some_and(|it| it.fabric_xdpd));
        Running { lab: "tour".into(), topology, namespaces, instances }
    }

    fn written(running: &Running) -> (String, Value) {
        let text = Inventory::of(running, Path::new("/inventory/.python")).unwrap().text().unwrap();
        let document = serde_saphyr::from_str(&text).unwrap();
        (text, document)
    }

    #[test]
    fn nodes_are_in_groups_by_function_and_site_and_have_what_a_play_needs() {
        let (text, document) = written(&running("exits", |it| it));
        assert!(text.starts_with(HEAD), "{text}");
        let all = &document["all"];
        assert_eq!(all["vars"], json!({ "ansible_connection": "local", "fabric_lab": "tour" }));
        let members = |group: &str| -> Vec<String> {
            let hosts = all["children"][group]["hosts"].as_object().unwrap();
            hosts.keys().cloned().collect()
        };
        assert_eq!(members("spines"), ["spine01", "spine02"]);
        assert_eq!(members("borders"), ["exit01", "exit02", "exit03", "exit04"]);
        assert_eq!(members("providers"), ["isp01", "isp02"]);
        assert_eq!(members("hosts"), ["client01", "client02"]);
        assert!(members("site_01").contains(&"client01".to_owned()), "{text}");
        assert_eq!(members("site_01").len() + members("site_02").len(), 18, "{text}");
        assert_eq!(
            all["hosts"]["exit01"],
            json!({
                "ansible_python_interpreter": "/inventory/.python/exit01",
                "fabric_namespace": "fab-tour-exit01",
                "fabric_instance": "tour-exit01",
                "fabric_function": "border",
                "fabric_site": "Site-01",
                "fabric_vtysh": "vtysh -N fab-tour-exit01",
                "fabric_as": 65102,
                "fabric_loopback": "10.0.1.21",
                "fabric_networks": ["front"],
            })
        );
        assert_eq!(
            all["hosts"]["client02"],
            json!({
                "ansible_python_interpreter": "/inventory/.python/client02",
                "fabric_namespace": "fab-tour-client02",
                "fabric_function": "host",
                "fabric_site": "Site-02",
                "fabric_addresses": ["198.51.100.138", "2001:db8:2::10"],
                "fabric_at": "isp02",
            })
        );
    }

    #[test]
    fn where_nobody_speaks_bgp_there_is_no_frr_to_speak_with() {
        let (text, document) = written(&running("static", |it| it));
        let leaf = &document["all"]["hosts"]["leaf01"];
        assert!(leaf["fabric_loopback"].is_string(), "{text}");
        assert!(!text.contains("vtysh") && !text.contains("fabric_as"), "{text}");
    }

    #[test]
    fn sites_that_would_be_one_group_are_refused() {
        let site = |name: &'static str| move |it: String| it.replace("Site-02", name);
        let (text, document) = written(&running("exits", site("4. Floor")));
        assert!(document["all"]["children"]["site_4__floor"].is_object(), "{text}");
        let same = running("exits", site("site_01"));
        let error = Inventory::of(&same, Path::new("/")).unwrap_err().to_string();
        assert_eq!(
            error,
            "two of the sites Site-01, site_01 would be one group of Ansible's; rename one"
        );
    }

    #[test]
    fn a_nodes_python_enters_its_namespace_and_asks_its_own_daemon() {
        let running = running("exits", |it| it);
        let inventory = Inventory::of(&running, Path::new("/")).unwrap();
        let wrapper = |node: &str, python| inventory.all.hosts[node].wrapper(Path::new(python));
        assert_eq!(
            wrapper("leaf01", "/usr/bin/python3"),
            "#!/bin/sh\nexport FABRIC_INSTANCE=tour-leaf01\n\
             exec nsenter --net=/run/netns/fab-tour-leaf01 '/usr/bin/python3' \"$@\"\n"
        );
        assert_eq!(
            wrapper("client01", "/opt/it's/python3"),
            "#!/bin/sh\nexec nsenter --net=/run/netns/fab-tour-client01 '/opt/it'\\''s/python3' \"$@\"\n"
        );
    }
}
