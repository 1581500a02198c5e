//! T-02: the rolling code, and what a phone checks before any network call.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use challenge::assurance::Acr;
use challenge::messages::{self, PhoneNonce};
use challenge::qr::{self, QrError, QrPublicKey, QrSigningKey, RollingCode, RollingKey, StaleQr};
use challenge::state::Freshness;
use challenge::{ClaimAttempt, ClaimError, ClaimProof, Decision, Issuer};

use crate::support::*;

fn rolling() -> RollingKey {
    RollingKey::derive(&[9; 32], &challenge_id())
}

fn signing() -> QrSigningKey {
    let file = vectors(include_str!("../../vectors/qr.json"));
    let der = STANDARD.decode(text(&file, "pkcs8")).expect("base64");
    QrSigningKey::from_pkcs8(3, &der).expect("a key")
}

fn url(step: u16) -> String {
    signing().sign(&challenge_id(), at(120), 0).expect("a signature").url(&issuer(), &rolling(), step)
}

#[test]
fn the_signed_payload_is_the_vector() {
    let file = vectors(include_str!("../../vectors/qr.json"));
    assert_eq!(url(2), text(&file, "url"));
    assert_eq!(url(2).rsplit('/').next().map(str::len), Some(130));
    assert_eq!(URL_SAFE_NO_PAD.encode(signing().public().bytes), text(&file, "publicKey"));
    for (step, code) in file["codes"].as_object().expect("codes") {
        let code = RollingCode::parse(code.as_str().expect("a code")).expect("a code");
        assert!(rolling().code(step.parse().expect("a step")) == code, "step {step}");
    }
    let scanned = qr::verify(&url(2), &issuer(), &[signing().public()], at(30)).expect("our own code");
    assert_eq!((scanned.challenge, scanned.step, scanned.flags), (challenge_id(), 2, 0));
    assert!(scanned.code == rolling().code(2));
}

#[test]
fn t02_a_code_lives_for_its_step_and_the_next() {
    let captured = rolling().code(qr::step_at(start(), at(0)));
    for (ms, result) in [
        (0, Ok(())),
        (14_000, Ok(())),
        (15_000, Ok(())),
        (29_999, Ok(())),
        (30_000, Err(StaleQr)),
        (31_000, Err(StaleQr)),
        (119_000, Err(StaleQr)),
    ] {
        assert_eq!(rolling().check(&captured, start(), at_ms(ms)), result, "after {ms} ms");
    }
    let future = rolling().code(3);
    assert_eq!(rolling().check(&future, start(), at(29)), Err(StaleQr), "a code that is not on the screen yet");
    let other = RollingKey::derive(&[8; 32], &challenge_id()).code(0);
    assert_eq!(rolling().check(&other, start(), at(0)), Err(StaleQr), "another server's code");
}

#[test]
fn t02_a_claim_with_a_stale_code_is_refused_and_with_a_fresh_one_is_fresh() {
    let phone = Phone::ios(0, "u1");
    let attempt = |code: RollingCode| {
        let phone_nonce = PhoneNonce::from_random([1; 16]);
        let message = messages::claim(&messages::ClaimMessage {
            issuer: &issuer(),
            tenant: &tenant(),
            challenge: &challenge_id(),
            credential: &phone.credential.id,
            qr: Some(&code),
            nonce: &phone_nonce,
        });
        let proof = ClaimProof::V2 { issuer: issuer(), phone_nonce, rolling: Some((rolling(), code)), near: None };
        ClaimAttempt { signature: phone.sign(&message), proof, nonce: nonce(), match_code: None }
    };
    let challenge = generated();
    let scanned = attempt(rolling().code(0));
    assert_eq!(challenge.claim(&phone.credential, &scanned, at(31)).err(), Some(ClaimError::QrStale));
    assert_eq!(ClaimError::QrStale.code(), "qr_stale");
    let claimed = moved(challenge.claim(&phone.credential, &scanned, at(14)));
    assert_eq!(claim_of(&claimed).freshness, Freshness::Rolling);
    let answer = phone.v2_answer(&claimed, Decision::Approve, "");
    let approved = moved(claimed.approve(&phone.credential, &answer, at(20)));
    assert_eq!(approved.assurance().map(|assurance| assurance.acr), Some(Acr::QrFresh));
    let again = claimed.claim(&phone.credential, &scanned, at(60)).expect("the claimer may ask again later");
    assert_eq!(again.next.version(), claimed.version());
}

