//! Any bytes are a pack that compiles or has an error, and each finding can be shown.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::check(bytes));
