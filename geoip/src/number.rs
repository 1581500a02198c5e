//! A number, however the file writes it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// The MMDB decoder matches types exactly, and makers differ: a latitude is a double at MaxMind and a float at DB-IP,
/// a radius is a `uint16` or a `uint32`. This takes any of them; 53 bits are more than any field here has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number(pub f64);

impl Number {
    /// The number as an autonomous system number, if it is one.
    pub fn as_u32(self) -> Option<u32> {
        // The range and the fraction are checked, so the cast loses nothing.
        ((0.0..=f64::from(u32::MAX)).contains(&self.0) && self.0.fract() == 0.0).then_some(self.0 as u32)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        deserializer.deserialize_any(AnyNumber)
    }
}

struct AnyNumber;

impl Visitor<'_> for AnyNumber {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
        Ok(Number(number))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number(number as f64))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        Ok(Number(number as f64))
    }
}
