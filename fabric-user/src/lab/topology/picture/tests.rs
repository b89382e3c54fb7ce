//! What a picture may look like, and what is said about it.

use super::*;

const SMALL: &str = r#"graph lab {
  // the form of existing files
  "spine01" [function="spine" os="hashicorp/bionic64" memory="768"]
  "leaf01" [function="leaf"]
  server01 [function=server]
  "leaf01":"swp1" -- "spine01":"swp2" [left_mac="44:38:39:00:00:01", right_mac="44:38:39:00:00:02" speed="10G"]
  "leaf01":"swp3" -- server01:eth1
}"#;

/// A picture with nothing wrong.
fn read(text: &str) -> Picture {
    let picture = parse(text, "lab.dot");
    assert_eq!(picture.complaints, [], "{text}");
    picture
}

/// All that is wrong with a picture.
fn complaints(text: &str) -> Vec<String> {
    parse(text, "lab.dot").complaints.iter().map(ToString::to_string).collect()
}

fn cables(picture: &Picture) -> Vec<String> {
    picture.cables.iter().map(DrawnCable::describe).collect()
}

fn noted(picture: &Picture, text: &str) -> bool {
    picture.notes.iter().any(|note| note.contains(text))
}

#[test]
fn ports_and_addresses_of_a_cable_survive() {
    let picture = read(SMALL);
    assert_eq!(cables(&picture), ["leaf01:swp1 -- spine01:swp2", "leaf01:swp3 -- server01:eth1"]);
    assert_eq!(picture.cables[0].right.mac, "44:38:39:00:00:02".parse().ok());
    assert_eq!(picture.cables[0].line, 6);
}

#[test]
fn attributes_without_meaning_are_noted_and_ignored() {
    let picture = read(SMALL);
    for key in ["os", "memory", "speed"] {
        assert!(noted(&picture, &format!("attribute {key} ")), "{key}");
    }
}

#[test]
fn a_management_switch_is_left_out_with_its_cables() {
    for oob in [r#"oob [function="oob-switch"]"#, r#"oob [function="leaf"]"#, "oob"] {
        let picture =
            read(&format!("graph x {{ {oob} leaf01 [function=leaf] oob:swp1 -- leaf01:eth0 }}"));
        assert_eq!((picture.nodes.len(), picture.cables.len()), (1, 0), "{oob}");
        assert!(noted(&picture, "node oob"), "{oob}");
    }
}

#[test]
fn a_cable_to_a_node_that_is_not_drawn_is_refused_unless_its_name_says_what_it_is() {
    let said = complaints("graph x { leaf01 [function=leaf]\n leaf01:swp1 -- spnie09:swp1 }");
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("lab.dot line 2: the cable names the unknown node spnie09"));
    assert!(said[0].ends_with("or correct the name to leaf01, the nearest one"), "{said:?}");
    for slip in ["leaf1", "Leaf01", "leaf-01", "leafs01", "laef01", "leaf001"] {
        let text = format!("graph x {{ leaf01 [function=leaf]\n leaf01:swp1 -- {slip}:swp1 }}");
        let said = complaints(&text);
        assert!(said[0].contains("correct the name to leaf01"), "{slip}: {said:?}");
    }
    for other in ["leaf02", "leaf10", "dc2-leaf01", "vm01"] {
        read(&format!("graph x {{ leaf01 [function=leaf]\n leaf01:swp1 -- {other}:swp1 }}"));
    }
    read("graph x { leaf01 leaf01:swp1 -- leaf1:swp1 }");
    let picture = read("graph x { leaf01 [function=leaf] leaf01:swp1 -- spine09:swp1 }");
    assert!(noted(&picture, "node spine09 is drawn by its cables only and is taken for a spine"));
}

