//! Registered terminals: what they sign, what a claim beside one proves, and which rungs that reaches.

use challenge::assurance::{Acr, Link};
use challenge::messages::{self, PhoneNonce, ServerNonce, TerminalNonce};
use challenge::qr::RollingKey;
use challenge::terminal::{Channel, CreateAttempt, Near, NotVouched, Terminal};
use challenge::{
    ActionCode, Challenge, ClaimAttempt, ClaimError, ClaimProof, Decision, Draft, Issuer, TenantId, TerminalId,
};

use crate::support::*;

const PHONE_NONCE: [u8; 16] = [0xa5; 16];

/// Any device with a key can be a terminal.
fn kiosk() -> Phone {
    Phone::ios(3, "nobody")
}

/// What a terminal signs.
struct Says {
    issuer: Issuer,
    tenant: TenantId,
    terminal: TerminalId,
    action: ActionCode,
    token: Option<[u8; 32]>,
    server: ServerNonce,
    nonce: TerminalNonce,
}

/// The request of `kiosk-7`, though what is signed may be changed.
fn attempt(signer: &Phone, change: impl FnOnce(&mut Says)) -> CreateAttempt {
    let says = || Says {
        issuer: issuer(),
        tenant: tenant(),
        terminal: TerminalId::parse("kiosk-7").expect("an id"),
        action: draft().action,
        token: None,
        server: ServerNonce::from_random([1; 16]),
        nonce: TerminalNonce::from_random([2; 16]),
    };
    let mut signed = says();
    change(&mut signed);
    let signature = signer.sign(&messages::create(&messages::CreateMessage {
        issuer: &signed.issuer,
        tenant: &signed.tenant,
        terminal: &signed.terminal,
        action: &signed.action,
        token: signed.token.as_ref(),
        server: &signed.server,
        nonce: &signed.nonce,
    }));
    let Says { terminal, server, nonce, .. } = says();
    CreateAttempt { terminal, server_nonce: server, nonce, signature }
}

fn verified(attempt: &CreateAttempt, token: Option<&[u8; 32]>) -> Result<Terminal, NotVouched> {
    let (kiosk, issuer, tenant) = (kiosk(), issuer(), tenant());
    attempt.verify(("Kiosk 7", &kiosk.credential.key), (&issuer, &tenant), &draft().action, token)
}

fn at_the_kiosk() -> Challenge {
    let terminal = verified(&attempt(&kiosk(), |_| {}), None).expect("its own signature");
    Challenge::generate(Draft { terminal: Some(terminal), ..draft() }, start()).expect("a challenge")
}

fn rolling() -> RollingKey {
    RollingKey::derive(&[9; 32], &challenge_id())
}

/// What the kiosk says over its radio to whoever made up the nonce.
fn heard(signer: &Phone, challenge: &Challenge, channel: Channel, nonce: [u8; 16]) -> Near {
    let message = messages::near(&messages::NearMessage {
        issuer: &issuer(),
        tenant: &tenant(),
        terminal: &TerminalId::parse("kiosk-7").expect("an id"),
        challenge: &challenge.id(),
        channel,
        nonce: &PhoneNonce::from_random(nonce),
    });
    Near { channel, signature: signer.sign(&message) }
}

fn claim(phone: &Phone, challenge: &Challenge, scans: bool, near: Option<Near>) -> ClaimAttempt {
    let phone_nonce = PhoneNonce::from_random(PHONE_NONCE);
    let code = scans.then(|| rolling().code(0));
    let message = messages::claim(&messages::ClaimMessage {
        issuer: &issuer(),
        tenant: &tenant(),
        challenge: &challenge.id(),
        credential: &phone.credential.id,
        qr: code.as_ref(),
        nonce: &phone_nonce,
    });
    let rolling = code.map(|code| (rolling(), code));
    let proof = ClaimProof::V2 { issuer: issuer(), phone_nonce, rolling, near };
    ClaimAttempt { signature: phone.sign(&message), proof, nonce: nonce(), match_code: None }
}

fn approved(challenge: &Challenge, phone: &Phone, attempt: &ClaimAttempt) -> Challenge {
    let claimed = moved(challenge.claim(&phone.credential, attempt, at(1)));
    let answer = match attempt.proof {
        ClaimProof::Compat => phone.compat_answer(""),
        ClaimProof::V2 { .. } => phone.v2_answer(&claimed, Decision::Approve, ""),
    };
    moved(claimed.approve(&phone.credential, &answer, at(2)))
}

#[test]
fn a_terminal_is_whoever_signed_this_very_request_with_its_key() {
    let token = [7; 32];
    let terminal = verified(&attempt(&kiosk(), |_| {}), None).expect("its own signature");
    assert_eq!((terminal.id.as_str(), terminal.name.as_str()), ("kiosk-7", "Kiosk 7"));
    assert!(verified(&attempt(&kiosk(), |says| says.token = Some(token)), Some(&token)).is_ok());
    // Another key, the token of another request, none, or one where there is none.
    assert_eq!(verified(&attempt(&Phone::ios(2, "nobody"), |_| {}), None), Err(NotVouched));
    assert_eq!(verified(&attempt(&kiosk(), |says| says.token = Some(token)), Some(&[8; 32])), Err(NotVouched));
    assert_eq!(verified(&attempt(&kiosk(), |says| says.token = Some(token)), None), Err(NotVouched));
    assert_eq!(verified(&attempt(&kiosk(), |_| {}), Some(&token)), Err(NotVouched));

    let signed = [
        attempt(&kiosk(), |says| says.issuer = Issuer::parse("https://evil.example").expect("an issuer")),
        attempt(&kiosk(), |says| says.tenant = TenantId::parse("another").expect("a tenant")),
        attempt(&kiosk(), |says| says.action = ActionCode::parse("cash").expect("an action")),
        attempt(&kiosk(), |says| says.terminal = TerminalId::parse("kiosk-8").expect("an id")),
        attempt(&kiosk(), |says| says.server = ServerNonce::from_random([3; 16])),
        attempt(&kiosk(), |says| says.nonce = TerminalNonce::from_random([4; 16])),
    ];
    for (place, attempt) in signed.iter().enumerate() {
        assert_eq!(verified(attempt, None), Err(NotVouched), "field {place}");
    }
}

