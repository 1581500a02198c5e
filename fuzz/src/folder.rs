//! A folder in one input: `-- path --` on a line of its own begins a file, and what is before the first is a rule file.

use std::collections::BTreeMap;

use engine::PackSource;

/// The file that holds a stream of events and is no part of the pack.
const EVENTS: &str = "events.ndjson";

/// The pack, and the lines of its stream.
pub fn unpacked(bytes: &[u8]) -> (PackSource, String) {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut path = "pack.rules".to_owned();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match heading(line) {
            Some(next) => path = next.to_owned(),
            None => files.entry(path.clone()).or_default().extend_from_slice(line),
        }
    }
    let events = files.remove(EVENTS).unwrap_or_default();
    (PackSource { name: "case".to_owned(), files }, String::from_utf8_lossy(&events).into_owned())
}

fn heading(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    line.strip_prefix("-- ")?.strip_suffix(" --").filter(|path| !path.is_empty())
}
