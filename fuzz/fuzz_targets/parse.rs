//! Any bytes are read without a panic, and what is said of them points into them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::parse(bytes));
