//! A phone that enrols and answers as the published mobile packages do.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::service::{Answer, Api, Caller};

const PATH: &str = "/client/user-authenticators/qr-code";

/// A phone of a tenant.
pub struct Phone {
    api: Api,
    tenant: String,
    key: EcdsaKeyPair,
    /// SPKI DER in base64, as in bodies.
    pub public_key: String,
}

impl Phone {
    pub fn new(api: &Api, tenant: &str) -> Phone {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let der: PublicKeyX509Der<'_> = key.public_key().as_der().expect("a public key");
        let public_key = STANDARD.encode(der.as_ref());
        Phone { api: api.clone(), tenant: tenant.to_owned(), key, public_key }
    }

    /// The query that finds the phone's credential.
    pub fn query(public_key: &str) -> String {
        format!("{PATH}?publicKey={}", URL_SAFE_NO_PAD.encode(public_key))
    }

    fn sign(&self, text: &str) -> String {
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).expect("a signature");
        STANDARD.encode(signature.as_ref())
    }

    pub async fn enrol(&self, token: &str) -> reqwest::Result<Answer> {
        let body = json!({"publicKey": self.public_key, "deviceName": "Test phone", "devicePlatform": "ios"});
        self.api.post(PATH, Caller::Token(token), &body).await
    }

    pub async fn claim(&self, challenge: &str) -> reqwest::Result<Answer> {
        let body = json!({"challengeId": challenge, "publicKey": self.public_key, "signature": self.sign(challenge)});
        self.api.post(&format!("{PATH}/challenge/claim"), Caller::Tenant(&self.tenant), &body).await
    }

    pub async fn answer(&self, challenge: &str, approved: bool) -> reqwest::Result<Answer> {
        let body: Value = json!({
            "challengeId": challenge, "publicKey": self.public_key, "approved": approved,
            "signature": self.sign(challenge), "verificationCode": null,
        });
        self.api.post(&format!("{PATH}/challenge"), Caller::Tenant(&self.tenant), &body).await
    }
}
