//! T-11, T-12, T-13 where they meet the challenge.

use challenge::context::ContextError;
use challenge::state::{Detail, Origin, OriginPlace};
use challenge::*;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

fn refused_at(draft: Draft) -> Option<String> {
    match Challenge::generate(draft, start()).err()? {
        state::DraftError::Context(ContextError::Text { pointer, .. } | ContextError::TooDeep { pointer }) => {
            Some(pointer)
        }
        state::DraftError::Context(ContextError::TooLong) => Some("too long".to_owned()),
        other => panic!("{other}"),
    }
}

#[test]
fn t12_a_flipped_bit_of_the_context_is_noticed() {
    let phone = Phone::ios(0, "u1");
    let challenge = generated();
    let claimed = moved(challenge.claim(&phone.credential, &phone.v2_claim(&challenge), at(1)));
    let bytes = claimed.frozen().context.as_bytes().to_vec();
    // Every bit is covered by the hash; a signature per byte would only measure the machine.
    for index in (0..bytes.len()).step_by(37) {
        let mut seen = bytes.clone();
        seen[index] ^= 1;
        let message = messages::decide(&messages::DecideMessage {
            issuer: &issuer(),
            tenant: &tenant(),
            challenge: &challenge_id(),
            credential: &phone.credential.id,
            claim: &nonce(),
            context: &keys::sha256(&seen),
            decision: Decision::Approve,
            code: &code(""),
        });
        let answer = claimed.approve(&phone.credential, &phone.v2_answer_over(&message, ""), at(2));
        assert_eq!(answer.err(), Some(AnswerError::BadSignature), "byte {index}");
    }
}

#[test]
fn t11_another_amount_is_another_context() {
    let detail = |value: &str| vec![Detail { field: "amount".to_owned(), value: value.to_owned() }];
    let hash = |value| {
        let draft = Draft { bind: detail(value), ..draft() };
        Challenge::generate(draft, start()).expect("a challenge").frozen().context.hash()
    };
    assert_ne!(hash("20.00 EUR"), hash("20.01 EUR"));
    assert_ne!(hash("20.00 EUR"), hash("20.0 EUR"));
    assert_eq!(hash("20.00 EUR"), hash("20.00 EUR"));
}

#[test]
fn t13_what_must_not_be_shown_is_refused_with_its_place() {
    let detail = |field: &str, value: &str| vec![Detail { field: field.to_owned(), value: value.to_owned() }];
    let custom = |value: Value| value.as_object().expect("an object").clone();
    let mut nested = json!("deep");
    for _ in 0..20 {
        nested = json!([nested]);
    }
    let long = json!({ "a": vec!["x".repeat(1000); 20] });
    for (draft, pointer) in [
        (Draft { bind: detail("payee", "eeL \u{202e}nnA"), ..draft() }, "/bind/payee"),
        (Draft { bind: detail("payee", &"x".repeat(141)), ..draft() }, "/bind/payee"),
        (Draft { show: detail("no\nte", "x"), ..draft() }, "/show/no\nte"),
        (Draft { custom: custom(json!({"a/b": {"c~d": ["x", "\u{200b}"]}})), ..draft() }, "/custom/a~1b/c~0d/1"),
        (Draft { custom: custom(json!({"\u{feff}": 1})), ..draft() }, "/custom/\u{feff}"),
        (Draft { custom: custom(json!({ "deep": nested })), ..draft() }, "/custom/deep/0/0/0/0/0/0/0/0"),
        (Draft { custom: custom(long), ..draft() }, "too long"),
        (Draft { subject: Subject::Identified(user("u\u{200b}1")), ..draft() }, "/user"),
    ] {
        assert_eq!(refused_at(draft).as_deref(), Some(pointer));
    }
    assert_eq!(refused_at(draft()), None);
}

#[test]
fn t13_what_the_browser_says_is_cleaned_not_refused() {
    let origin = Origin {
        ip: Some("::ffff:203.0.113.9".parse().expect("an address")),
        user_agent: Some(format!("Mozilla\u{202e}/5.0\n{}", "x".repeat(10_000))),
        device: Some("\u{200b}".to_owned()),
        place: Some(OriginPlace { country: None, region: None, city: Some("Orle\u{301}ans".to_owned()) }),
    };
    let challenge = Challenge::generate(Draft { origin, ..draft() }, start()).expect("a challenge");
    let context: Value = serde_json::from_slice(challenge.frozen().context.as_bytes()).expect("JSON");
    let origin = &context["origin"];
    assert_eq!(origin["ip"], "203.0.113.9");
    assert_eq!(origin["city"], "Orléans");
    assert_eq!(origin["device"], "");
    let agent = origin["userAgent"].as_str().expect("text");
    assert!(agent.starts_with("Mozilla/5.0x") && agent.ends_with('…') && agent.chars().count() == 140, "{agent}");
}

#[test]
fn the_context_says_everything_a_person_needs() {
    let context: Value = serde_json::from_slice(generated().frozen().context.as_bytes()).expect("JSON");
    for pointer in [
        "/action",
        "/idempotencyKey",
        "/user",
        "/origin/ip",
        "/origin/country",
        "/origin/city",
        "/origin/device",
        "/origin/userAgent",
        "/custom/payee",
        "/bind/0/value",
        "/createdAt",
        "/expiresAt",
        "/level",
        "/challenge",
        "/tenant",
    ] {
        assert!(context.pointer(pointer).is_some_and(|value| !value.is_null()), "{pointer} in {context}");
    }
    assert_eq!(context["custom"]["till"].to_string(), "12.50", "digits stay as they were sent");
    assert!(serde_json::from_slice::<Value>(anonymous().frozen().context.as_bytes()).expect("JSON")["user"].is_null());
}

proptest! {
    #[test]
    fn t13_cleaned_text_can_always_be_shown(text in any::<String>()) {
        let cleaned = text::clean(&text);
        prop_assert!(text::show(&cleaned, text::LONGEST_LABEL).is_ok(), "{:?} -> {:?}", text, cleaned);
        prop_assert_eq!(text::clean(&cleaned), cleaned);
    }

    #[test]
    fn t13_showing_is_idempotent(text in any::<String>()) {
        if let Ok(shown) = text::show(&text, text::LONGEST_LABEL) {
            prop_assert_eq!(text::show(&shown.text, text::LONGEST_LABEL), Ok(shown));
        }
    }
}
