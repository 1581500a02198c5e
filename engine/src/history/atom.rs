//! Values that can be keys, or counted distinct: those with an equality that is a fact. They are kept as bytes, two
//! values are equal where their bytes are. Users, devices and texts are told apart by the field they stand in.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;
use rust_decimal::Decimal;

use super::plan::FieldRef;
use crate::{
    maybe::{Maybe, Why},
    value::Value,
};

/// Fewer than `N` bytes in place, more on the heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bytes<const N: usize> {
    /// Followed by zeros; the last one says how many count. `N` is at most 256.
    Short([u8; N]),
    Long(Arc<Vec<u8>>),
}

/// One value.
pub(super) type Atom = Bytes<15>;
/// The values of the fields a window is kept by, or a user. A UUID is one in place.
pub(super) type Key = Bytes<39>;

impl<const N: usize> Default for Bytes<N> {
    fn default() -> Bytes<N> {
        Bytes::Short([0; N])
    }
}

impl<const N: usize> Bytes<N> {
    /// These bytes as they are.
    pub fn of(bytes: &[u8]) -> Bytes<N> {
        let mut written = Bytes::default();
        Pen::new(&mut written).write(bytes);
        written
    }

    pub fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Short(bytes) => {
                let length = bytes.last().copied().map_or(0, usize::from);
                bytes.get(..length).unwrap_or_default()
            }
            Bytes::Long(bytes) => bytes,
        }
    }

    /// The bytes as words, the last one filled up with zeros, and zeros behind.
    #[inline]
    pub fn word(&self, place: usize) -> u64 {
        let from = place * size_of::<u64>();
        match self {
            // There are zeros up to the length in the last byte.
            Bytes::Short(bytes) => match bytes.get(from..).and_then(|bytes| bytes.split_first_chunk()) {
                Some((word, [_, ..])) => u64::from_le_bytes(*word),
                Some((_, [])) | None => last_word(self.as_slice().get(from..).unwrap_or_default()),
            },
            Bytes::Long(bytes) => last_word(bytes.get(from..).unwrap_or_default()),
        }
    }

    /// What it takes beyond its own size.
    pub fn heap(&self) -> usize {
        match self {
            Bytes::Short(_) => 0,
            Bytes::Long(bytes) => bytes.len() + size_of::<Vec<u8>>() + 2 * size_of::<usize>(),
        }
    }
}

/// The first of these bytes, as many as a word has.
fn last_word(bytes: &[u8]) -> u64 {
    bytes.iter().take(size_of::<u64>()).rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Writes bytes one after the other, to where they stay.
struct Pen<'a, const N: usize> {
    bytes: &'a mut Bytes<N>,
    used: usize,
}

impl<'a, const N: usize> Pen<'a, N> {
    /// `bytes` are empty.
    fn new(bytes: &'a mut Bytes<N>) -> Pen<'a, N> {
        Pen { bytes, used: 0 }
    }

    #[inline]
    fn write(&mut self, more: &[u8]) {
        let end = self.used + more.len();
        match self.bytes {
            Bytes::Short(short) if end < N => {
                if let Some(place) = short.get_mut(self.used..end) {
                    place.copy_from_slice(more);
                }
                if let Some(length) = short.last_mut() {
                    *length = end as u8;
                }
            }
            Bytes::Short(short) => {
                let mut long = Vec::with_capacity(end);
                long.extend_from_slice(short.get(..self.used).unwrap_or_default());
                long.extend_from_slice(more);
                *self.bytes = Bytes::Long(Arc::new(long));
            }
            Bytes::Long(long) => Arc::make_mut(long).extend_from_slice(more),
        }
        self.used = end;
    }

    /// Writes a value so that no two unequal ones begin alike. A place or a list is none: the checker refuses them, and
    /// here they count as absent.
    fn value(&mut self, value: &Value) -> Result<(), Why> {
        match value {
            Value::Bool(value) => self.write(&[0, u8::from(*value)]),
            Value::Int(value) | Value::Duration(value) => self.whole(*value),
            Value::Decimal(value) | Value::Percent(value) | Value::Speed(value) | Value::Distance(value) => {
                self.decimal(*value);
            }
            Value::Money(money) => {
                self.write(&[1]);
                self.write(money.currency.code().as_bytes());
                self.write(&money.minor.to_le_bytes());
            }
            Value::Timestamp(at) => self.whole(at.as_microsecond()),
            Value::Country(value) => {
                self.write(&[2]);
                self.write(value.code().as_bytes());
            }
            Value::Currency(value) => {
                self.write(&[3]);
                self.write(value.code().as_bytes());
            }
            Value::Asn(value) => self.whole(i64::from(*value)),
            Value::Ip(value) => self.address(*value),
            Value::Cidr(value) => self.network(*value),
            Value::Text(value) | Value::User(value) | Value::Device(value) => self.text(value),
            Value::Clock(value) => self.whole(i64::from(*value)),
            Value::Weekday(value) => self.whole(i64::from(*value)),
            Value::Geo(_) | Value::List(_) => return Err(Why::Absent),
        }
        Ok(())
    }

    fn whole(&mut self, value: i64) {
        self.write(&[4]);
        self.write(&value.to_le_bytes());
    }

    fn decimal(&mut self, value: Decimal) {
        self.write(&[5]);
        self.write(&value.normalize().serialize());
    }

    fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets();
                self.write(&[6, a, b, c, d]);
            }
            IpAddr::V6(address) => {
                self.write(&[7]);
                self.write(&address.octets());
            }
        }
    }

    fn network(&mut self, network: IpNet) {
        self.write(&[8, network.prefix_len()]);
        self.address(network.addr());
    }

    fn text(&mut self, text: &str) {
        let Some(length) = u8::try_from(text.len()).ok().filter(|length| *length < u8::MAX) else {
            self.write(&[9, u8::MAX]);
            self.write(&(text.len() as u64).to_le_bytes());
            self.write(text.as_bytes());
            return;
        };
        let end = self.used + 2 + text.len();
        if let Bytes::Short(short) = self.bytes
            && end < N
            && let Some([tag, short_length, place @ ..]) = short.get_mut(self.used..end)
        {
            (*tag, *short_length) = (9, length);
            place.copy_from_slice(text.as_bytes());
            if let Some(whole) = short.last_mut() {
                *whole = end as u8;
            }
            self.used = end;
        } else {
            self.write(&[9, length]);
            self.write(text.as_bytes());
        }
    }
}

