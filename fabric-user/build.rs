//! Compiles the BPF programs of `fabric-ebpf` and leaves the objects in `OUT_DIR`, from where
//! `src/kernel/object.rs` and, of a lab, `src/lab/fault/programs.rs` embed them.

#[path = "../fabric-ebpf/compile.rs"]
mod compile;
// The one place that knows where the toolchain is, shared with `cargo xtask setup`.
#[path = "../xtask/src/toolchain/locate.rs"]
mod locate;

fn main() {
    let has = |variable| std::env::var_os(variable).is_some();
    let mut features = Vec::new();
    if has("CARGO_FEATURE_BPF_LOG") {
        features.push("log");
    }
    if has("CARGO_FEATURE_BPF_ORDERED_LOADS") {
        features.push("ordered-loads");
    }
    compile::run("fabric", &features, "fabric-ebpf.o", &[]);
    compile::run("lab", &[], "lab.o", &[]);
}
