//! The `sbc` program.

fn main() {}