#[test]
fn a_syntax_error_names_its_line_and_the_rest_is_read() {
    let said = complaints("graph x {\n  leaf01 [function=leaf]\n  leaf01:swp1 -- \n}");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("lab.dot line 4: `}`"), "{said:?}");
    let said = complaints(
        "graph x {\n a:1 - b:1\n a:2 -- b:2\n a [function=]\n b [function=leaf\n c [function=leaf]\n}",
    );
    let lines: Vec<&str> = said.iter().filter_map(|it| it.split(':').next()).collect();
    assert_eq!(lines, [2, 4, 6].map(|line| format!("lab.dot line {line}")), "{said:?}");
    assert!(complaints("graph x {\n a [os=\"x]\n}")[0].contains("column 8 has no end; write \""));
    assert!(complaints("graph x {\n a -- b\n")[0].contains("the file ends before the graph does"));
    assert!(complaints("hello")[0].contains("begins with `graph NAME {`"));
}

#[test]
fn a_function_that_is_unknown_is_guessed() {
    let picture = read(
        "graph x { leaf01 [function=toaster] spine01 [function=\"super-spine\"] leaf01:1 -- spine01:1 }",
    );
    let functions: Vec<Function> = picture.nodes.iter().map(|node| node.function).collect();
    assert_eq!(functions, [Function::Leaf, Function::Spine]);
    assert!(noted(
        &picture,
        "node leaf01 has the function toaster, which the lab does not know, and is taken for a leaf by its name"
    ));
}

#[test]
fn a_cable_without_ports_gets_free_ones() {
    let picture = read(
        "graph x { leaf01 -- spine01:swp1 [weight=2] leaf02:swp1 -- spine01 server01 -- leaf02 }",
    );
    assert_eq!(
        cables(&picture),
        [
            "leaf01:swp1 -- spine01:swp1",
            "leaf02:swp1 -- spine01:swp2",
            "server01:eth1 -- leaf02:swp2"
        ]
    );
    assert!(noted(&picture, "a cable at leaf01 names no port and gets swp1"));
}

#[test]
fn ports_may_be_attributes_or_part_of_the_name() {
    let picture = read(
        r#"graph x { leaf01 -- spine01 [left_port=swp51 right_port="swp1"]
           leaf02 -- spine01 [taillabel="swp51", headlabel="swp2"]
           "leaf03:swp51" -- "spine01:swp3"
           leaf04:swp51:s -- spine01:swp4:n
           leaf05:eth-1.10 -- "spine01":"Ethernet1/5"
           leaf06:"GigabitEthernet0/0/1" -- spine01:"TenGigE0/0/0/17" }"#,
    );
    let ends = [
        "swp51 swp1",
        "swp51 swp2",
        "swp51 swp3",
        "swp51 swp4",
        "eth-1.10 Ethernet1-5",
        "Gi0-0-1 TenGigE0-0-0-17",
    ];
    let found: Vec<String> = picture
        .cables
        .iter()
        .map(|cable| format!("{} {}", cable.left.port, cable.right.port))
        .collect();
    assert_eq!(found, ends);
    assert!(noted(&picture, "port Ethernet1/5 of spine01 is called Ethernet1-5"));
}

#[test]
fn ports_in_names_are_parted_from_them_though_nodes_have_defaults() {
    let picture = read(
        r#"graph x { spine01 [function=spine] node [function=leaf]
           "leaf01:swp1" -- "spine01:swp1" "leaf01:swp2" -- "spine01:swp2" }"#,
    );
    assert_eq!(cables(&picture), ["leaf01:swp1 -- spine01:swp1", "leaf01:swp2 -- spine01:swp2"]);
    let nodes: Vec<_> = picture.nodes.iter().map(|it| (&*it.name, it.function)).collect();
    assert_eq!(nodes, [("spine01", Function::Spine), ("leaf01", Function::Leaf)]);
}

