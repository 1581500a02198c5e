//! Phones, challenges and the clock that the tests share.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use challenge::keys::DeviceKey;
use challenge::messages::{self, PhoneNonce, TypedCode};
use challenge::signature::Signature;
use challenge::state::{Claim, Detail, Level, Origin, OriginPlace};
use challenge::*;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub const TENANT: &str = "5e1eebc0-31c5-42db-b86f-3981f0081ac6";
pub const ID: &str = "3a991a14-690c-492b-a5e5-02b9056a4b7d";

/// A file of `challenge/vectors`.
pub fn vectors(text: &str) -> Value {
    serde_json::from_str(text).expect("the vectors are JSON")
}

pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text `{key}` in {value}"))
}

/// Milliseconds after the challenge was made.
pub fn at_ms(ms: i64) -> Timestamp {
    start() + SignedDuration::from_millis(ms)
}

pub fn at(seconds: i64) -> Timestamp {
    at_ms(seconds * 1000)
}

pub fn start() -> Timestamp {
    "2026-03-01T10:00:00Z".parse().expect("a time")
}

pub fn tenant() -> TenantId {
    TenantId::parse(TENANT).expect("a tenant id")
}

pub fn issuer() -> Issuer {
    Issuer::parse("https://mfa.example.com").expect("an issuer")
}

pub fn challenge_id() -> ChallengeId {
    ChallengeId::parse(ID).expect("a challenge id")
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a user id")
}

pub fn code(digits: &str) -> TypedCode {
    TypedCode::parse(digits).expect("digits")
}

/// A phone with one of the keys of `phones.json`.
pub struct Phone {
    pair: EcdsaKeyPair,
    pub credential: Credential,
}

impl Phone {
    pub fn new(number: usize, owner: &str, platform: Platform) -> Self {
        let phones = vectors(include_str!("../../vectors/phones.json"));
        let phone = &phones[number];
        let key = DeviceKey::from_base64(text(phone, "publicKey")).expect("a key");
        let private = [7 + number as u8; 32];
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &private,
            &key.to_spki()[26..],
        )
        .expect("a key pair");
        let credential = Credential {
            id: CredentialId::parse(format!("cred-{:02}", 7 + number)).expect("a credential id"),
            tenant: tenant(),
            user: user(owner),
            key,
            platform,
            status: CredentialStatus::Active,
            protection: KeyProtection::Unattested,
        };
        Self { pair, credential }
    }

    pub fn ios(number: usize, owner: &str) -> Self {
        Self::new(number, owner, Platform::Ios)
    }

    pub fn sign(&self, message: &str) -> Signature {
        let der = self.pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        Signature::from_der(der.as_ref()).expect("our own signature")
    }

    pub fn compat_claim(&self) -> ClaimAttempt {
        compat_claim_with(self.sign(ID))
    }

    pub fn compat_answer(&self, typed: &str) -> AnswerAttempt {
        compat_answer_with(self.sign(ID), typed)
    }

    pub fn v2_claim(&self, challenge: &Challenge) -> ClaimAttempt {
        let phone_nonce = PhoneNonce::from_random([0xa5; 16]);
        let message = messages::claim(&messages::ClaimMessage {
            issuer: &issuer(),
            tenant: &challenge.frozen().tenant,
            challenge: &challenge.id(),
            credential: &self.credential.id,
            qr: None,
            nonce: &phone_nonce,
        });
        ClaimAttempt {
            signature: self.sign(&message),
            proof: ClaimProof::V2 { issuer: issuer(), phone_nonce, rolling: None, near: None },
            nonce: nonce(),
            match_code: None,
        }
    }

    pub fn v2_answer(&self, challenge: &Challenge, decision: Decision, typed: &str) -> AnswerAttempt {
        let claim = challenge.state().claim().map(|claim| claim.nonce.clone()).unwrap_or_else(nonce);
        let message = messages::decide(&messages::DecideMessage {
            issuer: &issuer(),
            tenant: &challenge.frozen().tenant,
            challenge: &challenge.id(),
            credential: &self.credential.id,
            claim: &claim,
            context: &challenge.frozen().context.hash(),
            decision,
            code: &code(typed),
        });
        self.v2_answer_over(&message, typed)
    }

    pub fn v2_answer_over(&self, message: &str, typed: &str) -> AnswerAttempt {
        AnswerAttempt { signature: self.sign(message), proof: AnswerProof::V2 { issuer: issuer() }, code: code(typed) }
    }
}

pub fn nonce() -> ClaimNonce {
    ClaimNonce::from_random(std::array::from_fn(|i| i as u8))
}

pub fn compat_claim_with(signature: Signature) -> ClaimAttempt {
    ClaimAttempt { signature, proof: ClaimProof::Compat, nonce: nonce(), match_code: None }
}

pub fn compat_answer_with(signature: Signature, typed: &str) -> AnswerAttempt {
    AnswerAttempt { signature, proof: AnswerProof::Compat, code: code(typed) }
}

/// A withdrawal of `u1`, good for 120 seconds.
pub fn draft() -> Draft {
    let detail = |field: &str, value: &str| Detail { field: field.to_owned(), value: value.to_owned() };
    Draft {
        tenant: tenant(),
        id: challenge_id(),
        action: ActionCode::parse("withdrawal").expect("an action"),
        idempotency_key: IdempotencyKey::parse("k1").expect("a key"),
        subject: Subject::Identified(user("u1")),
        origin: Origin {
            ip: Some("203.0.113.9".parse().expect("an address")),
            user_agent: Some("Mozilla/5.0".to_owned()),
            device: Some("Firefox on Linux".to_owned()),
            place: Some(OriginPlace {
                country: Some("FR".to_owned()), region: None, city: Some("Orléans".to_owned())
            }),
        },
        custom: serde_json::from_str(r#"{"payee":"Ann Lee","till":12.50}"#).expect("JSON"),
        level: Level::Possession,
        bind: vec![detail("amount", "20.00 EUR"), detail("payee", "Ann Lee")],
        show: vec![],
        minimum_protocol: Protocol::Compat,
        device_code: None,
        terminal: None,
        life: SignedDuration::from_secs(120),
        attempts_allowed: 3,
    }
}

pub fn generated() -> Challenge {
    Challenge::generate(draft(), start()).expect("a challenge")
}

pub fn anonymous() -> Challenge {
    Challenge::generate(Draft { subject: Subject::Anonymous, ..draft() }, start()).expect("a challenge")
}

/// Applies a transition that must move, and passes through the store on the way.
pub fn moved<E: std::fmt::Debug>(result: Result<Transition, E>) -> Challenge {
    let transition = result.expect("a transition");
    assert_eq!(transition.effect, Effect::Moved);
    stored(&transition.next)
}

/// Writes a challenge down and reads it again.
pub fn stored(challenge: &Challenge) -> Challenge {
    let (frozen, state) = (challenge.frozen_text().expect("text"), challenge.state_text().expect("text"));
    let read = Challenge::from_texts(&frozen, &state, challenge.version()).expect("a stored challenge");
    assert_eq!(read.frozen_text().expect("text"), frozen);
    assert_eq!(read.state_text().expect("text"), state);
    read
}

pub fn claim_of(challenge: &Challenge) -> &Claim {
    challenge.state().claim().expect("a claim")
}
