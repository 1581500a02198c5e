//! The signature of a webhook, as the field's SDKs verify it.
//!
//! `X-Signature-V2: t=<unix seconds>,v2=<signature>[,v2=<signature>]`, where a signature is the base64 (standard alphabet,
//! without padding) of HMAC-SHA256 over `<t>.<body>` under the secret's text. One for each secret in use: a receiver takes
//! the webhook if any of them fits, so that a secret is changed without a gap.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::Timestamp;

use crate::auth::Secret;

/// The header's name.
pub const HEADER: &str = "x-signature-v2";

/// The keys of an endpoint's secrets.
pub struct SigningKeys(Vec<hmac::Key>);

impl SigningKeys {
    /// The keys of these secrets, the newest first.
    pub fn new(secrets: &[Secret]) -> SigningKeys {
        SigningKeys(
            secrets.iter().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())).collect(),
        )
    }

    /// The header's value for this body, sent at this time.
    pub fn header(&self, body: &[u8], at: Timestamp) -> String {
        let t = at.as_second();
        let mut header = format!("t={t}");
        for key in &self.0 {
            let mut context = hmac::Context::with_key(key);
            context.update(format!("{t}.").as_bytes());
            context.update(body);
            header.push_str(",v2=");
            STANDARD_NO_PAD.encode_string(context.sign(), &mut header);
        }
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_vectors_hold() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../../challenge/vectors/webhook.json")).expect("JSON");
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        let rows = file["signed"].as_array().expect("rows");
        assert!(rows.len() >= 3);
        for row in rows {
            let secrets: Vec<Secret> = row["secrets"]
                .as_array()
                .expect("secrets")
                .iter()
                .map(|secret| Secret::parse(&text(secret)).expect("a secret"))
                .collect();
            let at = Timestamp::from_second(row["t"].as_i64().expect("seconds")).expect("a time");
            let header = SigningKeys::new(&secrets).header(text(&row["body"]).as_bytes(), at);
            assert_eq!(header, text(&row["header"]), "{}", row["name"]);
            assert!(!header.contains("=="), "padding is removed");
        }
    }
}