/// Points of the compass, addresses, speeds and remarks stand where ports may stand.
#[test]
fn what_is_no_port_gives_a_free_one() {
    let picture = read(
        r#"graph x { leaf01 -- spine01 [tailport=s headport=n]
           leaf02:s -- spine01:n [tailport="swp7:e"]
           leaf03 -- spine01 [taillabel="10.0.0.1/31" headlabel="100G"]
           leaf04 -- spine01 [taillabel="Ethernet1/1" headlabel="uplink"]
           leaf05 -- spine01 [taillabel="swp1" headlabel="fd00::1/64"] }"#,
    );
    let found = [
        "leaf01:swp1 -- spine01:swp1",
        "leaf02:swp7 -- spine01:swp2",
        "leaf03:swp1 -- spine01:swp3",
        "leaf04:Ethernet1-1 -- spine01:swp4",
        "leaf05:swp1 -- spine01:swp5",
    ];
    assert_eq!(cables(&picture), found);
    assert!(noted(&picture, "a cable at leaf03 says 10.0.0.1/31, which is no port, and gets swp1"));
}

#[test]
fn free_ports_are_apart_from_those_that_later_attributes_name() {
    let picture = read(
        "graph x { leaf01 -- spine01 leaf02 -- spine01 [left_port=swp1 right_port=swp1]
         leaf03 -- spine01 [headlabel=swp2] }",
    );
    let of_spine: Vec<&str> = picture.cables.iter().map(|it| it.right.port.as_str()).collect();
    assert_eq!(of_spine, ["swp3", "swp1", "swp2"]);
}

#[test]
fn ports_that_linux_or_the_lab_cannot_have_get_others_with_a_note() {
    for (drawn, name) in [
        ("po#1", "po-1"),
        ("eth%d", "eth-d"),
        ("up", "p-up"),
        ("all", "p-all"),
        ("default", "p-default"),
        ("lo", "p-lo"),
        ("br10", "p-br10"),
        ("vxlan10010", "p-vxlan10010"),
        ("ünit1", "p-nit1"),
        ("10.0.0.1", "10-0-0-1"),
        ("br-lan", "br-lan"),
    ] {
        let text = format!("graph x {{ leaf01:\"{drawn}\" -- spine01:swp1 }}");
        let picture = read(&text);
        assert_eq!(cables(&picture), [format!("leaf01:{name} -- spine01:swp1")]);
        let note = format!("port {drawn} of leaf01 is called {name} in the lab");
        assert_eq!(noted(&picture, &note), drawn != name, "{:?}", picture.notes);
    }
}

#[test]
fn ports_that_would_have_the_same_name_get_two() {
    let picture = read(
        r#"graph x { leaf01:"TwoGigabitEthernet1/0/1" -- spine01:"p 1"
           leaf01:"TwentyFiveGigE1/0/1" -- spine01:"p#1" leaf02:a -- spine01:"p-1"
           leaf02:b -- spine01:"p%1" }"#,
    );
    let found = [
        "leaf01:Tw1-0-1 -- spine01:p-1-2",
        "leaf01:Twe1-0-1 -- spine01:p-1-3",
        "leaf02:a -- spine01:p-1",
        "leaf02:b -- spine01:p-1-4",
    ];
    assert_eq!(cables(&picture), found);
}

#[test]
fn both_directions_of_a_digraph_are_one_cable() {
    let picture = read(
        "digraph { leaf01 -> spine01 spine01 -> leaf01 leaf02 -> spine01 leaf02 -> spine01
         spine01 -> leaf02 spine01:swp9 -> leaf01:swp9 }",
    );
    let found = [
        "leaf01:swp1 -- spine01:swp1",
        "leaf02:swp1 -- spine01:swp2",
        "leaf02:swp2 -- spine01:swp3",
        "spine01:swp9 -- leaf01:swp9",
    ];
    assert_eq!(cables(&picture), found);
    assert!(noted(&picture, "the cable spine01 -> leaf01 is the way back of the one"));
    let picture = read("graph { leaf01 -- spine01 spine01 -- leaf01 }");
    assert_eq!(picture.cables.len(), 2);
}

