//! The shared vectors, made by other code than ours and read by other clients than this.

use challenge::keys::{DeviceKey, sha256};
use challenge::messages::{self, LineValue, PhoneNonce, RemovalWindow, ServerNonce, TerminalNonce};
use challenge::qr::RollingCode;
use challenge::signature::Signature;
use challenge::state::{Detail, Origin};
use challenge::terminal::{Channel, Terminal, Vouched};
use challenge::text::{LONGEST_LABEL, TextError, clean, show};
use challenge::{
    ActionCode, Challenge, ChallengeId, ClaimNonce, CredentialId, Decision, Draft, Issuer, TenantId, TerminalId,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::support::*;

fn key(value: &Value) -> DeviceKey {
    DeviceKey::from_base64(text(value, "publicKey")).expect("a key")
}

fn signature(value: &Value, name: &str) -> Signature {
    Signature::from_base64(text(value, name)).expect("a signature")
}

#[test]
fn compat_claims_verify_in_every_spelling_of_the_key() {
    let file = vectors(include_str!("../../vectors/compat.json"));
    let (json, signed) = (key(&file), signature(&file, "signature"));
    let id = ChallengeId::parse(text(&file, "message")).expect("an id");
    for spelling in ["queryIos", "queryAndroid"] {
        let key = DeviceKey::from_query(text(&file, spelling)).expect(spelling);
        assert!(key == json, "{spelling}");
    }
    assert!(json.verify(messages::compat(&id).as_bytes(), &signed).is_ok());
    assert!(json.verify(messages::compat(&id).as_bytes(), &signature(&file, "twin")).is_ok(), "high-s is accepted");
    assert!(signed.same_as(&signature(&file, "twin")));
    for bad in file["invalid"].as_array().expect("rows") {
        assert!(json.verify(text(bad, "message").as_bytes(), &signature(bad, "signature")).is_err(), "{}", bad["name"]);
    }
}

#[test]
fn phones_are_named_by_the_thumbprint_of_their_key() {
    for phone in vectors(include_str!("../../vectors/phones.json")).as_array().expect("rows") {
        assert_eq!(key(phone).thumbprint().to_base64url(), text(phone, "thumbprint"));
    }
}

#[test]
fn t15_removal_takes_the_current_window_and_its_neighbours() {
    let file = vectors(include_str!("../../vectors/removal.json"));
    let time = |row: &Value| Timestamp::from_second(row["unix"].as_i64().expect("seconds")).expect("a time");
    for row in file["windows"].as_array().expect("rows") {
        assert_eq!(RemovalWindow::at(time(row)).message(), text(row, "message"));
    }
    for row in file["signatures"].as_array().expect("rows") {
        let found = messages::verify_removal(&key(&file), &signature(row, "signature"), time(row));
        assert_eq!(found.is_ok(), row["valid"].as_bool().expect("a flag"), "{}", row["name"]);
        if let Ok(window) = found {
            assert_eq!(window.message(), text(row, "signed"));
        }
    }
}

#[test]
fn t10_every_message_is_built_as_written_and_verifies() {
    let file = vectors(include_str!("../../vectors/messages.json"));
    let cases = |of: &'static str| {
        let rows = file.pointer(of).and_then(|of| of["cases"].as_array()).expect("rows").clone();
        let signer = key(file.pointer(of).expect("a signer"));
        rows.into_iter().map(move |case| (signer.clone(), case))
    };
    let all: Vec<(DeviceKey, Value)> = cases("").chain(cases("/terminals")).collect();
    for (signer, case) in &all {
        let message = build(case);
        assert_eq!(message, text(case, "message"), "{}", case["name"]);
        for signed in ["signature", "twin"] {
            assert!(signer.verify(message.as_bytes(), &signature(case, signed)).is_ok(), "{}", case["name"]);
        }
        for (_, other) in all.iter().filter(|(_, other)| other != case) {
            let replayed = signer.verify(message.as_bytes(), &signature(other, "signature"));
            assert!(replayed.is_err(), "{} for {}", other["name"], case["name"]);
        }
    }
    let refused = &file["refused"];
    for bad in refused["messages"].as_array().expect("rows") {
        let verified = key(&file).verify(text(bad, "message").as_bytes(), &signature(refused, "signature"));
        assert!(verified.is_err(), "{}", bad["name"]);
    }
}

