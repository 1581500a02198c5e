//! What is decided when a challenge is made, and never again (I9).

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::context::{self, ContextBytes, ContextError};
use crate::id::{ActionCode, ChallengeId, DeviceCodeHash, IdempotencyKey, TenantId, UserId};
use crate::state::{Challenge, State};
use crate::terminal::Terminal;

/// No challenge lives longer (NIST SP 800-63B-4 out-of-band authenticators: at most ten minutes).
pub const LONGEST_LIFE: SignedDuration = SignedDuration::from_secs(600);

/// No more wrong codes are allowed than this (RTS Art. 4(3)(b)).
pub const MOST_ATTEMPTS: u8 = 5;

/// What was decided when the challenge was made. Public to read, but a [`Challenge`] only ever lends it immutably.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Frozen {
    /// Whose it is; every look-up compares it (I11).
    pub tenant: TenantId,
    /// Its name, and the compat QR.
    pub id: ChallengeId,
    /// How it reaches the phone.
    pub kind: Kind,
    /// What the user tries to do.
    pub action: ActionCode,
    /// Which attempt at it.
    pub idempotency_key: IdempotencyKey,
    /// Who may answer.
    pub subject: Subject,
    /// Where the screen is.
    pub origin: Origin,
    /// The action's data that the phone may see.
    pub custom: Map<String, Value>,
    /// What the policy asks of the key.
    pub level: Level,
    /// The fields an approval is bound to, as display text (dynamic linking, RTS Art. 5).
    pub bind: Vec<Detail>,
    /// The fields shown beside them.
    pub show: Vec<Detail>,
    /// The very bytes a version 2 phone shows and signs.
    pub context: ContextBytes,
    /// The oldest way of signing that this challenge takes.
    pub minimum_protocol: Protocol,
    /// For a polling screen: the hash of its device code.
    pub device_code: Option<DeviceCodeHash>,
    /// The registered terminal whose signature it was made under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<Terminal>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From this instant on it can be neither claimed nor answered; there is no grace (T-07).
    pub expires_at: Timestamp,
    /// How many wrong match codes end it.
    pub attempts_allowed: u8,
}

/// How a challenge reaches the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A QR code on the screen.
    Qr,
    /// A message to the user's own phones.
    Push,
    /// The app that holds the key asks for itself.
    InApp,
}

impl Kind {
    /// The wire's precise word.
    pub fn wire_name(self) -> &'static str {
        match self {
            Kind::Qr => "QR_CODE",
            Kind::Push => "PUSH",
            Kind::InApp => "IN_APP",
        }
    }

    /// Whether a stock phone claims it first, by what it scanned, and answers later with another signature. Otherwise its
    /// claim and answer are one request with one signature. With version 2 they are two in every kind.
    pub fn is_scanned(self) -> bool {
        match self {
            Kind::Qr => true,
            Kind::Push | Kind::InApp => false,
        }
    }
}

/// Who may answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// Only this user (I8).
    Identified(UserId),
    /// Whoever claims it; the claim says who that is.
    Anonymous,
}

/// What the policy asks of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// Having the device.
    Possession,
    /// Having the device and proving to it who holds it.
    Biometric,
}

/// How the phone signs; the order is from weaker to stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Protocol {
    /// The bare challenge id, as stock SDKs do.
    Compat,
    /// Our line messages with purpose, context and decision.
    V2,
}

/// Where the screen is that shows the QR.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// Its address.
    pub ip: Option<IpAddr>,
    /// Its `User-Agent`, as sent.
    pub user_agent: Option<String>,
    /// A readable name of the device (`Firefox on Linux`).
    pub device: Option<String>,
    /// Where the address is thought to be.
    pub place: Option<OriginPlace>,
}

/// A place in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OriginPlace {
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// The region's name.
    pub region: Option<String>,
    /// The city's name.
    pub city: Option<String>,
}

/// One field as the phone shows it: `amount` → `20.00 EUR`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Detail {
    /// The field's name in the action.
    pub field: String,
    /// Its value in words.
    pub value: String,
}

/// What is decided before a challenge exists; [`Challenge::generate`] freezes it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// See [`Frozen::tenant`].
    pub tenant: TenantId,
    /// See [`Frozen::id`].
    pub id: ChallengeId,
    /// See [`Frozen::action`].
    pub action: ActionCode,
    /// See [`Frozen::idempotency_key`].
    pub idempotency_key: IdempotencyKey,
    /// See [`Frozen::subject`].
    pub subject: Subject,
    /// See [`Frozen::origin`].
    pub origin: Origin,
    /// See [`Frozen::custom`].
    pub custom: Map<String, Value>,
    /// See [`Frozen::level`].
    pub level: Level,
    /// See [`Frozen::bind`].
    pub bind: Vec<Detail>,
    /// See [`Frozen::show`].
    pub show: Vec<Detail>,
    /// See [`Frozen::minimum_protocol`].
    pub minimum_protocol: Protocol,
    /// See [`Frozen::device_code`].
    pub device_code: Option<DeviceCodeHash>,
    /// See [`Frozen::terminal`].
    pub terminal: Option<Terminal>,
    /// How long it may be answered; more than 0, at most [`LONGEST_LIFE`].
    pub life: SignedDuration,
    /// How many wrong match codes end it; 1 to [`MOST_ATTEMPTS`].
    pub attempts_allowed: u8,
}

/// Why a draft does not become a challenge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// The life is not between a moment and ten minutes.
    #[error("a challenge lives more than 0 and at most 600 seconds")]
    Life,
    /// No attempt would be allowed, or too many.
    #[error("a challenge allows 1 to {MOST_ATTEMPTS} attempts")]
    Attempts,
    /// Something cannot be shown safely on the phone.
    #[error(transparent)]
    Context(#[from] ContextError),
}

impl Challenge {
    /// Freezes a draft, the context bytes included, into a challenge in state `generated` that reaches the phone by QR.
    pub fn generate(draft: Draft, now: Timestamp) -> Result<Self, DraftError> {
        Self::generate_as(Kind::Qr, draft, now)
    }

    /// The same for another way to the phone.
    pub fn generate_as(kind: Kind, draft: Draft, now: Timestamp) -> Result<Self, DraftError> {
        if draft.life <= SignedDuration::ZERO || draft.life > LONGEST_LIFE {
            return Err(DraftError::Life);
        }
        if !(1..=MOST_ATTEMPTS).contains(&draft.attempts_allowed) {
            return Err(DraftError::Attempts);
        }
        let expires_at = now.checked_add(draft.life).map_err(|_| DraftError::Life)?;
        let context = context::freeze(&draft, now, expires_at)?;
        let frozen = Frozen {
            tenant: draft.tenant,
            id: draft.id,
            kind,
            action: draft.action,
            idempotency_key: draft.idempotency_key,
            subject: draft.subject,
            origin: draft.origin,
            custom: draft.custom,
            level: draft.level,
            bind: draft.bind,
            show: draft.show,
            context,
            minimum_protocol: draft.minimum_protocol,
            device_code: draft.device_code,
            terminal: draft.terminal,
            created_at: now,
            expires_at,
            attempts_allowed: draft.attempts_allowed,
        };
        Ok(Self { frozen, state: State::Generated, version: 0 })
    }
}