#[test]
fn the_phone_signs_which_terminal_it_stands_at() {
    let context: serde_json::Value =
        serde_json::from_slice(at_the_kiosk().frozen().context.as_bytes()).expect("a JSON text");
    assert_eq!(context["origin"]["terminal"], serde_json::json!({"id": "kiosk-7", "name": "Kiosk 7"}));
    let plain: serde_json::Value = serde_json::from_slice(generated().frozen().context.as_bytes()).expect("JSON");
    assert_eq!(plain["origin"].get("terminal"), None, "contexts of plain screens are as they were");
}

#[test]
fn each_rung_needs_all_that_it_names() {
    let phone = Phone::ios(0, "u1");
    let (plain, kiosk_shows) = (generated(), at_the_kiosk());
    let near = |challenge: &Challenge| heard(&kiosk(), challenge, Channel::Nfc, PHONE_NONCE);
    let cases = [
        (&plain, phone.compat_claim(), Acr::QrCompat),
        (&plain, claim(&phone, &plain, false, None), Acr::QrLinked),
        (&plain, claim(&phone, &plain, true, None), Acr::QrFresh),
        (&kiosk_shows, phone.compat_claim(), Acr::QrCompat),
        // The bare id may have been photographed an hour ago, whoever showed it.
        (&kiosk_shows, claim(&phone, &kiosk_shows, false, None), Acr::QrLinked),
        (&kiosk_shows, claim(&phone, &kiosk_shows, true, None), Acr::QrTrustedOrigin),
        (&kiosk_shows, claim(&phone, &kiosk_shows, true, Some(near(&kiosk_shows))), Acr::QrProximate),
        // What a radio says now is as fresh as a code; where the phone is tapped, nothing is scanned.
        (&kiosk_shows, claim(&phone, &kiosk_shows, false, Some(near(&kiosk_shows))), Acr::QrProximate),
    ];
    for (place, (challenge, attempt, acr)) in cases.iter().enumerate() {
        let worth = stored(&approved(challenge, &phone, attempt)).assurance().expect("approved");
        assert_eq!(worth.acr, *acr, "case {place}");
        let terminal = challenge.frozen().terminal.as_ref().map(|terminal| terminal.id.clone());
        assert_eq!(worth.terminal, terminal, "case {place}: said whichever way the phone signs");
        if *acr > Acr::QrCompat {
            assert_eq!(worth.link, Link::Signed);
        }
    }
}

#[test]
fn only_what_this_terminal_said_to_this_claim_is_proximity() {
    let phone = Phone::ios(0, "u1");
    let challenge = at_the_kiosk();
    let right = heard(&kiosk(), &challenge, Channel::Ble, PHONE_NONCE);
    let other_challenge = Challenge::generate(
        Draft {
            id: challenge::ChallengeId::from_random([5; 16]),
            terminal: challenge.frozen().terminal.clone(),
            ..draft()
        },
        start(),
    )
    .expect("a challenge");
    let cases = [
        ("another terminal's key", heard(&Phone::ios(2, "nobody"), &challenge, Channel::Ble, PHONE_NONCE)),
        ("the phone's own key", heard(&phone, &challenge, Channel::Ble, PHONE_NONCE)),
        ("said to another claim", heard(&kiosk(), &challenge, Channel::Ble, [0xa6; 16])),
        ("said of another challenge", heard(&kiosk(), &other_challenge, Channel::Ble, PHONE_NONCE)),
        ("another radio than it was", Near { channel: Channel::Nfc, ..right.clone() }),
    ];
    for (name, near) in cases {
        let refused = challenge.claim(&phone.credential, &claim(&phone, &challenge, true, Some(near)), at(1));
        assert_eq!(refused.err(), Some(ClaimError::InvalidProximity), "{name}");
    }
    assert_eq!(ClaimError::InvalidProximity.code(), "invalid_proximity");

    // A screen that is no terminal is near nothing, whoever signs.
    let plain = generated();
    let near = heard(&kiosk(), &plain, Channel::Ble, PHONE_NONCE);
    let refused = plain.claim(&phone.credential, &claim(&phone, &plain, true, Some(near)), at(1));
    assert_eq!(refused.err(), Some(ClaimError::InvalidProximity));

    let claimed = moved(challenge.claim(&phone.credential, &claim(&phone, &challenge, true, Some(right)), at(1)));
    assert_eq!(claim_of(&stored(&claimed)).near, Some(Channel::Ble));
}

#[test]
fn a_challenge_from_before_terminals_is_still_read() {
    let before = generated();
    let (frozen, state) = (before.frozen_text().expect("a text"), before.state_text().expect("a text"));
    assert!(!frozen.contains("terminal"), "{frozen}");
    assert_eq!(Challenge::from_texts(&frozen, &state, 0).expect("readable").frozen().terminal, None);
    let claimed = moved(before.claim(&Phone::ios(0, "u1").credential, &Phone::ios(0, "u1").compat_claim(), at(1)));
    assert!(!claimed.state_text().expect("a text").contains("near"));
}
