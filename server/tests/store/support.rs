//! A store in a folder of its own, phones that sign, and short ways to say what is recorded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use challenge::credential::KeyProtection;
use challenge::id::{ClaimNonce, MatchCode};
use challenge::keys::DeviceKey;
use challenge::messages::TypedCode;
use challenge::signature::Signature;
use challenge::state::{Draft, Level, Origin};
use challenge::{
    AnswerAttempt, AnswerProof, Challenge, ClaimAttempt, ClaimProof, Credential, CredentialStatus, Platform, Protocol,
    Subject,
};
use jiff::{SignedDuration, Timestamp};
use server::audit::LogSigner;
use server::store::*;
use tempfile::TempDir;
use uuid::Uuid;

pub struct World {
    pub store: Store,
    pub folder: TempDir,
}

pub fn signer() -> Arc<LogSigner> {
    Arc::new(LogSigner::from_seed("test.example/log", &[42; 32]).unwrap())
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("stepup.db")).await.unwrap();
        Self { store, folder }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("stepup.db")
    }

    /// Closes in good order and opens again.
    pub async fn reopened(self) -> Self {
        let path = self.database();
        self.store.close().await;
        drop(self.store);
        Self { store: open(&path).await.unwrap(), folder: self.folder }
    }

    /// Closes and gives the folder, for somebody else to look at.
    pub async fn closed(self) -> TempDir {
        self.store.close().await;
        drop(self.store);
        self.folder
    }

    pub async fn entries(&self) -> u64 {
        self.store.log_head().await.unwrap().size
    }
}

pub async fn open(path: &Path) -> Result<Store, OpenError> {
    Store::open(Options::new(path, signer())).await
}

/// Seconds after a fixed instant.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub fn tenant() -> TenantId {
    TenantId::parse("t1").unwrap()
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub fn action(name: &str) -> ActionCode {
    ActionCode::parse(name).unwrap()
}

