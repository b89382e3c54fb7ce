//! The Ansible inventory of a lab, used as Ansible does.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    process::{Command, Stdio},
};

use fabric_tests::fabric::{Fabric, fabricctl, own_folder};
use serde_json::Value;

/// A module, more or less: it says in which namespace it runs and which daemon is asked there.
const MODULE: &str = "
import json, os, subprocess, sys
status = subprocess.run([sys.argv[1], 'status', '--json'], capture_output=True, text=True)
print(json.dumps({
    'namespace': os.stat('/proc/self/ns/net').st_ino,
    'instance': json.loads(status.stdout)['instance'] if 'FABRIC_INSTANCE' in os.environ else None,
}))
";

#[test]
fn modules_run_in_the_namespace_of_their_node_and_ask_its_own_daemon() {
    let fabric = Fabric::exits();
    let lab = fabric.lab();
    let folder = own_folder("inventory");
    let inventory = || {
        let mut command = Command::new(fabricctl());
        command.args(["lab", "inventory", "--name", lab.name()]).arg(&folder);
        let output = command.output().expect("fabricctl can be run");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(inventory(), (true, String::new()));
    let file = folder.join("hosts.yml");
    let text = fs::read_to_string(&file).expect("it was written");
    let document: Value = serde_saphyr::from_str(&text).expect("it is YAML");
    let nodes = document["all"]["hosts"].as_object().expect("it has nodes");
    assert_eq!(nodes.len(), lab.topology().node_names().count());
    for (name, vars) in nodes {
        let python = vars["ansible_python_interpreter"].as_str().expect("it has a Python");
        // With pipelining the module comes over standard input; the line goes to a shell.
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("{python} - {} && sleep 0", fabricctl().display()));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell can be started");
        let mut input = child.stdin.take().expect("it has one");
        input.write_all(MODULE.as_bytes()).expect("it reads");
        drop(input);
        let output = child.wait_with_output().expect("it is our child");
        let said: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{name}: {error}: {output:?}"));
        let node = lab.node(name).expect("it is one of the lab's");
        let namespace = fs::metadata(node.netns().path()).expect("it is there").ino();
        assert_eq!(said["namespace"], namespace, "{name}");
        assert_eq!(said["instance"], vars["fabric_instance"], "{name}");
    }
    let with_daemon = nodes.values().filter(|it| it["fabric_instance"].is_string()).count();
    assert_eq!(with_daemon, 8, "{text}");

    // It may be written anew, and what somebody else has written may not.
    assert_eq!(inventory(), (true, String::new()));
    fs::write(&file, "all:\n").expect("it can be written");
    let (written, said) = inventory();
    fs::remove_dir_all(&folder).expect("it can be removed");
    assert!(!written && said.contains("name another folder"), "{said}");
}
