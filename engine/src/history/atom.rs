//! Values that can be keys, or counted distinct: those with an equality that is a fact.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;
use rust_decimal::Decimal;

use super::plan::FieldRef;
use crate::{
    maybe::{Maybe, Why},
    value::{Country, Currency, Value},
};

/// A value with equality and a hash. Users, devices and texts are told apart by the field they stand in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Atom {
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Money(i128, Currency),
    Country(Country),
    Currency(Currency),
    Ip(IpAddr),
    Cidr(IpNet),
    Text(Arc<str>),
}

/// The values of the fields a window is kept by.
pub(super) type Key = smallvec::SmallVec<[Atom; 2]>;

/// The value as an atom. A place or a list is not one: the checker refuses them, and here they count as absent.
pub(super) fn atom(value: &Value) -> Option<Atom> {
    match value {
        Value::Bool(value) => Some(Atom::Bool(*value)),
        Value::Int(value) | Value::Duration(value) => Some(Atom::Int(*value)),
        Value::Decimal(value) | Value::Percent(value) | Value::Speed(value) | Value::Distance(value) => {
            Some(Atom::Decimal(*value))
        }
        Value::Money(money) => Some(Atom::Money(money.minor, money.currency)),
        Value::Timestamp(at) => Some(Atom::Int(at.as_microsecond())),
        Value::Country(value) => Some(Atom::Country(*value)),
        Value::Currency(value) => Some(Atom::Currency(*value)),
        Value::Asn(value) => Some(Atom::Int(i64::from(*value))),
        Value::Ip(value) => Some(Atom::Ip(*value)),
        Value::Cidr(value) => Some(Atom::Cidr(*value)),
        Value::Text(value) | Value::User(value) | Value::Device(value) => Some(Atom::Text(value.clone())),
        Value::Clock(value) => Some(Atom::Int(i64::from(*value))),
        Value::Weekday(value) => Some(Atom::Int(i64::from(*value))),
        Value::Geo(_) | Value::List(_) => None,
    }
}

/// The field in this slot; a slot the observation does not have is absent.
pub(super) fn field(fields: &[Maybe<Value>], slot: FieldRef) -> Maybe<&Value> {
    match fields.get(usize::from(slot.0)) {
        Some(value) => value.as_ref(),
        None => Maybe::Unknown(Why::Absent),
    }
}

/// The key made of these fields, or why there is none.
pub(super) fn key(fields: &[Maybe<Value>], slots: &[FieldRef]) -> Result<Key, Why> {
    slots
        .iter()
        .map(|slot| match field(fields, *slot) {
            Maybe::Known(value) => atom(value).ok_or(Why::Absent),
            Maybe::Unknown(why) => Err(why),
        })
        .collect()
}
