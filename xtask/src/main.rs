//! `cargo xtask`: what a shell script would otherwise do.

fn main() {}
