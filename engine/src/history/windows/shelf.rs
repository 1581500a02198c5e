//! A map with a quota that forgets only what no longer matters.

use std::{collections::VecDeque, ops::Deref};

use super::{
    super::{
        atom::Key,
        position::{Lost, Position},
    },
    TOGETHER,
    pages::Pages,
    pieces::{Piece, Pieces},
    places::Places,
};
use smallvec::SmallVec;

use crate::maybe::Why;

/// Words under each key, or a value set aside for what words cannot say. A key whose newest event is older than a
/// horizon may go; at the quota a new key is refused rather than a live one forgotten.
///
/// What is looked into at random is small, the places alone: they say where all of a key's words are, so that the
/// processor fetches them side by side.
#[derive(Clone, Debug)]
pub(super) struct Shelf<V> {
    places: Places,
    pieces: Pieces,
    aside: Pages<Option<V>>,
    /// Values set aside, and rows of them without one.
    set_aside: usize,
    vacant: Vec<u32>,
    /// The newest event of each key when it was last looked at, about in order, and half of the key's hash. Keys of one
    /// hash are there once each, and any of them is meant.
    expiry: VecDeque<(i64, u32)>,
    /// What a key that is new may have missed, because it was forgotten or refused.
    pub missed: Lost,
}

/// A key and what is kept under it: its newest event, what it may have missed before it was taken in, how long the key
/// is, the key itself, and the body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<W> {
    words: W,
    /// Where the body begins.
    body: usize,
}

/// The words before the key.
const HEAD: usize = 5;
/// In the last of them, beside the length of the key: why something may be missing, and whether a value is set aside.
const WHY: u32 = 32;
const ASIDE: u64 = 1 << 40;

/// How long keys stay, and how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    /// A key with no event after this may go.
    pub horizon: i64,
    pub keys: usize,
}

/// A key with its hash.
pub(super) type Hashed = (u64, Key);

impl<V> Shelf<V> {
    pub fn new() -> Shelf<V> {
        Shelf {
            places: Places::default(),
            pieces: Pieces::default(),
            aside: Pages::new(),
            set_aside: 0,
            vacant: Vec::new(),
            expiry: VecDeque::new(),
            missed: Lost::NOTHING,
        }
    }

    #[inline]
    pub fn find(&self, (hash, key): &Hashed) -> Option<Piece> {
        self.places.find(half(*hash), |piece| self.row(Piece(piece)).is_of(key)).map(Piece)
    }

    /// What probably is kept under the key.
    #[inline]
    pub fn glance(&self, (hash, _): &Hashed) -> Option<Piece> {
        self.places.find(half(*hash), |_| true).map(Piece)
    }

    /// Looks at all of it.
    #[inline]
    pub fn look(&self, piece: Piece) -> u64 {
        let words = self.pieces.get(piece);
        // A piece need not begin where a line of the cache does.
        words.iter().step_by(8).chain(words.last()).fold(0, |near, word| near ^ word)
    }

    /// Looks at the keys that are next to be forgotten, as far as so many events forget some.
    #[inline]
    pub fn look_ahead(&self, horizon: i64, events: usize) -> u64 {
        let due = self.expiry.iter().take(events).take_while(|(newest, _)| *newest <= horizon);
        let pieces: SmallVec<[u32; TOGETHER]> = due.filter_map(|(_, hash)| self.places.find(*hash, |_| true)).collect();
        pieces.into_iter().fold(0, |near, piece| near ^ self.pieces.get(Piece(piece)).first().copied().unwrap_or(0))
    }

    #[inline]
    pub fn row(&self, piece: Piece) -> Row<&[u64]> {
        Row::of(self.pieces.get(piece))
    }

    #[inline]
    pub fn row_mut(&mut self, piece: Piece) -> Row<&mut [u64]> {
        Row::of(self.pieces.get_mut(piece))
    }

    /// The value that is set aside for this key.
    pub fn aside(&self, piece: Piece) -> Option<&V> {
        self.aside.get(self.row(piece).aside()?)?.as_ref()
    }

    pub fn aside_mut(&mut self, piece: Piece) -> Option<&mut V> {
        self.aside.get_mut(self.row(piece).aside()?)?.as_mut()
    }

    /// The key, if there is one, with the value set aside for it.
    pub fn get(&self, key: &Hashed) -> Option<&V> {
        self.aside(self.find(key)?)
    }

    pub fn get_mut(&mut self, key: &Hashed) -> Option<&mut V> {
        let piece = self.find(key)?;
        self.aside_mut(piece)
    }

