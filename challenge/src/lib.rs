//! The security kernel: the life of a QR challenge and what the phone signs.
//!
//! Everything here is a pure function of its arguments. There is no I/O, no clock and no dice: `now`, ids, nonces and
//! keys are passed in. (The one exception is inside the cryptography library: an ECDSA signature draws its own nonce.)
//! The rules come from the protocol in `docs/` — state machine, messages, tokens — and every refusal has a small
//! enum whose `code()` is the word the client sees.
//!
//! Reading order: [`id`] and [`text`] name things, [`keys`] and [`signature`] check what phones send, [`messages`] says
//! which bytes they sign, [`context`] freezes what they show, [`qr`] what they scan. [`state`] holds the facts of a
//! challenge; [`claim`], [`answer`] and [`retire`] are its only transitions, and [`operation`]
//! names them as values; [`assurance`] says what an approval is
//! worth; [`token`] carries the result to the backend, and [`redeem`] lets it be used once. [`storage`] writes a
//! challenge down.

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
pub mod state;

pub mod answer;
pub mod claim;
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
    TenantId, UserId,
};
pub use operation::{Operation, Refusal};
pub use state::{Challenge, Decision, Draft, Effect, Frozen, Protocol, State, Subject, Transition};