#[test]
fn defaults_are_for_nodes_that_no_cable_has_shown_before() {
    let picture = read(
        "graph x { spine01 -- leaf01 node [function=border] spine01 -- leaf02 leaf01 [os=frr] }",
    );
    let found: Vec<_> =
        picture.nodes.iter().map(|node| (node.name.as_str(), node.function)).collect();
    use Function::{Border, Leaf, Spine};
    for node in [("spine01", Spine), ("leaf01", Leaf), ("leaf02", Border)] {
        assert!(found.contains(&node), "{found:?}");
    }
}

#[test]
fn chains_groups_defaults_and_subgraphs_are_read() {
    let picture = read(
        "graph x {
           node [function=leaf]; { leaf01; leaf02 }
           subgraph cluster_0 { label=\"top\"; node [function=spine] spine01 spine02 }
           spine01 -- leaf01 -- spine02
           leaf02 -- { spine01 spine02 }
         }",
    );
    let functions: Vec<Function> = picture.nodes.iter().map(|node| node.function).collect();
    use Function::{Leaf, Spine};
    assert_eq!(functions, [Leaf, Leaf, Spine, Spine]);
    let pairs: Vec<String> = picture
        .cables
        .iter()
        .map(|cable| format!("{} {}", cable.left.node, cable.right.node))
        .collect();
    assert_eq!(pairs, ["spine01 leaf01", "leaf01 spine02", "leaf02 spine01", "leaf02 spine02"]);
}

#[test]
fn everything_that_graphviz_takes_is_taken() {
    for text in [
        "STRICT Graph x { leaf01 -- leaf02 }",
        "graph { leaf01 -- leaf02;; }",
        "digraph \"my x\" { leaf01 -> leaf02 }",
        "\u{feff}graph dc1-x {\r\n leaf01 -- leaf02\r\n}\r\n",
        "# generated\ngraph x { leaf01 /* one */ -- // two\n leaf02 }",
        "graph x { leaf01 [label=<<b>1</b><br/>>] leaf01 -- leaf02 }",
        "graph x { leaf01 [label=\"a \\\"b\\\"\" + \"c\", memory=768][cpu=1.5; v=-1] leaf01 -- leaf02 }",
        "graph x { rankdir=LR; graph [a=b] edge [c=d]; leaf01 -- leaf02 {rank=same leaf01 leaf02} }",
        "graph x { leaf01[] \"leaf01\"--leaf02 [dir] }",
    ] {
        let picture = read(text);
        let names: Vec<&str> = picture.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!((names, picture.cables.len()), (vec!["leaf01", "leaf02"], 1), "{text}");
    }
}

#[test]
fn names_that_no_namespace_can_have_are_changed_with_a_note() {
    let picture =
        read("graph x { \"leaf01.dc1\" [function=leaf] \"leaf01.dc1\":swp1 -- \"spine 1\":swp1 }");
    assert_eq!(cables(&picture), ["leaf01-dc1:swp1 -- spine-1:swp1"]);
    assert!(noted(&picture, "node leaf01.dc1 is called leaf01-dc1 in the lab"));
    let said = complaints("graph x { \"leaf.1\" [function=leaf]\n \"leaf-1\" [function=leaf] }");
    assert!(said[0].contains("nodes leaf.1 and leaf-1 would both be called leaf-1"), "{said:?}");
}

#[test]
fn a_node_drawn_twice_is_one_unless_its_functions_differ() {
    assert_eq!(read("graph x { a [os=x] a [function=leaf] }").nodes.len(), 1);
    let said = complaints("graph x {\n a [function=leaf]\n a [function=spine] }");
    assert!(said[0].starts_with("lab.dot line 3: node a is drawn twice, as leaf in line 2"));
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let said = complaints(
        "graph x {\n leaf01 [function=leaf]\n leaf01:swp1 -- x:swp1 [left_mac=no]\n leaf01:swp2 -- y:swp1\n}",
    );
    assert_eq!(said.len(), 3, "{said:?}");
}
