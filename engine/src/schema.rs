//! What a rule can look at: the standard fields, what enrichment adds, and what a pack declares.

use std::sync::Arc;

use crate::{event::EventId, ir::Signal, types::Type};

/// A declared event.
#[derive(Clone, Debug)]
pub struct EventSchema {
    /// Its position.
    pub id: EventId,
    /// Its name in rules.
    pub name: Arc<str>,
    /// Other action codes for it.
    pub aliases: Vec<Arc<str>>,
    /// Standard fields that must be present.
    pub requires: Vec<Arc<str>>,
    /// Its own fields.
    pub fields: Vec<FieldSchema>,
}

impl FieldSchema {
    /// The type as it is declared.
    #[must_use]
    pub fn type_text(&self) -> String {
        if self.choices.is_empty() {
            return self.ty.to_string();
        }
        let choices: Vec<String> = self.choices.iter().map(|choice| format!("{choice:?}")).collect();
        format!("enum({})", choices.join(", "))
    }
}

impl EventSchema {
    /// The declared field with this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldSchema> {
        self.fields.iter().find(|field| &*field.name == name)
    }

    /// Whether the standard field must be present.
    #[must_use]
    pub fn requires(&self, name: &str) -> bool {
        self.requires.iter().any(|required| &**required == name)
    }
}

/// A declared field.
#[derive(Clone, Debug)]
pub struct FieldSchema {
    /// Its name.
    pub name: Arc<str>,
    /// Its type; of an `enum` that of its values, text.
    pub ty: Type,
    /// The values of an `enum`: there are no others. Empty for every other type.
    pub choices: Arc<[Arc<str>]>,
    /// Whether it may be absent.
    pub optional: bool,
    /// `@pii`: personal data; masked outside the audit log.
    pub pii: bool,
    /// `@currency(field)`: the field that says which money a plain number is.
    pub currency_from: Option<Arc<str>>,
}

/// A standard field: every event has it without declaring it.
#[derive(Clone, Debug)]
pub struct StandardField {
    /// Its path in rules.
    pub path: &'static str,
    /// Its type.
    pub ty: Type,
    /// Whether it may be absent.
    pub optional: bool,
    /// Where it is read.
    pub from: From,
}

/// Where a standard field is read.
#[derive(Clone, Debug)]
pub enum From {
    /// The event, by name.
    Event,
    /// Elsewhere.
    Signal(Signal),
}

/// Standard fields that a caller sends with the event.
pub const SENT: &[(&str, Type)] = &[
    ("ip", Type::Ip),
    ("device", Type::Device),
    ("device.name", Type::Text),
    ("email", Type::Text),
    ("phone", Type::Text),
    ("user_agent", Type::Text),
    ("session", Type::Text),
    ("locale", Type::Text),
];

/// Every standard field and what enrichment adds.
#[must_use]
pub fn standard_fields() -> Vec<StandardField> {
    use crate::ir::{GeoPart, Moment, NetworkFact};
    let mut fields: Vec<StandardField> = SENT
        .iter()
        .map(|(path, ty)| StandardField { path, ty: ty.clone(), optional: true, from: From::Event })
        .collect();
    let mut signal = |path, ty, optional, signal| {
        fields.push(StandardField { path, ty, optional, from: From::Signal(signal) });
    };
    signal("user", Type::User, false, Signal::User);
    signal("time", Type::Timestamp, false, Signal::Time(Moment::Now));
    signal("now", Type::Timestamp, false, Signal::Time(Moment::Now));
    signal("action", Type::Text, false, Signal::Action);
    signal("ip.asn", Type::Asn, true, Signal::Network(NetworkFact::Asn));
    signal("ip.as_org", Type::Text, true, Signal::Network(NetworkFact::AsOrg));
    signal("ip.hosting", Type::Bool, true, Signal::Network(NetworkFact::Hosting));
    signal("ip.vpn", Type::Bool, true, Signal::Network(NetworkFact::Vpn));
    signal("ip.tor", Type::Bool, true, Signal::Network(NetworkFact::Tor));
    signal("user.tz", Type::Text, true, Signal::UserTz);
    signal("user.home_country", Type::Country, true, Signal::UserHomeCountry);
    for (moment, paths) in [
        (Moment::Now, ["geo", "geo.country", "geo.region", "geo.city", "geo.lat", "geo.lon", "geo.radius"]),
        (
            Moment::LastVerified,
            [
                "last_verified.geo",
                "last_verified.geo.country",
                "last_verified.geo.region",
                "last_verified.geo.city",
                "last_verified.geo.lat",
                "last_verified.geo.lon",
                "last_verified.geo.radius",
            ],
        ),
        (
            Moment::Previous,
            [
                "previous.geo",
                "previous.geo.country",
                "previous.geo.region",
                "previous.geo.city",
                "previous.geo.lat",
                "previous.geo.lon",
                "previous.geo.radius",
            ],
        ),
    ] {
        for (path, part) in paths.into_iter().zip(GeoPart::ALL) {
            signal(path, part.ty(), true, Signal::Geo(moment, part));
        }
    }
    for (moment, [time, ip, device]) in [
        (Moment::LastVerified, ["last_verified.time", "last_verified.ip", "last_verified.device"]),
        (Moment::Previous, ["previous.time", "previous.ip", "previous.device"]),
    ] {
        signal(time, Type::Timestamp, true, Signal::Time(moment));
        signal(ip, Type::Ip, true, Signal::Ip(moment));
        signal(device, Type::Device, true, Signal::Device(moment));
    }
    fields
}