fn build(case: &Value) -> String {
    let inputs = &case["inputs"];
    let field = |name: &str| text(inputs, name).to_owned();
    let issuer = || Issuer::parse(field("issuer")).expect("an issuer");
    let tenant = || TenantId::parse(field("tenant")).expect("a tenant");
    let challenge = || ChallengeId::parse(&field("challenge")).expect("an id");
    let credential = || CredentialId::parse(field("credential")).expect("a credential");
    let server_nonce = || ServerNonce::parse(&field("nonce")).expect("a nonce");
    match text(case, "purpose") {
        "decide" => {
            use base64::Engine as _;
            let context = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(field("ctx")).expect("base64url");
            messages::decide(&messages::DecideMessage {
                issuer: &issuer(),
                tenant: &tenant(),
                challenge: &challenge(),
                credential: &credential(),
                claim: &ClaimNonce::parse(&field("claim")).expect("a nonce"),
                context: &context.try_into().expect("32 bytes"),
                decision: if field("decision") == "approve" { Decision::Approve } else { Decision::Reject },
                code: &code(&field("code")),
            })
        }
        "claim" => messages::claim(&messages::ClaimMessage {
            issuer: &issuer(),
            tenant: &tenant(),
            challenge: &challenge(),
            credential: &credential(),
            qr: RollingCode::parse(&field("qr")).ok().as_ref(),
            nonce: &PhoneNonce::parse(&field("nonce")).expect("a nonce"),
        }),
        "enroll" => messages::enroll(&messages::EnrollMessage {
            issuer: &issuer(),
            tenant: &tenant(),
            nonce: &server_nonce(),
            key: &key(inputs).thumbprint(),
            token: &field("token"),
        }),
        "remove" => messages::remove(&messages::RemoveMessage {
            issuer: &issuer(),
            tenant: &tenant(),
            credential: &credential(),
            nonce: &server_nonce(),
        }),
        "create" => {
            let token = inputs["token"].as_str().filter(|token| !token.is_empty());
            messages::create(&messages::CreateMessage {
                issuer: &issuer(),
                tenant: &tenant(),
                terminal: &TerminalId::parse(field("terminal")).expect("a terminal"),
                action: &ActionCode::parse(field("action")).expect("an action"),
                token: token.map(|token| sha256(token.as_bytes())).as_ref(),
                server: &ServerNonce::parse(&field("server")).expect("a nonce"),
                nonce: &TerminalNonce::parse(&field("nonce")).expect("a nonce"),
            })
        }
        "near" => messages::near(&messages::NearMessage {
            issuer: &issuer(),
            tenant: &tenant(),
            terminal: &TerminalId::parse(field("terminal")).expect("a terminal"),
            challenge: &challenge(),
            channel: Channel::parse(&field("channel")).expect("a channel"),
            nonce: &PhoneNonce::parse(&field("nonce")).expect("a nonce"),
        }),
        "auth" => messages::auth(&messages::AuthMessage {
            method: &LineValue::parse(&field("method")).expect("a method"),
            path: &LineValue::parse(&field("path")).expect("a path"),
            body: field("body").as_bytes(),
            nonce: &server_nonce(),
        }),
        other => panic!("unknown purpose {other}"),
    }
}

#[test]
fn no_message_value_can_begin_a_line() {
    for text in ["a\nb", "a\r", "a b", "ä", "a\0", "a%2f", "\"", "a,b"] {
        assert!(LineValue::parse(text).is_err(), "{text:?}");
        assert!(Issuer::parse(text).is_err(), "{text:?}");
        assert!(TenantId::parse(text).is_err(), "{text:?}");
        assert!(CredentialId::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn t12_the_context_is_frozen_byte_for_byte() {
    let file = vectors(include_str!("../../vectors/context.json"));
    for file in [&file, &file["terminal"]] {
        let from = &file["draft"];
        let details = |name: &str| -> Vec<Detail> {
            let rows = from[name].as_array().expect("rows").iter();
            rows.map(|row| Detail {
                field: row[0].as_str().expect("a field").to_owned(),
                value: row[1].as_str().expect("a value").to_owned(),
            })
            .collect()
        };
        let mut origin = from["origin"].clone();
        let terminal = origin.as_object_mut().and_then(|origin| origin.remove("terminal"));
        let draft = Draft {
            subject: challenge::Subject::Identified(user(text(from, "user"))),
            origin: serde_json::from_value::<Origin>(origin).expect("an origin"),
            custom: serde_json::from_str(text(from, "custom")).expect("custom data"),
            bind: details("bind"),
            show: details("show"),
            terminal: terminal.map(|terminal| some_terminal(text(&terminal, "id"), text(&terminal, "name"))),
            ..draft()
        };
        let made = text(from, "createdAt").parse().expect("a time");
        let challenge = Challenge::generate(draft, made).expect("a challenge");
        let context = &challenge.frozen().context;
        assert_eq!(std::str::from_utf8(context.as_bytes()).expect("text"), text(file, "text"));
        assert_eq!(context.to_base64url(), text(file, "context"));
        assert_eq!(context.hash_base64url(), text(file, "hash"));
        assert_eq!(stored(&challenge).frozen().context, *context);
    }
}

/// A terminal whose proof nobody will look at.
fn some_terminal(id: &str, name: &str) -> Terminal {
    let vouched = Vouched { server_nonce: String::new(), nonce: String::new(), signature: String::new() };
    let key = key(&vectors(include_str!("../../vectors/messages.json"))["terminals"]);
    Terminal { id: TerminalId::parse(id).expect("an id"), name: name.to_owned(), key, vouched }
}

#[test]
fn t13_shown_text_cannot_pose_as_other_text() {
    let table = vectors(include_str!("../../vectors/text.json"));
    for row in table.as_array().expect("rows") {
        let given = text(row, "text");
        let got = match show(given, LONGEST_LABEL) {
            Ok(shown) => {
                assert_eq!(shown.text, row["shown"].as_str().unwrap_or(given), "{}", row["name"]);
                if shown.mixed_script { "mixed" } else { "ok" }
            }
            Err(TextError::TooLong(_)) => "TooLong",
            Err(TextError::Control(_)) => "Control",
            Err(TextError::Bidi(_)) => "Bidi",
            Err(TextError::Invisible(_)) => "Invisible",
            Err(TextError::Marks) => "Marks",
        };
        assert_eq!(got, text(row, "expect"), "{}", row["name"]);
        let cleaned = clean(given);
        assert!(show(&cleaned, LONGEST_LABEL).is_ok(), "cleaning {} leaves {cleaned:?}", row["name"]);
    }
}
