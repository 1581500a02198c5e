//! T-24 and the strict reading of everything a phone sends.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use challenge::ChallengeId;
use challenge::id::{DeviceCode, InvalidId, MatchCode};
use challenge::keys::DeviceKey;
use challenge::messages::TypedCode;
use challenge::signature::{Signature, SignatureError};
use proptest::prelude::*;

use crate::support::*;

#[test]
fn t24_only_the_one_spelling_of_a_p256_key_is_taken() {
    let table = vectors(include_str!("../../vectors/spki.json"));
    let rows = table.as_array().expect("rows");
    assert!(rows.len() >= 50);
    for row in rows {
        let got = match DeviceKey::from_base64(text(row, "text")) {
            Ok(key) => {
                assert_eq!(key.to_base64(), text(row, "text"), "a key has one text");
                "ok".to_owned()
            }
            Err(error) => {
                assert_eq!(error.code(), "invalid_public_key");
                format!("{error:?}")
            }
        };
        assert_eq!(got, text(row, "expect"), "{}", row["name"]);
    }
}

#[test]
fn only_strict_der_is_a_signature() {
    let file = vectors(include_str!("../../vectors/der.json"));
    let rows = file["table"].as_array().expect("rows");
    assert!(rows.len() >= 40);
    for row in rows {
        let der = STANDARD.decode(text(row, "der")).expect("base64");
        let got = match Signature::from_der(&der) {
            Ok(signature) => {
                assert_eq!(signature.to_base64(), text(row, "der"), "a signature has one DER");
                assert_eq!(Signature::from_fixed(&signature.to_fixed()).as_ref(), Ok(&signature));
                "ok".to_owned()
            }
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(got, text(row, "expect"), "{}", row["name"]);
    }
}

#[test]
fn a_signature_in_range_still_needs_the_right_key_and_message() {
    let file = vectors(include_str!("../../vectors/der.json"));
    let key = DeviceKey::from_base64(text(&file, "publicKey")).expect("a key");
    for row in file["table"].as_array().expect("rows") {
        let honest = ["RFC 6979", "its twin"].contains(&text(row, "name"));
        if let Ok(signature) = Signature::from_base64(text(row, "der")) {
            let fits = key.verify(text(&file, "message").as_bytes(), &signature).is_ok();
            assert_eq!(fits, honest, "{}", row["name"]);
        }
    }
}

#[test]
fn base64_of_a_signature_is_strict() {
    let good = "MEUCIDOw33MnV1Eoxv6RnNa7k+e3rrq5+0mu+BiH2gTxrjAaAiEA4ylR3SpbHn1mh4116/CF2nNWSAIZmK5ZmKc32g2wrF0=";
    assert!(Signature::from_base64(good).is_ok());
    for (bad, error) in [
        (good.trim_end_matches('=').to_owned(), SignatureError::Encoding),
        (good.replace('+', "-").replace('/', "_"), SignatureError::Encoding),
        (good.replacen("MEU", " MEU", 1)[..96].to_owned(), SignatureError::Encoding),
        (good.replacen('M', "M\n", 1), SignatureError::Der),
        ("A".repeat(100_000), SignatureError::Der),
    ] {
        assert_eq!(Signature::from_base64(&bad), Err(error), "{bad:.40}");
    }
}

#[test]
fn t14_only_a_version_4_uuid_is_a_challenge_id() {
    let invalid = Err(InvalidId { what: "challenge id" });
    assert_eq!(ChallengeId::parse(ID).map(|id| id.to_string()), Ok(ID.to_owned()));
    let megabyte = "3".repeat(1_000_000);
    for text in [
        "",
        "2992401.0",
        "https://evil.example/?c=3a991a14-690c-492b-a5e5-02b9056a4b7d",
        "3A991A14-690C-492B-A5E5-02B9056A4B7D",
        "{3a991a14-690c-492b-a5e5-02b9056a4b7d}",
        "urn:uuid:3a991a14-690c-492b-a5e5-02b9056a4b7d",
        "3a991a14690c492ba5e502b9056a4b7d",
        " 3a991a14-690c-492b-a5e5-02b9056a4b7d",
        "3a991a14-690c-492b-a5e5-02b9056a4b7d\n",
        "3a991a14-690c-192b-a5e5-02b9056a4b7d",
        "3a991a14-690c-792b-a5e5-02b9056a4b7d",
        "3a991a14-690c-492b-c5e5-02b9056a4b7d",
        "3a991a14-690c-492b-a5e5-02b9056a4b7g",
        "3a991a1-4690c-492b-a5e5-02b9056a4b7d",
        "00000000-0000-0000-0000-000000000000",
        "stepup/v2/decide\niss=https://mfa.exa",
        megabyte.as_str(),
    ] {
        assert_eq!(ChallengeId::parse(text), invalid, "{text:.50}");
    }
    assert_eq!(InvalidId { what: "challenge id" }.code(), "invalid_challenge_id");
}

#[test]
fn t18_a_device_code_is_recognised_by_its_hash_alone() {
    let code = DeviceCode::from_random([0x42; 32]);
    let stored = serde_json::to_string(&code.hash()).expect("text");
    assert!(!stored.contains(&code.expose()));
    let hash: challenge::DeviceCodeHash = serde_json::from_str(&stored).expect("a hash");
    assert!(hash.matches(&DeviceCode::parse(&code.expose()).expect("its own text")));
    assert!(!hash.matches(&DeviceCode::from_random([0x43; 32])));
    for text in ["", "AA", &code.expose()[1..], &format!("{}=", code.expose()), &"A".repeat(100_000)] {
        assert!(DeviceCode::parse(text).is_err(), "{text:.50}");
    }
}

#[test]
fn typed_codes_are_digits() {
    for text in ["", "42", "12345678"] {
        assert!(TypedCode::parse(text).is_ok(), "{text}");
    }
    for text in ["4 2", "-1", "４２", "123456789", "42\n", "\ncode=1"] {
        assert!(TypedCode::parse(text).is_err(), "{text}");
        assert!(MatchCode::parse(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,200}") {
        let _ = DeviceKey::from_spki(&bytes);
        let _ = Signature::from_der(&bytes);
        let _ = DeviceKey::from_base64(&text);
        let _ = DeviceKey::from_query(&text);
        let _ = Signature::from_base64(&text);
        let _ = ChallengeId::parse(&text);
    }

    #[test]
    fn der_and_fixed_say_the_same(fixed in proptest::collection::vec(any::<u8>(), 64)) {
        if let Ok(signature) = Signature::from_fixed(&fixed) {
            prop_assert_eq!(Signature::from_der(&signature.to_der()), Ok(signature));
            prop_assert_eq!(signature.twin().twin(), signature);
            prop_assert!(signature.same_as(&signature.twin()));
            prop_assert_eq!(signature.r(), signature.twin().r());
        }
    }
}