#[test]
fn a_phone_refuses_foreign_forged_and_expired_codes() {
    let pinned = [signing().public()];
    let refused = |url: &str, now| qr::verify(url, &issuer(), &pinned, now).err();
    assert_eq!(refused(&url(0), at(119)), None);
    assert_eq!(refused(&url(0), at(120)), Some(QrError::Expired));
    assert_eq!(refused(&url(0).replace("example.com", "example.org"), at(0)), Some(QrError::OtherIssuer));
    assert_eq!(refused(&url(0).replace("https", "http"), at(0)), Some(QrError::OtherIssuer));
    assert_eq!(refused(&url(0).replace(".com/q/", ".com.evil.example/q/"), at(0)), Some(QrError::OtherIssuer));
    assert_eq!(refused(ID, at(0)), Some(QrError::OtherIssuer));
    assert_eq!(refused("https://mfa.example.com/q/", at(0)), Some(QrError::Malformed));
    assert_eq!(refused(&format!("{}AA", url(0)), at(0)), Some(QrError::Malformed));
    assert_eq!(
        refused(&format!("https://mfa.example.com/q/{}", "A".repeat(1_000_000)), at(0)),
        Some(QrError::Malformed)
    );
    let other = [QrPublicKey { kid: 4, ..signing().public() }];
    assert_eq!(qr::verify(&url(0), &issuer(), &other, at(0)).err(), Some(QrError::UnknownKey));
    let wrong = [QrPublicKey { kid: 3, bytes: vec![1; 32] }];
    assert_eq!(qr::verify(&url(0), &issuer(), &wrong, at(0)).err(), Some(QrError::BadSignature));
    let garbage = [QrPublicKey { kid: 3, bytes: vec![] }];
    assert_eq!(qr::verify(&url(0), &issuer(), &garbage, at(0)).err(), Some(QrError::BadSignature));
}

#[test]
fn a_payload_of_another_version_is_not_read() {
    use aws_lc_rs::signature::Ed25519KeyPair;
    let file = vectors(include_str!("../../vectors/qr.json"));
    let der = STANDARD.decode(text(&file, "pkcs8")).expect("base64");
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).expect("a key");
    for (version, result) in [(1, None), (0, Some(QrError::Malformed)), (2, Some(QrError::Malformed))] {
        let payload = url(0).rsplit('/').next().map(|text| URL_SAFE_NO_PAD.decode(text).expect("base64url"));
        let mut payload = payload.expect("a payload");
        payload[0] = version;
        let signature = pair.sign(&payload[..23]);
        payload[23..87].copy_from_slice(signature.as_ref());
        let url = format!("https://mfa.example.com/q/{}", URL_SAFE_NO_PAD.encode(payload));
        assert_eq!(qr::verify(&url, &issuer(), &[signing().public()], at(0)).err(), result, "version {version}");
    }
}

#[test]
fn every_signed_byte_of_the_payload_is_signed() {
    let payload =
        url(0).rsplit('/').next().map(|text| URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("a payload");
    for index in 0..payload.len() {
        let mut changed = payload.clone();
        changed[index] ^= 1;
        let changed = format!("https://mfa.example.com/q/{}", URL_SAFE_NO_PAD.encode(changed));
        let verified = qr::verify(&changed, &issuer(), &[signing().public()], at(0));
        assert_eq!(verified.is_ok(), index >= 87, "byte {index}: only step and code roll");
    }
}

#[test]
fn the_page_url_carries_the_id_in_its_fragment() {
    let url = |base: &str| qr::page_url(&Issuer::parse(base).expect("an issuer"), &challenge_id());
    assert_eq!(url("https://mfa.example.com"), format!("https://mfa.example.com/authenticator#c={ID}"));
    assert_eq!(url("http://127.0.0.1:8080/"), format!("http://127.0.0.1:8080/authenticator#c={ID}"));
    assert_eq!(qr::compat_text(&challenge_id()), ID);
}
