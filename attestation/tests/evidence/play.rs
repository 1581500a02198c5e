//! Tokens made with keys of our own: right in all but one thing each.

use attestation::Refusal;
use attestation::play::{PlayFacts, PlayKeyError, PlayKeys, PlayRules, verify};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::at;
use crate::maker::{Console, oid, sequence, tlv};

const ASKED: &str = "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU";
const NOW: &str = "2026-03-01T00:00:00Z";

fn payload() -> Value {
    Console::payload(&format!("{ASKED}="), at(NOW).as_millisecond())
}

fn judge(console: &Console, token: &str) -> Result<PlayFacts, Refusal> {
    let keys = PlayKeys::from_base64(&console.decryption_key(), &console.verification_key()).expect("keys");
    verify(token, ASKED, &PlayRules { keys, packages: vec!["com.example.bank".to_owned()] }, at(NOW))
}

#[test]
fn a_token_of_the_operators_app_vouches_for_what_it_was_asked() {
    let console = Console::new();
    let facts = PlayFacts { app: "com.example.bank".to_owned(), device: vec!["MEETS_DEVICE_INTEGRITY".to_owned()] };
    assert_eq!(judge(&console, &console.good(&payload())), Ok(facts.clone()));
    // A standard request carries the text as it is.
    let mut standard = payload();
    standard["requestDetails"]["nonce"] = Value::Null;
    standard["requestDetails"]["requestHash"] = json!(ASKED);
    assert_eq!(judge(&console, &console.good(&standard)), Ok(facts));
}

#[test]
fn a_token_that_is_not_as_it_should_be_is_refused() {
    let console = Console::new();
    let changed = |pointer: &str, value: Value| {
        let mut payload = payload();
        *payload.pointer_mut(pointer).expect("a member") = value;
        console.good(&payload)
    };
    let at_ms = |text: &str| json!(at(text).as_millisecond().to_string());
    let good = console.good(&payload());
    let parts: Vec<&str> = good.split('.').collect();
    let with = |index: usize, part: &str| {
        let mut parts = parts.clone();
        parts[index] = part;
        parts.join(".")
    };
    let cases: Vec<(&str, String, Refusal)> = vec![
        ("another text", changed("/requestDetails/nonce", json!("AAAA")), Refusal::WrongChallenge),
        ("no text", changed("/requestDetails/nonce", Value::Null), Refusal::Malformed),
        (
            "another package",
            changed("/requestDetails/requestPackageName", json!("com.example.fake")),
            Refusal::OtherApp,
        ),
        (
            "another package that ran",
            changed("/appIntegrity/packageName", json!("com.example.fake")),
            Refusal::OtherApp,
        ),
        ("an old token", changed("/requestDetails/timestampMillis", at_ms("2026-02-28T23:49:59Z")), Refusal::NotFresh),
        (
            "a token of the future",
            changed("/requestDetails/timestampMillis", at_ms("2026-03-01T00:10:01Z")),
            Refusal::NotFresh,
        ),
        ("no time", changed("/requestDetails/timestampMillis", json!("soon")), Refusal::Malformed),
        (
            "an app that Play does not know",
            changed("/appIntegrity/appRecognitionVerdict", json!("UNRECOGNIZED_VERSION")),
            Refusal::NotRecognised,
        ),
        (
            "an emulator",
            changed("/deviceIntegrity/deviceRecognitionVerdict", json!(["MEETS_VIRTUAL_INTEGRITY"])),
            Refusal::NotRecognised,
        ),
        ("no verdict", changed("/deviceIntegrity/deviceRecognitionVerdict", json!([])), Refusal::NotRecognised),
        (
            "another encryption",
            console.token(&payload(), json!({"alg": "dir", "enc": "A256GCM"}), json!({"alg": "ES256"})),
            Refusal::WrongFormat,
        ),
        (
            "no signature algorithm",
            console.token(&payload(), json!({"alg": "A256KW", "enc": "A256GCM"}), json!({"alg": "none"})),
            Refusal::WrongFormat,
        ),
        ("another signer", Console::new().good(&payload()), Refusal::BadSignature),
        ("nothing", String::new(), Refusal::Malformed),
        ("a signed token in clear", parts[..3].join("."), Refusal::Malformed),
        ("a wrapped key of no length", with(1, ""), Refusal::BadSignature),
        ("a long wrapped key", with(1, &"A".repeat(400)), Refusal::BadSignature),
        ("a short iv", with(2, "AAAA"), Refusal::BadSignature),
        ("no text at all", with(3, ""), Refusal::BadSignature),
        ("no tag", with(4, ""), Refusal::BadSignature),
        (
            "another header",
            with(0, &URL_SAFE_NO_PAD.encode(r#"{"alg":"A256KW","enc":"A256GCM","zip":"DEF"}"#)),
            Refusal::BadSignature,
        ),
        ("a large token", "a".repeat(16 * 1024 + 1), Refusal::TooLarge),
    ];
    for (name, token, expected) in cases {
        assert_eq!(judge(&console, &token), Err(expected), "{name}");
    }
}

#[test]
fn keys_that_are_none_are_named() {
    let spki = |curve: &str| {
        let algorithm = sequence(&[oid("1.2.840.10045.2.1"), oid(curve)]);
        STANDARD.encode(sequence(&[algorithm, tlv(&[0x03], &[0, 4, 1, 2])]))
    };
    let key = Console::new().decryption_key();
    for (decryption, verification, expected) in [
        ("AAAA", spki("1.2.840.10045.3.1.7"), PlayKeyError::Decryption),
        ("?", spki("1.2.840.10045.3.1.7"), PlayKeyError::Decryption),
        (key.as_str(), spki("1.2.840.10045.3.1.7"), PlayKeyError::Verification),
        (key.as_str(), "AAAA".to_owned(), PlayKeyError::Verification),
    ] {
        assert_eq!(PlayKeys::from_base64(decryption, &verification).err(), Some(expected));
    }
}
