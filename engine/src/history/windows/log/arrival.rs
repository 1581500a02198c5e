//! What an event brings to the structures of a key, as a row of a log has it.

use smallvec::SmallVec;

use super::LARGEST;
use crate::{
    history::{
        atom::{self, Key},
        number::{self, Number},
        observation::in_flight,
        windows::{
            answer::Asking,
            layout::{TrackPlan, What},
            track::{of_status, passes},
        },
    },
    maybe::{Maybe, Why},
    tri::Tri,
    value::{Currency, Value},
};

/// The most words that an atom takes: few, until one is longer.
const WIDEST: usize = 5;

/// What an event brings to a structure, as a row has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::history::windows) enum Entry {
    Nothing,
    Event,
    Number(i64, Option<Currency>),
    /// With how many bytes it has, and the newest row of the same value.
    Atom(Packed, u8, Option<u8>),
}

/// The bytes of an atom and zeros. In a row, the last byte says how many they are.
pub(super) type Packed = [u64; WIDEST];

/// What an event brings, by structure.
#[derive(Clone, Debug)]
pub(in crate::history::windows) struct Arrival {
    pub entries: SmallVec<[Entry; 4]>,
    /// Whether it takes part in anything, be it that it does not count.
    pub feeds: bool,
    /// Whether it could be in a log.
    pub certain: bool,
    /// Words of its longest atom.
    pub width: usize,
}

impl Default for Arrival {
    fn default() -> Arrival {
        Arrival { entries: SmallVec::new(), feeds: false, certain: true, width: 1 }
    }
}

impl Arrival {
    /// Finds out what the event brings to each structure, where nothing is known of that yet.
    #[inline]
    pub fn fill(&mut self, tracks: &[TrackPlan], asking: &Asking<'_>) {
        for track in tracks {
            let entry = if track.feed.takes(asking.event.kind) { self.entry(track, asking) } else { Entry::Nothing };
            self.entries.push(entry);
        }
    }

    #[inline]
    fn entry(&mut self, track: &TrackPlan, asking: &Asking<'_>) -> Entry {
        let entry = match track.what {
            What::Times | What::Ones | What::Appearances => Ok(Entry::Event),
            What::Values(field) => {
                let entry = packed(atom::field(&asking.event.fields, field));
                if let Ok(Entry::Atom(_, length, _)) = entry {
                    self.width = self.width.max(width_of(length));
                }
                entry
            }
            What::Amounts { field, unit, .. } | What::Greatest(field, unit) | What::Least(field, unit) => {
                match atom::field(&asking.event.fields, field) {
                    Maybe::Known(value) => number::number(value, unit).and_then(|Number { steps, currency }| {
                        let fits = -LARGEST < steps && steps < LARGEST;
                        if fits { Ok(Entry::Number(steps as i64, currency)) } else { Err(Why::Overflow) }
                    }),
                    Maybe::Unknown(why) => Err(why),
                }
            }
        };
        if entry == Err(Why::Absent) {
            return Entry::Nothing;
        }
        self.feeds = true;
        if track.filter.is_none() {
            self.certain &= entry.is_ok();
            return entry.unwrap_or(Entry::Nothing);
        }
        let by_status = passes(track, asking.event);
        let passes = of_status(by_status, asking.status);
        let settled = !in_flight(asking.status) || by_status.iter().all(|other| *other == passes);
        match (passes, entry) {
            (Tri::False, _) if settled => Entry::Nothing,
            (Tri::True, Ok(entry)) if settled => entry,
            (Tri::True | Tri::False | Tri::Unknown, _) => {
                self.certain = false;
                Entry::Nothing
            }
        }
    }

    /// Whether it counts nowhere.
    pub fn is_nothing(&self) -> bool {
        self.entries.iter().all(|entry| *entry == Entry::Nothing)
    }
}

/// The value as a row has it. One that is too long for any row is as one that could not be found out: the structures
/// themselves know better.
fn packed(value: Maybe<&Value>) -> Result<Entry, Why> {
    let value = match value {
        Maybe::Known(value) => value,
        Maybe::Unknown(why) => return Err(why),
    };
    let mut key = Key::default();
    atom::write(value, &mut key)?;
    let length = key.as_slice().len();
    if length >= WIDEST * size_of::<u64>() {
        return Err(Why::Overflow);
    }
    Ok(Entry::Atom(std::array::from_fn(|place| key.word(place)), length as u8, None))
}

/// Words for so many bytes and their number.
pub(super) fn width_of(bytes: u8) -> usize {
    usize::from(bytes) / size_of::<u64>() + 1
}

pub(super) fn pack(bytes: &[u8]) -> Packed {
    let mut words = Packed::default();
    let (whole, rest) = bytes.as_chunks();
    let last = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    for (word, bytes) in words.iter_mut().zip(whole.iter().map(|word| u64::from_le_bytes(*word)).chain([last])) {
        *word = bytes;
    }
    words
}

/// With how many bytes there are in the last of so many words.
#[inline]
pub(super) fn with_length(mut words: Packed, length: u8, width: usize) -> Packed {
    if let Some(word) = words.get_mut(width - 1) {
        *word |= u64::from(length) << (u64::BITS - u8::BITS);
    }
    words
}

pub(super) fn unpack(words: &[u64]) -> SmallVec<[u8; WIDEST * 8]> {
    let mut bytes: SmallVec<[u8; WIDEST * 8]> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let length = bytes.last().copied().map_or(0, usize::from);
    bytes.truncate(length);
    bytes
}

/// Whether short lists are the same.
#[inline]
pub(super) fn equal(one: &[u64], other: &[u64]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}
