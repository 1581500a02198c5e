use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::decision::words;
use super::{TenantId, UserId};

/// What a webhook can tell of. The spelling is the `type` of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // Listed with their data in docs/webhooks.md.
pub enum EventType {
    DecisionRecorded,
    DecisionChanged,
    ChallengeGenerated,
    ChallengeClaimed,
    ChallengeApproved,
    ChallengeRejected,
    ChallengeExpired,
    ChallengeSuperseded,
    PushCreated,
    CredentialAdded,
    CredentialRemoved,
    PolicyActivated,
    Notice,
}

words!(EventType {
    DecisionRecorded = "decision.recorded",
    DecisionChanged = "decision.changed",
    ChallengeGenerated = "challenge.generated",
    ChallengeClaimed = "challenge.claimed",
    ChallengeApproved = "challenge.approved",
    ChallengeRejected = "challenge.rejected",
    ChallengeExpired = "challenge.expired",
    ChallengeSuperseded = "challenge.superseded",
    PushCreated = "push.created",
    CredentialAdded = "credential.added",
    CredentialRemoved = "credential.removed",
    PolicyActivated = "policy.activated",
    Notice = "notice",
});

/// Something to tell by webhook. It becomes durable in the transaction of what it tells of, or not at all: put it on an
/// audit entry (`Entry::tell`), or hand it to [`Store::tell`](crate::store::Store::tell) when there is no verb of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What kind.
    pub kind: EventType,
    /// The envelope's `data`. Texts only: two of the field's SDKs read nothing else.
    pub data: BTreeMap<&'static str, String>,
}

impl Event {
    /// An event without data.
    pub fn new(kind: EventType) -> Event {
        Event { kind, data: BTreeMap::new() }
    }

    /// Something that a user, or whoever looks after them, should hear of: a recovery code was used, somebody else's phone
    /// answered. `word` is a stable snake-case name of what happened.
    ///
    /// ```
    /// # use server::store::{Event, UserId};
    /// let ann = UserId::parse("ann")?;
    /// let event = Event::notice("recovery_code_used", &ann).with("codesLeft", 7);
    /// assert_eq!((event.kind.as_str(), event.data["notice"].as_str()), ("notice", "recovery_code_used"));
    /// # Ok::<(), challenge::id::InvalidId>(())
    /// ```
    pub fn notice(word: &'static str, user: &UserId) -> Event {
        Event::new(EventType::Notice).with("notice", word).with("userId", user)
    }

    /// Says something more.
    pub fn with(mut self, name: &'static str, value: impl Display) -> Event {
        self.data.insert(name, value.to_string());
        self
    }

    /// Says it if there is something to say.
    pub fn opt_with(self, name: &'static str, value: Option<impl Display>) -> Event {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

/// Who hears of what, by tenant: the endpoints of the configuration.
pub type Subscriptions = HashMap<String, Vec<Subscription>>;

/// One endpoint's wishes.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The endpoint's name within its tenant.
    pub endpoint: Arc<str>,
    /// What it wants to hear.
    pub events: Vec<EventType>,
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The row.
    pub number: i64,
    /// Whose event.
    pub tenant: TenantId,
    /// To which of the tenant's endpoints.
    pub endpoint: String,
    /// The event's id, by which a receiver knows one that it has had before.
    pub event: Uuid,
    /// What it tells.
    pub kind: EventType,
    /// When it happened.
    pub time: Timestamp,
    /// The envelope's `data`, as JSON text.
    pub data: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong the last time.
    pub failure: Option<String>,
    /// When it is tried next, or since when it is not any more.
    pub at: Timestamp,
}

/// What an attempt to deliver came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempted {
    /// The receiver took it.
    Delivered,
    /// It did not; there will be another attempt.
    Later {
        /// Not before.
        at: Timestamp,
        /// What went wrong: a status or our own words, never the receiver's.
        failure: String,
    },
    /// It did not, and this was the last attempt.
    Dead {
        /// What went wrong.
        failure: String,
    },
}

/// Which dead letters are meant; an empty filter means all of the tenant.
#[derive(Debug, Clone, Default)]
pub struct DeadLetters {
    /// Those of this event.
    pub event: Option<Uuid>,
    /// Those for this endpoint.
    pub endpoint: Option<String>,
}
