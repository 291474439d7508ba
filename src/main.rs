//! Parse, log, run, exit code; nothing else.

fn main() {}
