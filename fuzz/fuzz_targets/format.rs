//! Any file that parses is formatted: once and for all, with the same meaning and all its comments.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::format(bytes));
