//! Any pack that compiles decides any stream, the same way each time, and can say why.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::eval(bytes));
