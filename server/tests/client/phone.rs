//! A phone, as the published mobile SDKs are: same key, same encodings, same quirks on the wire.

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;

use crate::harness::{Reply, Server};

/// Which SDK the phone was built with. They differ in ways a server notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk {
    /// `/` as `\/` in JSON, unpadded URL-safe Basic, an absent `verificationCode` is left out.
    Ios,
    /// Padded Basic, an absent `verificationCode` is sent as `null`.
    Android,
    /// Android before 2025-10-29: the same calls under the kind `device`, no SDK headers.
    Legacy,
}

/// One phone with one P-256 key.
pub struct Phone {
    key: EcdsaKeyPair,
    sdk: Sdk,
    /// `qr-code`, `push` or `in-app`; a phone of the time before kinds says `device` for all of them.
    pub kind: &'static str,
    pub tenant: String,
}

impl Phone {
    /// A new phone with a fresh key, for the server's own tenant.
    pub fn new(server: &Server, sdk: Sdk) -> Phone {
        Phone {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key"),
            sdk,
            kind: "qr-code",
            tenant: server.tenant.clone(),
        }
    }

    /// The same with a key of another kind.
    pub fn of_kind(server: &Server, sdk: Sdk, kind: &'static str) -> Phone {
        Phone { kind, ..Phone::new(server, sdk) }
    }

    /// The public key as the SDKs send it: standard base64 of the SubjectPublicKeyInfo.
    pub fn public_key(&self) -> String {
        let spki = self.key.public_key().as_der().expect("SPKI DER");
        STANDARD.encode(spki.as_ref())
    }

    /// Standard base64 of the DER ECDSA signature over the text.
    pub fn sign(&self, message: &str) -> String {
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        STANDARD.encode(signature.as_ref())
    }

    /// `/client/user-authenticators/{kind}` as this SDK spells the kind.
    pub fn path(&self, rest: &str) -> String {
        let kind = match self.sdk {
            Sdk::Ios | Sdk::Android => self.kind,
            Sdk::Legacy => "device",
        };
        format!("/v1/client/user-authenticators/{kind}{rest}")
    }

    /// The tenant's `Authorization` header in this SDK's encoding.
    pub fn basic(&self) -> String {
        let with_colon = format!("{}:", self.tenant);
        match self.sdk {
            Sdk::Ios => format!("Basic {}", URL_SAFE_NO_PAD.encode(with_colon)),
            Sdk::Android | Sdk::Legacy => format!("Basic {}", STANDARD.encode(with_colon)),
        }
    }

    /// Adds this phone's key for the user the track token names.
    pub async fn add(&self, server: &Server, track_token: &str) -> Reply {
        let platform = if self.sdk == Sdk::Ios { "ios" } else { "android" };
        let mut members = vec![
            ("publicKey", quoted(&self.public_key())),
            ("deviceName", quoted("Jo's phone")),
            ("devicePlatform", quoted(platform)),
        ];
        if self.kind == "push" {
            members.push(("pushToken", quoted("apns/token-1")));
        }
        let body = self.json(&members);
        self.send(server, "POST", &self.path(""), &format!("Bearer {track_token}"), Some(body)).await
    }

    /// Asks for this phone's credential, its key encoded twice as each platform does it.
    pub async fn get(&self, server: &Server) -> Reply {
        let path = self.path(&format!("?publicKey={}", self.key_in_query()));
        self.send(server, "GET", &path, &self.basic(), None).await
    }

    /// The key encoded twice, as each platform does it in a query.
    pub fn key_in_query(&self) -> String {
        let key = self.public_key();
        match self.sdk {
            Sdk::Ios => URL_SAFE_NO_PAD.encode(key),
            Sdk::Android | Sdk::Legacy => STANDARD.encode(key),
        }
    }

    /// Asks `rest` for a message to sign: no body.
    pub async fn message(&self, server: &Server, rest: &str) -> Reply {
        let path = self.path(&format!("{rest}?publicKey={}", self.key_in_query()));
        self.send(server, "POST", &path, &self.basic(), None).await
    }

    /// Asks what is pending, with a signature or as phones before 2026-06 did.
    pub async fn pending(&self, server: &Server, signature: Option<&str>) -> Reply {
        self.pending_in(server, "", signature).await
    }

    /// The same with more in the query.
    pub async fn pending_in(&self, server: &Server, more: &str, signature: Option<&str>) -> Reply {
        let path = self.path(&format!("/challenge?publicKey={}{more}", self.key_in_query()));
        let mut headers = self.headers(&self.basic());
        headers.extend(signature.map(|signature| ("x-authsignal-signature", signature.to_owned())));
        server.request("GET", &path, &headers, None).await
    }

    /// Says its new push token, signed over the message of `/sign`.
    pub async fn update(&self, server: &Server, challenge_id: &str, message: &str, push_token: &str) -> Reply {
        let body = self.json(&[
            ("challengeId", quoted(challenge_id)),
            ("publicKey", quoted(&self.public_key())),
            ("signature", quoted(&self.sign(message))),
            ("pushToken", quoted(push_token)),
            ("resetExpiry", "true".to_owned()),
        ]);
        self.send(server, "PATCH", &self.path(""), &self.basic(), Some(body)).await
    }

