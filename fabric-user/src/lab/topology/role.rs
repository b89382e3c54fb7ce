//! What a node is for, where the picture does not say it in the lab's own words: by the words in its
//! function and name, its image, and its neighbours.

use super::picture::Function;

/// What becomes of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is in the lab.
    Node(Function),
    /// It belongs to the management or the outside of the fabric.
    LeftOut,
}

const SPINE: Role = Role::Node(Function::Spine);
const LEAF: Role = Role::Node(Function::Leaf);
const BORDER: Role = Role::Node(Function::Border);
const SERVER: Role = Role::Node(Function::Server);
const HOST: Role = Role::Node(Function::Host);

/// The functions of docs/lab.md.
const FUNCTIONS: [(&str, Role); 16] = [
    ("spine", SPINE),
    ("leaf", LEAF),
    ("tor", LEAF),
    ("border", BORDER),
    ("exit", BORDER),
    ("edge", BORDER),
    ("server", SERVER),
    ("host", HOST),
    ("vm", HOST),
    ("oob-server", Role::LeftOut),
    ("oob-switch", Role::LeftOut),
    ("internet", Role::LeftOut),
    ("fake", Role::LeftOut),
    ("netq-ts", Role::LeftOut),
    ("management", Role::LeftOut),
    ("mgmt", Role::LeftOut),
];

/// Words in names, from the ones that tell most to the ones that tell least.
const WORDS: [&[(Role, &[&str])]; 3] = [
    &[(Role::LeftOut, &["oob", "mgmt", "management", "netq", "internet", "ztp", "fake"])],
    &[
        (SPINE, &["spine", "superspine", "core", "spn", "agg", "aggregation", "distribution"]),
        (LEAF, &["leaf", "tor", "lf", "access", "vtep"]),
        (BORDER, &["border", "exit", "edge", "fw", "firewall", "gw", "gateway", "wan", "dci"]),
        (
            HOST,
            &[
                "server",
                "srv",
                "svr",
                "host",
                "vm",
                "client",
                "pc",
                "compute",
                "hgx",
                "dgx",
                "gpu",
                "storage",
                "worker",
                "workstation",
                "ubuntu",
                "debian",
                "centos",
            ],
        ),
    ],
    &[(LEAF, &["switch", "sw"]), (BORDER, &["router", "rtr", "isp", "provider"])],
];

/// Words of images and systems that forward.
const SWITCH_IMAGES: [&str; 7] = ["cumulus", "frr", "sonic", "vyos", "dent", "bird", "gobgp"];
/// Words of images and systems of hosts.
const HOST_IMAGES: [&str; 16] = [
    "ubuntu",
    "debian",
    "centos",
    "fedora",
    "rocky",
    "alma",
    "redhat",
    "alpine",
    "bento",
    "generic",
    "multitool",
    "netshoot",
    "busybox",
    "windows",
    "nginx",
    "iperf",
];

/// The role of a function that docs/lab.md lists.
pub(super) fn of_function(function: &str) -> Option<Role> {
    FUNCTIONS.iter().find(|(word, _)| *word == function).map(|(_, role)| *role)
}

/// The role that the words of a name tell: `leaf01`, `rack2-tor1`, `hostA`. Of several equally good words
/// the last one counts, as in `border-leaf1`.
pub(super) fn of_name(name: &str) -> Option<Role> {
    let parts = words(name);
    WORDS.into_iter().find_map(|roles| {
        parts.iter().rev().find_map(|part| {
            let is_here = |word: &&str| part == word || word.len() >= 4 && part.contains(*word);
            roles.iter().find(|(_, words)| words.iter().any(is_here)).map(|(role, _)| *role)
        })
    })
}

/// Whether the name is that of a management node, whatever the function says.
pub(super) fn is_management(name: &str) -> bool {
    words(name).iter().any(|part| part == "oob" || part == "netq")
}

/// Whether an image or operating system forwards; none if its name says nothing.
pub(super) fn forwards(image: &str) -> Option<bool> {
    let image = image.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| image.contains(word));
    if has(&SWITCH_IMAGES) { Some(true) } else { has(&HOST_IMAGES).then_some(false) }
}

/// The words of a name in small letters: parted at all that is no letter, and before a capital.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        let is_new = !letter.is_alphabetic() || letter.is_uppercase() && before.is_lowercase();
        if is_new && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphabetic()) {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_guessed_by_the_words_of_a_name() {
        for (name, role) in [
            ("spine01", Some(SPINE)),
            ("dc1-Leaf-02", Some(LEAF)),
            ("rack2tor1", Some(LEAF)),
            ("rack2-tor1", Some(LEAF)),
            ("leafA", Some(LEAF)),
            ("leafkind", Some(LEAF)),
            ("border-leaf1", Some(LEAF)),
            ("superspine1", Some(SPINE)),
            ("super-spine-2", Some(SPINE)),
            ("exit01", Some(BORDER)),
            ("fw-1", Some(BORDER)),
            ("core-router", Some(SPINE)),
            ("router2", Some(BORDER)),
            ("access-sw3", Some(LEAF)),
            ("sw1", Some(LEAF)),
            ("server04", Some(HOST)),
            ("vm7", Some(HOST)),
            ("PC1", Some(HOST)),
            ("compute-0-1", Some(HOST)),
            ("hgx-su00-h00", Some(HOST)),
            ("leaf01-vm3", Some(HOST)),
            ("oob-mgmt-switch", Some(Role::LeftOut)),
            ("netq-ts", Some(Role::LeftOut)),
            ("torsten", None),
            ("r1", None),
            ("", None),
        ] {
            assert_eq!(of_name(name), role, "{name}");
        }
    }

    #[test]
    fn an_image_tells_a_switch_from_a_host() {
        for (image, forwards_it) in [
            ("quay.io/frrouting/frr:10.2.1", Some(true)),
            ("CumulusCommunity/cumulus-vx", Some(true)),
            ("cumulus-vx-5.8.0", Some(true)),
            ("generic/ubuntu2204", Some(false)),
            ("wbitt/network-multitool:latest", Some(false)),
            ("registry.example/own:1", None),
        ] {
            assert_eq!(forwards(image), forwards_it, "{image}");
        }
    }
}
