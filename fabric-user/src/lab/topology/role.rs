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
const PROVIDER: Role = Role::Node(Function::Provider);
const SERVER: Role = Role::Node(Function::Server);
const HOST: Role = Role::Node(Function::Host);

/// The functions of docs/lab.md.
const FUNCTIONS: [(&str, Role); 17] = [
    ("spine", SPINE),
    ("leaf", LEAF),
    ("tor", LEAF),
    ("border", BORDER),
    ("exit", BORDER),
    ("edge", BORDER),
    ("provider", PROVIDER),
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

/// Words, by the role that they tell.
type Words = &'static [(Role, &'static [&'static str])];

/// Words that put a node outside the fabric, whatever else its name says.
const OUTSIDE: Words =
    &[(Role::LeftOut, &["oob", "mgmt", "management", "netq", "internet", "ztp", "fake"])];
/// Words that say where a switch stands.
const PLACES: Words = &[
    (SPINE, &["spine", "superspine", "core", "spn", "agg", "aggregation", "distribution"]),
    (LEAF, &["leaf", "tor", "lf", "access", "vtep"]),
    (BORDER, &["border", "exit", "edge", "fw", "firewall", "gw", "gateway", "wan", "dci"]),
];
/// Words for what forwards, wherever it stands.
const SWITCHES: Words = &[(LEAF, &["switch", "sw"]), (BORDER, &["router", "rtr"])];
const HOSTS: Words = &[(
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
)];
/// Words that count where there are no others.
const PROVIDERS: Words = &[(BORDER, &["isp", "provider"])];

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

/// The role that the words of a name tell: `leaf01`, `rack2-tor1`, `hostA`. Of several the last one counts,
/// as in `border-leaf1` and `server-switch`, but `switch` and `router` say less than where it stands, as in
/// `spine-switch`.
pub(super) fn of_name(name: &str) -> Option<Role> {
    let parts = words(name);
    let last = |groups: &[Words]| parts.iter().rev().find_map(|part| last_word(part, groups));
    let role = |groups: &[Words]| last(groups).map(|(_, role)| role);
    let in_fabric = || {
        let (word, told) = last(&[PLACES, SWITCHES, HOSTS])?;
        let is_any = SWITCHES.iter().any(|(_, words)| words.contains(&word));
        Some(if is_any { role(&[PLACES]).unwrap_or(told) } else { told })
    };
    role(&[OUTSIDE]).or_else(in_fabric).or_else(|| role(&[PROVIDERS]))
}

/// The word that a part of a name ends with, or else has last, and its role. Short words are whole parts.
fn last_word(part: &str, groups: &[Words]) -> Option<(&'static str, Role)> {
    let all = groups.iter().flat_map(|group| group.iter());
    let all = all.flat_map(|(role, words)| words.iter().map(|word| (*word, *role)));
    let end = |word: &str| {
        let at = if word.len() >= 4 { part.rfind(word) } else { (part == word).then_some(0) };
        at.map(|at| at + word.len())
    };
    all.filter_map(|(word, role)| Some((end(word)?, (word, role))))
        .max_by_key(|(end, _)| *end)
        .map(|(_, found)| found)
}

/// Whether the name is that of a management node, whatever the function says.
pub(super) fn is_management(name: &str) -> bool {
    words(name).iter().any(|part| part == "oob" || part == "netq")
}

/// Whether a name is another one with a slip: in its blanks, capitals, zeros or one letter. What has another
/// number or another role is another node.
pub(super) fn is_slip(name: &str, other: &str) -> bool {
    let (letters, numbers) = spelling(name);
    let (others, other_numbers) = spelling(other);
    numbers == other_numbers
        && of_name(name) == of_name(other)
        && strsim::osa_distance(&letters, &others) <= 1
}

/// The letters of a name, and all that counts: its numbers and single letters.
fn spelling(name: &str) -> (String, Vec<String>) {
    let (single, words): (Vec<_>, Vec<_>) = words(name).into_iter().partition(|it| it.len() < 2);
    let numbers = name.split(|it: char| !it.is_ascii_digit()).filter(|it| !it.is_empty());
    let numbers = numbers.map(|it| it.trim_start_matches('0').to_owned());
    (words.concat(), numbers.chain(single).collect())
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
            ("spine-switch-2", Some(SPINE)),
            ("client_switch", Some(LEAF)),
            ("storage-sw1", Some(LEAF)),
            ("server-switch", Some(LEAF)),
            ("serverswitch3", Some(LEAF)),
            ("host-router", Some(BORDER)),
            ("sw1-host2", Some(HOST)),
            ("provider-2", Some(BORDER)),
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
