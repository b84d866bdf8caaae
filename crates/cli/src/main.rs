//! The program `dtatrans`.

fn main() {}
