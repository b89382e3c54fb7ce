//! Compiles the programs that offer, send back and count frames and those that look addresses up,
//! the journeys that end early, and the packet path without optional features, and leaves the objects in `OUT_DIR`, from where `src/object.rs` embeds them.

#[path = "../fabric-ebpf/compile.rs"]
mod compile;
// The one place that knows where the toolchain is, shared with `cargo xtask setup`.
#[path = "../xtask/src/toolchain/locate.rs"]
mod locate;

fn main() {
    let shared = ["flow", "ring", "routed", "tunnel"].map(|name| format!("benches/src/{name}.rs"));
    let shared = shared.each_ref().map(String::as_str);
    compile::run("bench", &[], "bench.o", &shared);
    compile::run("fabric", &["lean"], "lean.o", &[]);
    compile::run("stages", &[], "stages.o", &shared);
    compile::run("lpm", &[], "lpm.o", &["benches/src/lookups.rs"]);
}