    /// Keeps a value for this key, instead of words.
    pub fn set_aside(&mut self, piece: Piece, value: V) {
        if let Some(place) = self.row(piece).aside() {
            return self.aside.put(place, Some(value));
        }
        let Some(place) = self.vacant.pop().or_else(|| u32::try_from(self.set_aside).ok()) else { return };
        self.set_aside += 1;
        self.aside.put(place, Some(value));
        self.row_mut(piece).set_aside(Some(place));
    }

    /// Forgets the value set aside: there are words again, of which the first is zero.
    pub fn take_back(&mut self, piece: Piece) {
        let mut row = self.row_mut(piece);
        let Some(place) = row.aside() else { return };
        row.set_aside(None);
        self.set_aside -= 1;
        self.aside.put(place, None);
        self.vacant.push(place);
    }

    /// What is kept under the key of an event at `at`, and whether the key is new: then the first word of its body, of at
    /// least so many, is zero. `None` if there is no room for it, which is noted. To say in an old row that the event is its
    /// newest is left to the caller.
    #[inline]
    pub fn take_in(&mut self, key: &Hashed, at: Position, quota: Quota, words: usize) -> Option<(Piece, bool)> {
        // What makes room now was some other key, so this one has not missed it.
        let missed = self.missed;
        self.forget(quota.horizon, 2, key);
        match self.find(key) {
            Some(piece) => Some((piece, false)),
            None => self.add(key, at, quota, words, missed),
        }
    }

    fn add(&mut self, key: &Hashed, at: Position, quota: Quota, words: usize, missed: Lost) -> Option<(Piece, bool)> {
        if self.len() >= quota.keys {
            self.forget(quota.horizon, usize::MAX, key);
        }
        let words = body_after(key.1.as_slice().len()) + words.max(1);
        let room = if self.len() < quota.keys { self.pieces.take(words) } else { None };
        let Some(piece) = room else {
            self.missed.extend(at, Why::Quota);
            return None;
        };
        let hash = half(key.0);
        self.places.insert(hash, piece.0);
        self.expiry.push_back((at.at, hash));
        Row::begin(self.pieces.get_mut(piece), &key.1, at, missed);
        Some((piece, true))
    }

    /// Gives the body of a key at least so many words; `None` if there is no room for them.
    pub fn resize(&mut self, key: &Hashed, piece: Piece, words: usize) -> Option<Piece> {
        let other = self.pieces.resize(piece, self.row(piece).body + words)?;
        self.places.change(half(key.0), piece.0, other.0);
        Some(other)
    }

    /// Whether `take_in` would find room for a new key.
    pub fn has_room(&self, quota: Quota) -> bool {
        let mut candidates = self.expiry.iter().take_while(|(newest, _)| *newest <= quota.horizon);
        let may_go = |piece: Piece| self.row(piece).newest().at <= quota.horizon;
        self.len() < quota.keys || candidates.any(|(_, hash)| self.of_hash(*hash).any(may_go))
    }

