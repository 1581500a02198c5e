//! Fields as whole numbers, noted once when an event is decoded: texts that rules name are numbered, so that no text is
//! compared again.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use super::{
    feature::{Source, constants_of, source_of},
    partition::{Kind, kind},
};
use crate::{
    event::{Fields, Slot},
    ir::Atom,
    value::Value,
};

/// No number is noted: look at the value itself.
pub(super) const SEE_VALUE: i32 = i32::MIN;

/// There is no value.
pub(super) const ABSENT: i32 = i32::MIN + 1;

/// The number of every text that no rule names.
pub(super) const OTHER_TEXT: i32 = 0;

type Symbols = HashMap<Arc<str>, i32, foldhash::fast::FixedState>;

/// How fields become numbers: which slots do, in order.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    noted: Vec<(Slot, Kind, Symbols)>,
}

impl Numbering {
    /// Numbers every text that some condition compares a field with.
    pub fn new(atoms: &[Atom]) -> Numbering {
        let mut slots: BTreeMap<Slot, (Option<Kind>, Symbols)> = BTreeMap::new();
        for atom in atoms {
            let Some(Source::Field(slot)) = source_of(&atom.ask) else { continue };
            for constant in constants_of(&atom.ask) {
                let kind = kind(&constant);
                let (common, symbols) = slots.entry(slot).or_insert_with(|| (kind, Symbols::default()));
                // A field that is compared with values of two kinds is looked at itself.
                *common = common.filter(|common| kind == Some(*common));
                if let Some(text) = text(&constant) {
                    let next = OTHER_TEXT + 1 + i32::try_from(symbols.len()).unwrap_or(0);
                    symbols.entry(Arc::clone(text)).or_insert(next);
                }
            }
        }
        let noted = slots.into_iter().filter_map(|(slot, (kind, symbols))| Some((slot, kind?, symbols)));
        Numbering { noted: noted.collect() }
    }

    /// Notes the numbers of an event's fields.
    pub fn note(&self, fields: &mut Fields) {
        let number = |(slot, kind, symbols): &(Slot, Kind, Symbols)| match fields.get(*slot) {
            Some(value) => number(*kind, symbols, value).unwrap_or(SEE_VALUE),
            None => ABSENT,
        };
        let numbers = self.noted.iter().map(number).collect();
        fields.note(numbers);
    }

    /// Where a field's number is noted.
    pub fn place(&self, slot: Slot) -> Option<usize> {
        self.noted.iter().position(|(other, ..)| *other == slot)
    }

    /// The numbers of a field's texts.
    pub fn symbols(&self, slot: Slot) -> impl Iterator<Item = (&str, i32)> {
        let symbols = self.noted.iter().find(|(other, ..)| *other == slot);
        symbols.into_iter().flat_map(|(_, _, symbols)| symbols.iter().map(|(text, number)| (&**text, *number)))
    }
}

/// None if the value is of another kind, or too large a number for so little room.
fn number(kind: Kind, symbols: &Symbols, value: &Value) -> Option<i32> {
    let number = match (kind, value) {
        (Kind::Text | Kind::User | Kind::Device, _) => {
            let text = text(value).filter(|_| super::partition::kind(value) == Some(kind))?;
            return Some(symbols.get(text).copied().unwrap_or(OTHER_TEXT));
        }
        (Kind::Ip, Value::Ip(IpAddr::V4(ip))) => i64::from(ip.to_bits()),
        (_, _) => whole(value, kind)?,
    };
    i32::try_from(number.saturating_sub(moved(kind))).ok().filter(|number| *number > ABSENT)
}

/// Numbers of these kinds are unsigned and as wide as those that are noted: they are moved so that they have room.
pub(super) fn moved(kind: Kind) -> i64 {
    match kind {
        Kind::Ip | Kind::Asn => 1 << 31,
        _ => 0,
    }
}

/// A value as a whole number, if it is one of this kind.
#[inline]
pub(super) fn whole(value: &Value, kind: Kind) -> Option<i64> {
    match (value, kind) {
        (Value::Int(number), Kind::Int) | (Value::Duration(number), Kind::Duration) => Some(*number),
        (Value::Bool(yes), Kind::Bool) => Some(i64::from(*yes)),
        (Value::Asn(number), Kind::Asn) => Some(i64::from(*number)),
        (Value::Weekday(day), Kind::Weekday) => Some(i64::from(*day)),
        (Value::Country(country), Kind::Country) => Some(letters(country.code())),
        (Value::Currency(currency), Kind::Currency) => Some(letters(currency.code())),
        (_, _) => None,
    }
}

fn letters(code: &str) -> i64 {
    code.bytes().fold(0, |number, letter| number << 8 | i64::from(letter))
}

/// A value as a text.
#[inline]
pub(super) fn text(value: &Value) -> Option<&Arc<str>> {
    match value {
        Value::Text(text) | Value::User(text) | Value::Device(text) => Some(text),
        _ => None,
    }
}
