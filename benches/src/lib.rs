//! What the benchmarks share. The benchmarks themselves are in `benches/benches/`.

pub mod load;
pub mod workload;
