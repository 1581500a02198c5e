//! What the benchmarks share. The benchmarks themselves are in `benches/benches/`.

pub mod cpu;
pub mod dice;
pub mod kiosk;
pub mod load;
pub mod wire;

/// The allocator of the binary that we ship.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