    fn of_hash(&self, hash: u32) -> impl Iterator<Item = Piece> + '_ {
        self.places.all(hash).map(Piece)
    }

    /// Forgets keys without an event after the horizon, looking at no more than `most` of them and sparing one. A key
    /// that had newer events since it was queued goes to the end of the queue, so each event costs at most one look.
    #[inline]
    fn forget(&mut self, horizon: i64, most: usize, spared: &Hashed) {
        for _ in 0..most.min(self.expiry.len()) {
            let Some((_, hash)) = self.expiry.pop_front_if(|(newest, _)| *newest <= horizon) else { return };
            self.forget_one(hash, horizon, spared);
        }
    }

    fn forget_one(&mut self, hash: u32, horizon: i64, spared: &Hashed) {
        let mut left: Option<i64> = None;
        let gone = self.of_hash(hash).find(|piece| {
            let row = self.row(*piece);
            let newest = row.newest().at;
            let goes = newest <= horizon && !row.is_of(&spared.1);
            if !goes {
                left = Some(left.map_or(newest, |left| left.min(newest)));
            }
            goes
        });
        if let Some(piece) = gone {
            let newest = self.row(piece).newest().at;
            self.remove(hash, piece);
            self.missed.extend(Position { at: newest, seq: u64::MAX }, Why::Saturated);
        } else if let Some(newest) = left {
            self.expiry.push_back((newest, hash));
        }
    }

    fn remove(&mut self, hash: u32, piece: Piece) {
        self.places.remove(hash, piece.0);
        self.take_back(piece);
        self.pieces.give(piece);
    }

    /// All keys, and the value set aside for each.
    pub fn rows(&self) -> impl Iterator<Item = (Row<&[u64]>, Option<&V>)> {
        self.places.numbers().map(Piece).map(|piece| (self.row(piece), self.aside(piece)))
    }

    /// Sets aside what `f` makes of a key and of the value that was set aside for it, where it makes anything.
    pub fn convert(&mut self, mut f: impl FnMut(Row<&[u64]>, Option<V>) -> Option<V>) {
        let pieces: Vec<Piece> = self.places.numbers().map(Piece).collect();
        for piece in pieces {
            let place = self.row(piece).aside();
            let value = place.and_then(|place| self.aside.get_mut(place)?.take());
            if let Some(value) = f(self.row(piece), value) {
                self.set_aside(piece, value);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The memory taken, apart from what values that are set aside have on the heap.
    pub fn bytes(&self) -> usize {
        let queues = self.expiry.capacity() * size_of::<(i64, u32)>() + self.vacant.capacity() * size_of::<u32>();
        self.places.bytes() + self.pieces.bytes() + self.aside.bytes() + queues
    }
}

impl<W: Deref<Target = [u64]>> Row<W> {
    #[inline]
    fn of(words: W) -> Row<W> {
        let length = words.get(HEAD - 1).map_or(0, |about| *about as u32 as usize);
        Row { body: body_after(length), words }
    }

    fn word(&self, place: usize) -> u64 {
        self.words.get(place).copied().unwrap_or(0)
    }

    /// The newest event.
    pub fn newest(&self) -> Position {
        Position { at: self.word(0) as i64, seq: self.word(1) }
    }

    /// What may have been missed before the key was taken in.
    pub fn missed(&self) -> Lost {
        let why = Why::ALL.get((self.word(HEAD - 1) >> WHY) as usize & 0xff).copied().unwrap_or(Why::Saturated);
        Lost { upto: Position { at: self.word(2) as i64, seq: self.word(3) }, why }
    }

    /// Where the value is that is set aside.
    fn aside(&self) -> Option<u32> {
        (self.word(HEAD - 1) & ASIDE != 0).then(|| self.word(self.body) as u32)
    }

    /// Whether there are words, and nothing is set aside.
    pub fn is_plain(&self) -> bool {
        self.word(HEAD - 1) & ASIDE == 0
    }

    #[inline]
    fn is_of(&self, key: &Key) -> bool {
        let length = key.as_slice().len();
        let words = self.words.get(HEAD..body_after(length)).unwrap_or_default();
        self.word(HEAD - 1) as u32 as usize == length
            && words.iter().enumerate().all(|(place, word)| key.word(place) == *word)
    }

    #[inline]
    pub fn body(&self) -> &[u64] {
        self.words.get(self.body..).unwrap_or_default()
    }
}

impl<'a> Row<&'a [u64]> {
    pub fn into_body(self) -> &'a [u64] {
        self.words.get(self.body..).unwrap_or_default()
    }
}

impl Row<&mut [u64]> {
    fn begin(words: &mut [u64], key: &Key, newest: Position, missed: Lost) {
        let why = Why::ALL.iter().position(|why| *why == missed.why).unwrap_or(0) as u64;
        let length = key.as_slice().len();
        let about = length as u64 | why << WHY;
        let head = [newest.at as u64, newest.seq, missed.upto.at as u64, missed.upto.seq, about];
        let key = (0..body_after(length) - HEAD).map(|place| key.word(place));
        for (place, word) in words.iter_mut().zip(head.into_iter().chain(key).chain([0])) {
            *place = word;
        }
    }

    fn set(&mut self, place: usize, word: u64) {
        if let Some(place) = self.words.get_mut(place) {
            *place = word;
        }
    }

    pub fn set_newest(&mut self, newest: Position) {
        self.set(0, newest.at as u64);
        self.set(1, newest.seq);
    }

    pub fn set_missed(&mut self, missed: Lost) {
        let why = Why::ALL.iter().position(|why| *why == missed.why).unwrap_or(0) as u64;
        self.set(2, missed.upto.at as u64);
        self.set(3, missed.upto.seq);
        self.set(HEAD - 1, self.word(HEAD - 1) & !(0xff << WHY) | why << WHY);
    }

    fn set_aside(&mut self, place: Option<u32>) {
        let about = self.word(HEAD - 1);
        self.set(HEAD - 1, if place.is_some() { about | ASIDE } else { about & !ASIDE });
        self.set(self.body, place.map_or(0, u64::from));
    }

    pub fn body_mut(&mut self) -> &mut [u64] {
        self.words.get_mut(self.body..).unwrap_or_default()
    }
}

/// Where the body begins behind a key of so many bytes.
fn body_after(bytes: usize) -> usize {
    HEAD + bytes.div_ceil(size_of::<u64>())
}

/// The half of a hash that tables have.
pub(super) fn half(hash: u64) -> u32 {
    (hash >> u32::BITS) as u32
}
