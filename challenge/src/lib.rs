//! The security kernel: the life of a QR challenge and what the phone signs.
//!
//! Everything here is a pure function of its arguments. There is no I/O, no clock and no dice: `now`, ids, nonces and
//! keys are passed in. (The one exception is inside the cryptography library: an ECDSA signature draws its own nonce.)
//! The rules come from the protocol in `docs/` — state machine, messages, tokens — and every refusal has a small
//! enum whose `code()` is the word the client sees.
//!
//! Reading order: [`id`] and [`text`] name things, [`keys`] and [`signature`] check what phones send, [`messages`] says
//! which bytes they sign, [`context`] freezes what they show, [`qr`] what they scan. [`frozen`] holds what a
//! challenge was made of, [`terminal`] which registered screen vouched for it, [`state`] where its life stands; [`claim`], [`answer`] and [`retire`] are its only transitions, and [`operation`]
//! names them as values; [`assurance`] says what an approval is
//! worth; [`token`] carries the result to the backend, and [`redeem`] lets it be used once. [`storage`] writes a
//! challenge down.
//!
//! ```
//! use challenge::{keys::DeviceKey, signature::Signature, state::{Level, Origin}, *};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now: jiff::Timestamp = "2026-03-01T10:00:00Z".parse()?;
//! let challenge = Challenge::generate(
//!     Draft {
//!         tenant: TenantId::parse("acme")?,
//!         id: ChallengeId::parse("3a991a14-690c-492b-a5e5-02b9056a4b7d")?,
//!         action: ActionCode::parse("kiosk-login")?,
//!         idempotency_key: IdempotencyKey::parse("visit-7")?,
//!         subject: Subject::Anonymous,
//!         origin: Origin::default(),
//!         custom: Default::default(),
//!         level: Level::Possession,
//!         bind: vec![],
//!         show: vec![],
//!         minimum_protocol: Protocol::Compat,
//!         device_code: None,
//!         terminal: None,
//!         life: jiff::SignedDuration::from_mins(2),
//!         attempts_allowed: 3,
//!     },
//!     now,
//! )?;
//!
//! // A stock phone scans the id and sends its signature over it.
//! let phone = Credential {
//!     id: CredentialId::parse("phone-1")?,
//!     tenant: TenantId::parse("acme")?,
//!     user: UserId::parse("ann")?,
//!     key: DeviceKey::from_base64(
//!         "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKAceh7omSMN6vcWgR8IMx38KsvKU5VgkirsONzd5XaW+FVFdeBGyOmU1Tl9cQQNNXkODqaoAo6cHQgcqQWlnSg==",
//!     )?,
//!     platform: Platform::Ios,
//!     status: CredentialStatus::Active,
//!     protection: KeyProtection::Unattested,
//! };
//! let signature = Signature::from_base64(
//!     "MEUCIDOw33MnV1Eoxv6RnNa7k+e3rrq5+0mu+BiH2gTxrjAaAiEA4ylR3SpbHn1mh4116/CF2nNWSAIZmK5ZmKc32g2wrF0=",
//! )?;
//! let attempt = ClaimAttempt {
//!     signature,
//!     proof: ClaimProof::Compat,
//!     nonce: ClaimNonce::from_random([7; 16]), // 16 random bytes
//!     match_code: None,
//! };
//! let claimed = challenge.claim(&phone, &attempt, now)?.next;
//! assert_eq!(claimed.state().name(), "claimed");
//! assert_eq!(claimed.user().map(UserId::as_str), Some("ann"));
//!
//! // The same signature would verify as an approval too; it is refused because it was seen.
//! let replay = AnswerAttempt { signature, proof: AnswerProof::Compat, code: Default::default() };
//! assert_eq!(claimed.approve(&phone, &replay, now).err(), Some(AnswerError::SignatureReused));
//! # Ok(()) }
//! ```

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)
)]

pub mod id;
pub mod text;

pub mod keys;
pub mod signature;

pub mod messages;

pub mod context;
pub mod qr;

pub mod credential;
pub mod frozen;
pub mod state;
pub mod terminal;

pub mod answer;
pub mod claim;
pub mod invariant;
pub mod operation;
pub mod retire;

pub mod assurance;
pub mod storage;

pub mod redeem;
pub mod token;

pub use answer::{AnswerAttempt, AnswerError, AnswerProof};
pub use claim::{ClaimAttempt, ClaimError, ClaimProof};
pub use credential::{Credential, CredentialStatus, KeyProtection, Platform};
pub use id::{
    ActionCode, ChallengeId, ClaimNonce, CredentialId, DeviceCode, DeviceCodeHash, IdempotencyKey, Issuer, MatchCode,
    TenantId, TerminalId, UserId,
};
pub use operation::{Operation, Refusal};
pub use state::{Challenge, Decision, Draft, Effect, Frozen, Protocol, State, Subject, Transition};
