//! Rebuilds the program when the linker that turns it into eBPF changes.

use std::env;

fn main() {
    let linker = env::var_os("PATH").and_then(|path| {
        env::split_paths(&path)
            .map(|directory| directory.join("bpf-linker"))
            .find(|linker| linker.is_file())
    });
    if let Some(linker) = linker {
        println!("cargo::rerun-if-changed={}", linker.display());
    }
}
