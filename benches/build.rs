//! Compiles the programs that offer, send back and count frames and those that look addresses up,
//! the journeys that end early, and on demand the packet path without features that are off by default, and leaves
//! the objects in `OUT_DIR`, from where `src/object.rs` embeds them.

#[path = "../fabric-ebpf/compile.rs"]
mod compile;
// The one place that knows where the toolchain is, shared with `cargo xtask setup`.
#[path = "../xtask/src/toolchain/locate.rs"]
mod locate;

/// Those of fabric-ebpf that leave something out.
const FEATURES: [&str; 5] = [
    "without-hash-options",
    "without-bfd-silence",
    "without-bucket-timers",
    "without-inherited-fields",
    "without-isolated-ports",
];

fn main() {
    let shared =
        ["arp", "flow", "ring", "routed", "tunnel"].map(|name| format!("benches/src/{name}.rs"));
    let shared = shared.each_ref().map(String::as_str);
    compile::run("bench", &[], "bench.o", &shared);
    if std::env::var_os("CARGO_FEATURE_WITHOUT").is_some() {
        for feature in FEATURES {
            compile::run("fabric", &[feature], &format!("{feature}.o"), &[]);
        }
        compile::run("fabric", &FEATURES, "without-any.o", &[]);
    }
    compile::run("fabric", &["stages"], "stages.o", &shared);
    compile::run("lpm", &[], "lpm.o", &["benches/src/lookups.rs"]);
}
