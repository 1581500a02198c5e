//! Everything a rule can read about one event: the whole input of a decision.
//!
//! Serialised into the audit entry, so that the entry alone replays the decision.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    event::Event,
    history::observation::Observed,
    maybe::{Maybe, Why},
    rates::Rate,
    tri::Tri,
    value::{Country, GeoFix, Precision},
    verdict::ScriptResult,
};

/// The whole input of a decision. Made by [`crate::program::Program::assemble`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signals {
    /// The event and what was looked up about it.
    pub located: Located,
    /// What history answered.
    pub observed: Observed,
    /// What lists that change at run time answered, in the order of the program's questions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listed: Vec<Listed>,
    /// The exchange rates in force when the event happened, of the currencies that could meet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<Rate>,
    /// What scripts returned when the decision was made. A replay takes these instead of running them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripts: Vec<ScriptResult>,
}

impl Signals {
    /// The event.
    #[must_use]
    pub fn event(&self) -> &Arc<Event> {
        &self.located.event
    }
}

/// Whether a value was on a list when the event happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// The question, as in `ip in @blocked_ips`.
    pub question: Arc<str>,
    /// The answer.
    pub member: Tri,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
}

/// An event and what was looked up about it, before history is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Located {
    /// The event.
    pub event: Arc<Event>,
    /// Where its address is.
    pub place: Maybe<Arc<GeoFix>>,
    /// What network its address belongs to.
    pub network: NetworkFacts,
    /// What is known about the user.
    pub user: UserFacts,
}

impl Located {
    /// Puts the facts together. The position of an address that is an exit of Tor, a VPN or a
    /// hosting network is the exit's, not the person's: it loses its city (`language.md` §7).
    #[must_use]
    pub fn new(event: Arc<Event>, place: Maybe<Arc<GeoFix>>, network: NetworkFacts, user: UserFacts) -> Located {
        let hides = [&network.tor, &network.vpn, &network.hosting].into_iter().any(|fact| *fact == Maybe::Known(true));
        let place = place.map(|fix| if hides { hidden(&fix) } else { fix });
        Located { event, place, network, user }
    }

    /// An event of which nothing was looked up.
    #[must_use]
    pub fn nowhere(event: Arc<Event>) -> Located {
        Located::new(event, Maybe::Unknown(Why::Absent), NetworkFacts::default(), UserFacts::default())
    }
}

fn hidden(fix: &GeoFix) -> Arc<GeoFix> {
    Arc::new(GeoFix { region: None, city: None, time_zone: None, precision: Precision::Hidden, ..fix.clone() })
}

/// What an address alone tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(default)]
pub struct Whereabouts {
    /// Where it is.
    pub place: Maybe<Arc<GeoFix>>,
    /// What network it belongs to.
    pub network: NetworkFacts,
}

/// What network an address belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(default)]
pub struct NetworkFacts {
    /// The autonomous system's number.
    pub asn: Maybe<u32>,
    /// Who runs it.
    pub as_org: Maybe<Arc<str>>,
    /// Whether it is a hosting provider's.
    pub hosting: Maybe<bool>,
    /// Whether it is an exit of a VPN.
    pub vpn: Maybe<bool>,
    /// Whether it is an exit of Tor.
    pub tor: Maybe<bool>,
}

/// What is known about the user beside the event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(default)]
pub struct UserFacts {
    /// Where the user lives.
    pub home_country: Maybe<Country>,
    /// The user's IANA time zone.
    pub tz: Maybe<Arc<str>>,
}