/// An allowed sign-in of `user` with this key.
pub fn decision(name: &str, key: &str, second: i64) -> NewDecision {
    NewDecision {
        tenant: tenant(),
        id: DecisionId(Uuid::now_v7()),
        user: user(name),
        action: action("sign_in"),
        idempotency_key: IdempotencyKey::parse(key).unwrap(),
        body_hash: [7; 32],
        outcome: Outcome::Allow,
        state: ActionState::Allow,
        policy_version: "sha256:00".to_owned(),
        rules: vec![],
        reasons: vec![],
        flags: vec![],
        facts: BTreeMap::from([("geo".to_owned(), "2026-10".to_owned())]),
        created_at: at(second),
        event_line: format!(r#"{{"userId":"{name}","idempotencyKey":"{key}"}}"#),
        record: format!(r#"{{"signals":{{"ip":"203.0.113.9","user":"{name}"}}}}"#),
        answer: r#"{"state":"ALLOW"}"#.to_owned(),
        challenge: None,
        list_effects: vec![],
        device: None,
        about_user: None,
    }
}

/// A withdrawal of `user` with a challenge that lives two minutes.
pub fn challenged(name: &str, key: &str, second: i64) -> (NewDecision, Challenge) {
    let challenge = generate(Subject::Identified(user(name)), second);
    let new = NewChallenge { challenge: challenge.clone(), decision: None, supersedes: None };
    let decision = NewDecision {
        action: action("withdrawal"),
        outcome: Outcome::Challenge,
        state: ActionState::ChallengeRequired,
        rules: vec!["always".to_owned()],
        reasons: vec!["LARGE".to_owned()],
        challenge: Some(new),
        ..decision(name, key, second)
    };
    (decision, challenge)
}

pub fn generate(subject: Subject, second: i64) -> Challenge {
    let draft = Draft {
        tenant: tenant(),
        id: ChallengeId::from_random(*Uuid::new_v4().as_bytes()),
        action: action("withdrawal"),
        idempotency_key: IdempotencyKey::parse("k").unwrap(),
        subject,
        origin: Origin::default(),
        custom: serde_json::Map::new(),
        level: Level::Possession,
        bind: vec![],
        show: vec![],
        minimum_protocol: Protocol::Compat,
        device_code: None,
        terminal: None,
        life: SignedDuration::from_secs(120),
        attempts_allowed: 3,
    };
    Challenge::generate(draft, at(second)).unwrap()
}

/// A phone with a key of its own.
pub struct Phone {
    key: EcdsaKeyPair,
    pub credential: Credential,
}

impl Phone {
    pub fn of(name: &str, id: &str) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
        // SubjectPublicKeyInfo of a P-256 key: a fixed head and the uncompressed point.
        let mut spki = vec![
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
            0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        spki.extend_from_slice(key.public_key().as_ref());
        let credential = Credential {
            id: CredentialId::parse(id).unwrap(),
            tenant: tenant(),
            user: user(name),
            key: DeviceKey::from_spki(&spki).unwrap(),
            platform: Platform::Ios,
            status: CredentialStatus::Active,
            protection: KeyProtection::Unattested,
        };
        Self { key, credential }
    }

    pub async fn enrolled(store: &impl Challenges, name: &str, id: &str) -> Self {
        let phone = Self::of(name, id);
        assert!(store.enrol(phone.enrolment()).await.unwrap().new);
        phone
    }

    pub fn enrolment(&self) -> NewCredential {
        NewCredential {
            credential: self.credential.clone(),
            kind: "qr-code".to_owned(),
            device_name: Some("phone".to_owned()),
            device_platform: "ios".to_owned(),
            attestation: None,
            push_token: None,
            enrolled_at: at(0),
            expires_at: None,
            right: EnrolmentRight::Scope,
            token: format!("token-of-{}", self.credential.id),
            token_at: at(0),
            recovery_codes: None,
        }
    }

    fn sign(&self, text: &str) -> Signature {
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        Signature::from_der(signature.as_ref()).unwrap()
    }

    pub fn claim(&self, challenge: ChallengeId, second: i64) -> TransitionRequest {
        self.claim_asking_for(challenge, second, None)
    }

    pub fn claim_attempt(&self, challenge: ChallengeId) -> ClaimAttempt {
        ClaimAttempt {
            signature: self.sign(&challenge.to_string()),
            proof: ClaimProof::Compat,
            nonce: ClaimNonce::from_random([5; 16]),
            match_code: None,
        }
    }

    pub fn claim_asking_for(&self, challenge: ChallengeId, second: i64, code: Option<&str>) -> TransitionRequest {
        let code = code.map(|code| MatchCode::parse(code).unwrap());
        let attempt = ClaimAttempt { match_code: code, ..self.claim_attempt(challenge) };
        let operation = Operation::claim(self.credential.id.clone(), move |challenge, credential, now| {
            challenge.claim(credential, &attempt, now)
        });
        TransitionRequest { tenant: tenant(), challenge, operation, at: at(second) }
    }

    pub fn approve(&self, challenge: ChallengeId, second: i64) -> TransitionRequest {
        self.answer(challenge, at(second), challenge::Decision::Approve, "")
    }

    pub fn reject(&self, challenge: ChallengeId, second: i64) -> TransitionRequest {
        self.answer(challenge, at(second), challenge::Decision::Reject, "")
    }

    pub fn answer(
        &self,
        challenge: ChallengeId,
        at: Timestamp,
        decision: challenge::Decision,
        code: &str,
    ) -> TransitionRequest {
        let signature = self.sign(&challenge.to_string());
        let attempt = AnswerAttempt { signature, proof: AnswerProof::Compat, code: TypedCode::parse(code).unwrap() };
        let operation = Operation::answer(self.credential.id.clone(), move |challenge, credential, now| {
            challenge.answer(decision, credential, &attempt, now)
        });
        TransitionRequest { tenant: tenant(), challenge, operation, at }
    }
}

pub fn expire(challenge: ChallengeId, at: Timestamp) -> TransitionRequest {
    TransitionRequest { tenant: tenant(), challenge, operation: Operation::Expire, at }
}
