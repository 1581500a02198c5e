//! What was said under an idempotency key, so that a repeat that says something else is noticed.

use std::{
    collections::HashMap,
    fmt::{self, Write},
    hash::{BuildHasher, Hasher},
};

use foldhash::quality::FixedState;

use crate::{event::Event, history::Limits};

/// Digests of the newest events that have a key: as many as history remembers references of, and at most twice as many.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    recent: HashMap<u64, u64>,
    older: HashMap<u64, u64>,
}

impl Repeats {
    /// Whether the event's key is that of an event that said something else. Remembers what is said under a new one.
    pub fn contradicts(&mut self, event: &Event) -> bool {
        let Some(reference) = &event.reference else { return false };
        let name = digest(|text| write!(text, "{:?} {reference:?}", event.user));
        // When it was tried again, and how it had ended by then, is another matter.
        let said = digest(|text| {
            write!(text, "{:?}", event.action)?;
            event.fields.iter().try_for_each(|(name, value)| write!(text, " {name:?} {value:?}"))
        });
        if let Some(first) = self.recent.get(&name).or_else(|| self.older.get(&name)) {
            return *first != said;
        }
        if self.recent.len() >= Limits::default().references {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(name, said);
        false
    }
}

/// The hash of a text that is never put together.
fn digest(write: impl FnOnce(&mut Text) -> fmt::Result) -> u64 {
    let mut text = Text(FixedState::default().build_hasher());
    // Nothing that is written to a hash fails.
    let _ = write(&mut text);
    text.0.finish()
}

struct Text(<FixedState as BuildHasher>::Hasher);

impl Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0.write(part.as_bytes());
        Ok(())
    }
}