/// The value as one that can be told apart; `None` if it is none.
pub(super) fn atom(value: &Value) -> Option<Atom> {
    let mut atom = Atom::default();
    write(value, &mut atom).ok()?;
    Some(atom)
}

/// Writes a value to where there are no bytes yet.
pub(super) fn write<const N: usize>(value: &Value, bytes: &mut Bytes<N>) -> Result<(), Why> {
    Pen::new(bytes).value(value)
}

/// The field in this slot; a slot the observation does not have is absent.
pub(super) fn field(fields: &[Maybe<Value>], slot: FieldRef) -> Maybe<&Value> {
    match fields.get(usize::from(slot.0)) {
        Some(value) => value.as_ref(),
        None => Maybe::Unknown(Why::Absent),
    }
}

/// Writes the key made of these fields, in place of another; or says why there is none.
#[inline]
pub(super) fn write_key(fields: &[Maybe<Value>], slots: &[FieldRef], key: &mut Key) -> Result<(), Why> {
    *key = Key::default();
    let mut pen = Pen::new(key);
    for slot in slots {
        match field(fields, *slot) {
            Maybe::Known(value) => pen.value(value)?,
            Maybe::Unknown(why) => return Err(why),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::Money;

    fn text(text: &str) -> Maybe<Value> {
        Maybe::Known(Value::Text(text.into()))
    }

    fn key_of(values: &[Maybe<Value>]) -> Key {
        let slots: Vec<FieldRef> = (0..values.len() as u16).map(FieldRef).collect();
        let mut key = Key::default();
        write_key(values, &slots, &mut key).expect("known values");
        key
    }

    #[test]
    fn an_atom_takes_16_bytes_and_a_key_40() {
        assert_eq!((size_of::<Atom>(), size_of::<Key>()), (16, 40));
        let uuid = key_of(&[text("3a991a14-690c-492b-a5e5-02b9056a4b7d")]);
        assert!(matches!(uuid, Key::Short(_)));
    }

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        let decimal = |text: &str| atom(&Value::Decimal(text.parse().expect("a number")));
        assert_eq!(decimal("1.50"), decimal("1.5"));
        assert_eq!(decimal("0.000"), decimal("-0"));
        assert_ne!(decimal("15"), decimal("1.5"));
        let money = |text: &str| atom(&Value::Money(Money::parse_text(text).expect("an amount")));
        assert_ne!(money("1 EUR"), money("1 USD"));
        assert_eq!(atom(&Value::List(Arc::from([]))), None);
    }

    proptest! {
        #[test]
        fn keys_are_equal_where_their_values_are(a in "[ab]{0,3}|a{253,256}", b in "[ab]{0,45}", c in "[ab]{0,3}", d in "[ab]{0,45}") {
            let (one, other) = (key_of(&[text(&a), text(&b)]), key_of(&[text(&c), text(&d)]));
            prop_assert_eq!(one == other, (&a, &b) == (&c, &d));
            prop_assert_eq!(one.as_slice() == other.as_slice(), one == other);
            let plain = Key::of(b.as_bytes());
            prop_assert_eq!(plain.as_slice(), b.as_bytes());
        }
    }
}
