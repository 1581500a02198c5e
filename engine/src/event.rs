//! One attempt at an action: as it is told to us, and as rules read it.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value as Json};
use smallvec::SmallVec;

use crate::{status::Status, value::Value};

pub use crate::history::plan::EventId;

/// An action that the pack does not declare but answers through `policy … on any`.
pub const UNDECLARED: EventId = EventId(u16::MAX);

/// A place for one named field in every event of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub u16);

/// What a caller says about an attempt, before the pack's schema has judged it.
#[derive(Clone, Debug)]
pub struct EventInput {
    /// The action's name or one of its aliases.
    pub action: String,
    /// Who acts.
    pub user_id: String,
    /// When it happened.
    pub time: Timestamp,
    /// The address it came from.
    pub ip: Option<IpAddr>,
    /// The device's id.
    pub device: Option<String>,
    /// The device's name, for people.
    pub device_name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// The browser's or app's description of itself.
    pub user_agent: Option<String>,
    /// The session's id.
    pub session: Option<String>,
    /// The language tag.
    pub locale: Option<String>,
    /// The caller's own name for this attempt.
    pub idempotency_key: Option<String>,
    /// Declared fields, and whatever else the caller sent along.
    pub custom: Map<String, Json>,
    /// How it ended; only for imported history.
    pub status: Option<Status>,
}

impl EventInput {
    /// An attempt with nothing but the required parts.
    #[must_use]
    pub fn new(action: &str, user_id: &str, time: Timestamp) -> EventInput {
        EventInput {
            action: action.to_owned(),
            user_id: user_id.to_owned(),
            time,
            ip: None,
            device: None,
            device_name: None,
            email: None,
            phone: None,
            user_agent: None,
            session: None,
            locale: None,
            idempotency_key: None,
            custom: Map::new(),
            status: None,
        }
    }
}

/// What is wrong with a field of an [`EventInput`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldError {
    /// RFC 6901 pointer into the request: `/custom/amount`.
    pub pointer: String,
    /// A stable slug: `missing-field`, `wrong-type`, `too-many-decimals`, `unknown-currency`,
    /// `unknown-country`, `undeclared-action`, `invalid-user`, `too-long`.
    pub code: &'static str,
    /// What is wrong and what would be right, for the caller's developer.
    pub detail: String,
}

/// One attempt at an action, typed by the pack's schema.
///
/// What judging reads stands together, in two or three lines of the processor's cache.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[repr(C)]
pub struct Event {
    /// Its declared name (or the caller's word, for an undeclared action).
    pub action: Arc<str>,
    /// Who acts.
    pub user: Arc<str>,
    /// When.
    pub time: Timestamp,
    /// The caller's own name for this attempt, by which history settles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Arc<str>>,
    /// How it ended; only for imported history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The declared event.
    pub id: EventId,
    /// Every other value a rule can read, by slot.
    pub fields: Fields,
}

/// Values by slot, together with the names of the slots.
///
/// Serialised as a map from name to value, so that an audit entry reads by itself and survives a
/// change of layout; [`crate::program::Program`] puts the values of a deserialised event back into
/// its own slots.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct Fields {
    names: Arc<[Arc<str>]>,
    /// What the index reads instead of the values, as far as it was noted.
    numbers: Numbers,
    values: Vec<Option<Value>>,
}

/// Beside the event itself, so that judging it need not look further.
pub(crate) type Numbers = SmallVec<[i32; 20]>;

impl Fields {
    /// Nothing known yet, under this layout.
    #[must_use]
    pub fn empty(names: &Arc<[Arc<str>]>) -> Fields {
        Fields { names: Arc::clone(names), values: vec![None; names.len()], numbers: Numbers::new() }
    }

    /// The value in this slot, if present.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&Value> {
        self.values.get(usize::from(slot.0)).and_then(Option::as_ref)
    }

    /// Puts a value into a slot; a slot outside the layout is ignored.
    pub fn set(&mut self, slot: Slot, value: Value) {
        if let Some(place) = self.values.get_mut(usize::from(slot.0)) {
            *place = Some(value);
        }
        self.numbers = Numbers::new();
    }

    /// Notes the values as whole numbers; see [`crate::index::Numbering`].
    pub(crate) fn note(&mut self, numbers: Numbers) {
        self.numbers = numbers;
    }

    /// The values as whole numbers, as far as they were noted.
    #[inline]
    pub(crate) fn numbers(&self) -> &[i32] {
        &self.numbers
    }

    /// The value under this name, if present.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Value> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// The values that are present, with their names, in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.names.iter().zip(&self.values).filter_map(|(name, value)| Some((&**name, value.as_ref()?)))
    }

    /// Whether the values lie in exactly this layout.
    #[must_use]
    pub fn lies_in(&self, names: &Arc<[Arc<str>]>) -> bool {
        Arc::ptr_eq(&self.names, names)
    }

    /// The same values in another layout; names it does not have are dropped.
    #[must_use]
    pub fn moved_to(&self, names: &Arc<[Arc<str>]>) -> Fields {
        let values = names.iter().map(|name| self.named(name).cloned()).collect();
        Fields { names: Arc::clone(names), values, numbers: Numbers::new() }
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Fields) -> bool {
        let by_name = |fields: &Fields| {
            let mut all: Vec<_> = fields.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            all
        };
        by_name(self) == by_name(other)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut present: Vec<_> = self.iter().collect();
        present.sort_by_key(|(name, _)| *name);
        let mut map = serializer.serialize_map(Some(present.len()))?;
        for (name, value) in present {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        let map = std::collections::BTreeMap::<Arc<str>, Value>::deserialize(deserializer)?;
        let names: Arc<[Arc<str>]> = map.keys().cloned().collect();
        Ok(Fields { names, values: map.into_values().map(Some).collect(), numbers: Numbers::new() })
    }
}