    /// Asks for a challenge of its own, in the tenant's name.
    pub async fn ask(&self, server: &Server, action: Option<&str>) -> Reply {
        let body = self.json(&action.map(|action| ("action", quoted(action))).into_iter().collect::<Vec<_>>());
        self.send(server, "POST", "/v1/client/challenge", &self.basic(), Some(body)).await
    }

    /// Proves itself in the app, with the token of a tracked action or in the tenant's name.
    pub async fn verify(&self, server: &Server, challenge_id: &str, token: Option<&str>) -> Reply {
        let kind = if self.sdk == Sdk::Legacy { "device" } else { "in-app" };
        let body = self.json(&[
            ("challengeId", quoted(challenge_id)),
            ("publicKey", quoted(&self.public_key())),
            ("signature", quoted(&self.sign(challenge_id))),
        ]);
        let authorization = token.map_or_else(|| self.basic(), |token| format!("Bearer {token}"));
        self.send(server, "POST", &format!("/v1/client/verify/{kind}"), &authorization, Some(body)).await
    }

    /// Removes this phone's credential with the signature over the ten-minute window.
    pub async fn remove(&self, server: &Server, unix_seconds: i64) -> Reply {
        let window = format!("{}.0", unix_seconds.div_euclid(600));
        let body = self.json(&[("publicKey", quoted(&self.public_key())), ("signature", quoted(&self.sign(&window)))]);
        self.send(server, "POST", &self.path("/remove"), &self.basic(), Some(body)).await
    }

    /// Claims the challenge.
    pub async fn claim(&self, server: &Server, challenge_id: &str) -> Reply {
        self.claim_signed(server, challenge_id, &self.sign(challenge_id)).await
    }

    /// Claims the challenge with a given signature.
    pub async fn claim_signed(&self, server: &Server, challenge_id: &str, signature: &str) -> Reply {
        let body = self.json(&[
            ("challengeId", quoted(challenge_id)),
            ("publicKey", quoted(&self.public_key())),
            ("signature", quoted(signature)),
        ]);
        self.send(server, "POST", &self.path("/challenge/claim"), &self.basic(), Some(body)).await
    }

    /// Approves or rejects, signing afresh.
    pub async fn answer(&self, server: &Server, challenge_id: &str, approved: bool) -> Reply {
        self.answer_signed(server, challenge_id, approved, None, &self.sign(challenge_id)).await
    }

    /// Approves or rejects with a given signature and code.
    pub async fn answer_signed(
        &self,
        server: &Server,
        challenge_id: &str,
        approved: bool,
        code: Option<&str>,
        signature: &str,
    ) -> Reply {
        let mut members = vec![
            ("challengeId", quoted(challenge_id)),
            ("publicKey", quoted(&self.public_key())),
            ("approved", approved.to_string()),
            ("signature", quoted(signature)),
        ];
        match (code, self.sdk) {
            (Some(code), _) => members.push(("verificationCode", quoted(code))),
            (None, Sdk::Ios) => {}
            (None, Sdk::Android | Sdk::Legacy) => {
                members.push(("verificationCode", "null".to_owned()));
            }
        }
        let body = self.json(&members);
        self.send(server, "POST", &self.path("/challenge"), &self.basic(), Some(body)).await
    }

    /// A JSON object with this SDK's escaping.
    fn json(&self, members: &[(&str, String)]) -> String {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let text = format!("{{{}}}", members.join(","));
        match self.sdk {
            Sdk::Ios => text.replace('/', "\\/"),
            Sdk::Android | Sdk::Legacy => text,
        }
    }

    async fn send(
        &self,
        server: &Server,
        method: &str,
        path: &str,
        authorization: &str,
        body: Option<String>,
    ) -> Reply {
        server.request(method, path, &self.headers(authorization), body).await
    }

    fn headers(&self, authorization: &str) -> Vec<(&'static str, String)> {
        let mut headers = vec![("authorization", authorization.to_owned())];
        match self.sdk {
            Sdk::Ios => {
                headers.push(("x-authsignal-sdk", "ios".into()));
                headers.push(("x-authsignal-version", "2.13.0".into()));
                headers.push(("x-authsignal-tenant-id", self.tenant.clone()));
                headers.push((
                    "user-agent",
                    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AuthsignalIOSSDK/2.13.0".into(),
                ));
            }
            Sdk::Android => {
                headers.push(("x-authsignal-sdk", "android".into()));
                headers.push(("x-authsignal-version", "4.3.0".into()));
                headers.push(("x-authsignal-tenant-id", self.tenant.clone()));
                headers.push((
                    "user-agent",
                    "Mozilla/5.0 (Linux; Android 14; Google Pixel 8) AuthsignalAndroidSDK/4.3.0".into(),
                ));
            }
            Sdk::Legacy => {}
        }
        headers
    }
}

/// A JSON string literal.
pub fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}
