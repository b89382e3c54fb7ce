//! Compiles the BPF programs of `fabric-ebpf` and leaves the object in `OUT_DIR`, from where
//! `src/kernel/object.rs` embeds it.

#[path = "../fabric-ebpf/compile.rs"]
mod compile;
// The one place that knows where the toolchain is, shared with `cargo xtask setup`.
#[path = "../xtask/src/toolchain/locate.rs"]
mod locate;

fn main() {
    let log = std::env::var_os("CARGO_FEATURE_BPF_LOG").is_some();
    let features: &[&str] = if log { &["log"] } else { &[] };
    compile::run("fabric", features, "fabric-ebpf.o", &[]);
}
