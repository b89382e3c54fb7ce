//! Compiles the programs that offer, send back and count frames, and leaves the object in
//! `OUT_DIR`, from where `src/object.rs` embeds it.

#[path = "../fabric-ebpf/compile.rs"]
mod compile;
// The one place that knows where the toolchain is, shared with `cargo xtask setup`.
#[path = "../xtask/src/toolchain/locate.rs"]
mod locate;

fn main() {
    compile::run("bench", &[], "bench.o", &["benches/src/flow.rs", "benches/src/tunnel.rs"]);
}
