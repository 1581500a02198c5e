//! The state machine, threat by threat.

use challenge::assurance::{Acr, Amr, Link};
use challenge::retire::{ExpireError, SupersedeError};
use challenge::state::{Kind, Rejection, Supersession};
use challenge::*;
use jiff::Timestamp;

use crate::support::*;

fn claimed_by(phone: &Phone) -> Challenge {
    moved(generated().claim(&phone.credential, &phone.compat_claim(), at(1)))
}

fn v2_claimed_by(phone: &Phone) -> Challenge {
    let challenge = generated();
    moved(challenge.claim(&phone.credential, &phone.v2_claim(&challenge), at(1)))
}

fn claimed_with_code(phone: &Phone, attempt: ClaimAttempt) -> Challenge {
    let attempt = ClaimAttempt { match_code: Some(MatchCode::parse("42").expect("digits")), ..attempt };
    moved(generated().claim(&phone.credential, &attempt, at(1)))
}

fn claim_error(challenge: &Challenge, phone: &Phone, now: Timestamp) -> Option<ClaimError> {
    challenge.claim(&phone.credential, &phone.compat_claim(), now).err()
}

fn approve_error(challenge: &Challenge, phone: &Phone, now: Timestamp) -> Option<AnswerError> {
    challenge.approve(&phone.credential, &phone.compat_answer(""), now).err()
}

#[test]
fn a_stock_phone_claims_and_approves() {
    let phone = Phone::ios(0, "u1");
    let claimed = claimed_by(&phone);
    assert_eq!((claimed.state().name(), claimed.state().wire_name()), ("claimed", "claimed"));
    assert_eq!(generated().state().wire_name(), "unclaimed");
    let approved = moved(claimed.approve(&phone.credential, &phone.compat_answer(""), at(2)));
    assert_eq!((approved.state().name(), approved.version()), ("approved", 2));
    let assurance = approved.assurance().expect("an approval");
    assert_eq!((assurance.acr, assurance.link, assurance.sca), (Acr::QrCompat, Link::Server, false));
    assert_eq!(assurance.amr, [Amr::Swk]);
}

#[test]
fn an_approval_with_nothing_to_bind_is_linked_to_nothing() {
    let phone = Phone::ios(0, "u1");
    let challenge = Challenge::generate(Draft { bind: vec![], ..draft() }, start()).expect("a challenge");
    let claimed = moved(challenge.claim(&phone.credential, &phone.compat_claim(), at(1)));
    let approved = moved(claimed.approve(&phone.credential, &phone.compat_answer(""), at(2)));
    assert_eq!(approved.assurance().map(|assurance| assurance.link), Some(Link::None));
}

#[test]
fn a_version_2_phone_claims_and_approves_what_it_saw() {
    let phone = Phone::new(0, "u1", Platform::Other);
    let claimed = v2_claimed_by(&phone);
    let answer = phone.v2_answer(&claimed, Decision::Approve, "");
    let approved = moved(claimed.approve(&phone.credential, &answer, at(2)));
    let assurance = approved.assurance().expect("an approval");
    assert_eq!((assurance.acr, assurance.link), (Acr::QrLinked, Link::Signed));
}

#[test]
fn t03_the_second_phone_is_told_that_it_lost() {
    let (first, second) = (Phone::ios(0, "u1"), Phone::ios(1, "u1"));
    let claimed = claimed_by(&first);
    assert_eq!(claim_error(&claimed, &second, at(2)), Some(ClaimError::AlreadyClaimed));
    assert_eq!(ClaimError::AlreadyClaimed.code(), "challenge_already_claimed");
}

#[test]
fn t04_nobody_approves_without_a_claim_or_with_another_credential() {
    let (first, second) = (Phone::ios(0, "u1"), Phone::ios(1, "u1"));
    assert_eq!(approve_error(&generated(), &first, at(1)), Some(AnswerError::NotClaimed));
    assert_eq!(approve_error(&claimed_by(&first), &second, at(2)), Some(AnswerError::NotClaimer));
    assert_eq!(AnswerError::NotClaimed.code(), "challenge_not_claimed");
    assert_eq!(AnswerError::NotClaimer.code(), "not_claimer");
    let declined = generated().reject(&first.credential, &first.compat_answer(""), at(1));
    assert_eq!(declined.err(), Some(AnswerError::NotClaimed));
}

#[test]
fn t05_another_users_phone_neither_claims_nor_approves() {
    let (mine, theirs) = (Phone::ios(0, "u1"), Phone::ios(1, "u2"));
    assert_eq!(claim_error(&generated(), &theirs, at(1)), Some(ClaimError::WrongUser));
    let moved_on = Phone::ios(0, "u2");
    assert_eq!(approve_error(&claimed_by(&mine), &moved_on, at(2)), Some(AnswerError::WrongUser));
    assert_eq!((ClaimError::WrongUser.code(), AnswerError::WrongUser.code()), ("wrong_user", "wrong_user"));
}

#[test]
fn t06_an_anonymous_claim_binds_the_user_for_good() {
    let phone = Phone::ios(0, "u9");
    assert_eq!(anonymous().user(), None);
    let claimed = moved(anonymous().claim(&phone.credential, &phone.compat_claim(), at(1)));
    assert_eq!(claimed.user(), Some(&user("u9")));
    let moved_on = Phone::ios(0, "u2");
    assert_eq!(approve_error(&claimed, &moved_on, at(2)), Some(AnswerError::WrongUser));
    assert_eq!(claim_error(&claimed, &moved_on, at(2)), Some(ClaimError::WrongUser));

    let other_nonce = ClaimNonce::from_random([0xff; 16]);
    let again = ClaimAttempt { nonce: other_nonce, ..phone.compat_claim() };
    let repeated = claimed.claim(&phone.credential, &again, at(3)).expect("the claimer may ask again");
    assert_eq!(repeated.effect, Effect::Repeated);
    assert!(claim_of(&repeated.next).nonce.matches(&nonce()), "the first nonce stays");
}

#[test]
fn t07_the_last_instant_is_one_nanosecond_before_expiry() {
    let phone = Phone::ios(0, "u1");
    for (now, in_time) in
        [(at_ms(119_999), true), (at_ms(120_000), false), (at_ms(120_001), false), (at(600_000), false)]
    {
        assert_eq!(claim_error(&generated(), &phone, now), (!in_time).then_some(ClaimError::Expired), "claim at {now}");
        let claimed = claimed_by(&phone);
        assert_eq!(
            approve_error(&claimed, &phone, now),
            (!in_time).then_some(AnswerError::Expired),
            "approve at {now}"
        );
        assert_eq!(claimed.is_open_at(now), in_time);
        let expired = claimed.expire(now);
        assert_eq!(expired.err(), in_time.then_some(ExpireError::StillOpen), "expire at {now}");
    }
    assert_eq!((ClaimError::Expired.code(), AnswerError::Expired.code()), ("challenge_expired", "challenge_expired"));
}

#[test]
fn t08_the_same_answer_again_is_the_same_answer() {
    let phone = Phone::ios(0, "u1");
    let claimed = claimed_by(&phone);
    let answer = phone.compat_answer("");
    let approved = moved(claimed.approve(&phone.credential, &answer, at(2)));
    for second in 3..1000 {
        let repeated = approved.approve(&phone.credential, &answer, at(second)).expect("the same answer");
        assert_eq!((repeated.effect, repeated.next.version()), (Effect::Repeated, approved.version()));
    }
    let declined = approved.reject(&phone.credential, &phone.compat_answer(""), at(3));
    assert_eq!(declined.err(), Some(AnswerError::AlreadyAnswered));

    let rejected = moved(claimed.reject(&phone.credential, &phone.compat_answer(""), at(2)));
    assert_eq!(approve_error(&rejected, &phone, at(3)), Some(AnswerError::AlreadyAnswered));
    let repeated = rejected.reject(&phone.credential, &phone.compat_answer(""), at(4)).expect("the same answer");
    assert_eq!(repeated.effect, Effect::Repeated);
    assert_eq!(claim_error(&rejected, &phone, at(3)), Some(ClaimError::AlreadyClaimed));
}

#[test]
fn t09_a_claims_signature_and_its_twin_do_not_approve() {
    for platform in [Platform::Ios, Platform::Android] {
        let phone = Phone::new(0, "u1", platform);
        let captured = phone.compat_claim();
        let claimed = moved(generated().claim(&phone.credential, &captured, at(1)));
        for signature in [captured.signature, captured.signature.twin()] {
            let replay = compat_answer_with(signature, "");
            for answer in
                [claimed.approve(&phone.credential, &replay, at(2)), claimed.reject(&phone.credential, &replay, at(2))]
            {
                assert_eq!(answer.err(), Some(AnswerError::SignatureReused));
            }
        }
    }
    assert_eq!(AnswerError::SignatureReused.code(), "signature_reused");
}

#[test]
fn t09_no_signature_of_a_repeated_claim_approves_either() {
    let phone = Phone::ios(0, "u1");
    let second = phone.compat_claim();
    let claimed = claimed_by(&phone);
    let repeated = claimed.claim(&phone.credential, &second, at(2)).expect("the claimer may ask again");
    assert_eq!(repeated.effect, Effect::Repeated);
    assert_ne!(repeated.next.version(), claimed.version(), "the store must keep what was spent");
    let replay = compat_answer_with(second.signature, "");
    let answer = stored(&repeated.next).approve(&phone.credential, &replay, at(3));
    assert_eq!(answer.err(), Some(AnswerError::SignatureReused));

    let identical = repeated.next.claim(&phone.credential, &second, at(3)).expect("the same request");
    assert_eq!(identical.next.version(), repeated.next.version(), "nothing new to keep");
}

#[test]
fn t09_what_was_spent_is_bounded() {
    let phone = Phone::ios(0, "u1");
    let mut challenge = claimed_by(&phone);
    let refused = (0..100).find_map(|_| match challenge.claim(&phone.credential, &phone.compat_claim(), at(2)) {
        Ok(repeated) => {
            challenge = repeated.next;
            None
        }
        Err(error) => Some(error),
    });
    assert_eq!(refused, Some(ClaimError::TooManyClaims));
    assert_eq!(claim_of(&challenge).spent.len(), 16);
    assert_eq!(approve_error(&challenge, &phone, at(3)), None, "the honest answer still counts");
}

#[test]
fn t09_a_deterministic_signer_is_taken_at_its_lowest_worth() {
    let mut phone = Phone::new(0, "u1", Platform::Other);
    phone.credential.protection = KeyProtection::Hardware { unlock: credential::Unlock::Biometric };
    let claim = phone.compat_claim();
    let claimed = moved(generated().claim(&phone.credential, &claim, at(1)));
    let same = moved(claimed.approve(&phone.credential, &compat_answer_with(claim.signature, ""), at(2)));
    let State::Approved { answer, .. } = same.state() else { panic!("not approved") };
    assert!(answer.repeats_claim);
    let assurance = same.assurance().expect("an approval");
    assert_eq!((assurance.acr, assurance.sca, assurance.amr), (Acr::QrCompat, false, vec![Amr::Swk]));

    let fresh = moved(claimed.approve(&phone.credential, &phone.compat_answer(""), at(2)));
    let assurance = fresh.assurance().expect("an approval");
    assert_eq!((assurance.sca, assurance.amr), (true, vec![Amr::Hwk, Amr::Bio]));
}

#[test]
fn t10_every_field_of_a_decision_is_signed() {
    let phone = Phone::ios(0, "u1");
    let claimed = claimed_with_code(&phone, phone.v2_claim(&generated()));
    let right = messages::decide(&messages::DecideMessage {
        issuer: &issuer(),
        tenant: &tenant(),
        challenge: &challenge_id(),
        credential: &phone.credential.id,
        claim: &nonce(),
        context: &claimed.frozen().context.hash(),
        decision: Decision::Approve,
        code: &code("42"),
    });
    let lines: Vec<&str> = right.lines().collect();
    assert_eq!(lines.len(), 9);
    for (index, line) in lines.iter().enumerate() {
        let mut changed = lines.clone();
        let (last, other) = (line.chars().last(), format!("{}x", &line[..line.len() - 1]));
        assert_ne!(last, Some('x'));
        changed[index] = &other;
        let message = format!("{}\n", changed.join("\n"));
        let answer = claimed.approve(&phone.credential, &phone.v2_answer_over(&message, "42"), at(2));
        assert_eq!(answer.err(), Some(AnswerError::BadSignature), "signed `{other}`");
    }
    let honest = moved(claimed.approve(&phone.credential, &phone.v2_answer_over(&right, "42"), at(2)));
    assert_eq!(honest.state().name(), "approved");
}

#[test]
fn t10_a_signature_means_only_what_it_says() {
    let phone = Phone::ios(0, "u1");
    let claimed = v2_claimed_by(&phone);
    let reject = phone.v2_answer(&claimed, Decision::Reject, "");
    assert_eq!(claimed.approve(&phone.credential, &reject, at(2)).err(), Some(AnswerError::BadSignature));
    let typed_otherwise = AnswerAttempt { code: code("1"), ..phone.v2_answer(&claimed, Decision::Approve, "") };
    assert_eq!(claimed.approve(&phone.credential, &typed_otherwise, at(2)).err(), Some(AnswerError::BadSignature));
    let compat = AnswerAttempt { proof: AnswerProof::V2 { issuer: issuer() }, ..phone.compat_answer("") };
    assert_eq!(claimed.approve(&phone.credential, &compat, at(2)).err(), Some(AnswerError::BadSignature));
    let claim = AnswerAttempt { signature: phone.v2_claim(&claimed).signature, ..reject };
    assert_eq!(claimed.approve(&phone.credential, &claim, at(2)).err(), Some(AnswerError::BadSignature));
    let other_issuer = AnswerAttempt {
        proof: AnswerProof::V2 { issuer: Issuer::parse("https://mfa.example.org").expect("an issuer") },
        ..phone.v2_answer(&claimed, Decision::Approve, "")
    };
    assert_eq!(claimed.approve(&phone.credential, &other_issuer, at(2)).err(), Some(AnswerError::BadSignature));
}

#[test]
fn t10_a_claim_means_only_what_it_says() {
    let (phone, other) = (Phone::ios(0, "u1"), Phone::ios(1, "u1"));
    let challenge = generated();
    for (attempt, what) in [
        (compat_claim_with(other.sign(ID)), "another key"),
        (compat_claim_with(phone.sign("3a991a14-690c-492b-a5e5-02b9056a4b7e")), "another challenge"),
        (compat_claim_with(phone.sign("2992401.0")), "a removal"),
        (compat_claim_with(phone.v2_claim(&challenge).signature), "a version 2 claim"),
        (ClaimAttempt { signature: phone.sign(ID), ..phone.v2_claim(&challenge) }, "a compat claim for version 2"),
    ] {
        assert_eq!(challenge.claim(&phone.credential, &attempt, at(1)).err(), Some(ClaimError::BadSignature), "{what}");
    }
}

#[test]
fn t10_the_way_of_signing_is_never_guessed() {
    let phone = Phone::ios(0, "u1");
    let compat = claimed_by(&phone);
    let v2 = v2_claimed_by(&phone);
    let answer = phone.v2_answer(&compat, Decision::Approve, "");
    assert_eq!(compat.approve(&phone.credential, &answer, at(2)).err(), Some(AnswerError::ProtocolMismatch));
    assert_eq!(approve_error(&v2, &phone, at(2)), Some(AnswerError::ProtocolMismatch));
    assert_eq!(claim_error(&v2, &phone, at(2)), Some(ClaimError::AlreadyClaimed));

    let strict =
        Challenge::generate(Draft { minimum_protocol: Protocol::V2, ..draft() }, start()).expect("a challenge");
    assert_eq!(claim_error(&strict, &phone, at(1)), Some(ClaimError::ProtocolTooOld));
    assert!(strict.claim(&phone.credential, &phone.v2_claim(&strict), at(1)).is_ok());
}

#[test]
fn t11_a_changed_action_ends_its_challenge() {
    let phone = Phone::ios(0, "u1");
    for challenge in [generated(), claimed_by(&phone)] {
        let ended = moved(challenge.supersede(Supersession::ActionChanged, at(2)));
        assert_eq!(claim_error(&ended, &phone, at(3)), Some(ClaimError::Superseded));
        assert_eq!(approve_error(&ended, &phone, at(3)), Some(AnswerError::Superseded));
        let again = ended.supersede(Supersession::Cancelled, at(3)).expect("the same end");
        assert_eq!((again.effect, again.next.version()), (Effect::Repeated, ended.version()));
        assert_eq!(ended.expire(at(500)).err(), Some(ExpireError::Ended));
    }
}

#[test]
fn a_newer_qr_retires_only_an_unclaimed_one() {
    let phone = Phone::ios(0, "u1");
    let claimed = claimed_by(&phone);
    assert_eq!(claimed.supersede(Supersession::Refreshed, at(2)).err(), Some(SupersedeError::Claimed));
    assert_eq!(moved(generated().supersede(Supersession::Refreshed, at(2))).state().name(), "superseded");
    assert_eq!(generated().supersede(Supersession::Cancelled, at(120)).err(), Some(SupersedeError::Expired));
    let approved = moved(claimed.approve(&phone.credential, &phone.compat_answer(""), at(2)));
    assert_eq!(approved.supersede(Supersession::Cancelled, at(3)).err(), Some(SupersedeError::Ended));
    assert_eq!(approved.expire(at(500)).err(), Some(ExpireError::Ended));
}

#[test]
fn an_expired_challenge_stays_expired() {
    let phone = Phone::ios(0, "u1");
    let expired = moved(generated().expire(at(120)));
    assert_eq!(expired.expire(at(121)).expect("the same end").effect, Effect::Repeated);
    assert_eq!(claim_error(&expired, &phone, at(1)), Some(ClaimError::Expired), "even by a clock that is behind");
    assert_eq!(approve_error(&expired, &phone, at(1)), Some(AnswerError::Expired));
    assert_eq!(expired.supersede(Supersession::Cancelled, at(1)).err(), Some(SupersedeError::Ended));
}

#[test]
fn t17_the_third_wrong_code_rejects_and_each_is_kept() {
    let phone = Phone::ios(0, "u1");
    for version_2 in [false, true] {
        let claim = if version_2 { phone.v2_claim(&generated()) } else { phone.compat_claim() };
        let mut challenge = claimed_with_code(&phone, claim);
        let attempt = |challenge: &Challenge, typed: &str| {
            if version_2 { phone.v2_answer(challenge, Decision::Approve, typed) } else { phone.compat_answer(typed) }
        };
        for (typed, left) in [("41", 2), ("", 1), ("4200", 0)] {
            let before = challenge.version();
            let wrong = challenge.approve(&phone.credential, &attempt(&challenge, typed), at(2)).expect("a change");
            assert_eq!(wrong.effect, Effect::WrongCode { attempts_left: left });
            assert_eq!(wrong.next.version(), before + 1, "a wrong code is stored like any change");
            challenge = stored(&wrong.next);
        }
        let State::Rejected { reason, .. } = challenge.state() else { panic!("{challenge:?}") };
        assert_eq!(*reason, Rejection::TooManyAttempts);
        let late = challenge.approve(&phone.credential, &attempt(&challenge, "42"), at(3));
        assert_eq!(late.err(), Some(AnswerError::AlreadyAnswered), "the right code comes too late");
    }
}

#[test]
fn t17_a_wrong_answers_signature_cannot_carry_another_guess() {
    let phone = Phone::ios(0, "u1");
    let challenge = claimed_with_code(&phone, phone.compat_claim());
    let wrong = phone.compat_answer("41");
    let counted = challenge.approve(&phone.credential, &wrong, at(2)).expect("a change").next;
    let guess = compat_answer_with(wrong.signature, "42");
    assert_eq!(counted.approve(&phone.credential, &guess, at(3)).err(), Some(AnswerError::SignatureReused));
    let right = moved(counted.approve(&phone.credential, &phone.compat_answer("42"), at(3)));
    let State::Approved { answer, .. } = right.state() else { panic!("{right:?}") };
    assert!(answer.code_matched);
}

#[test]
fn t17_the_same_wrong_guess_sent_twice_counts_once() {
    let phone = Phone::ios(0, "u1");
    let challenge = claimed_with_code(&phone, phone.v2_claim(&generated()));
    let wrong = phone.v2_answer(&challenge, Decision::Approve, "41");
    let counted = challenge.approve(&phone.credential, &wrong, at(2)).expect("a change").next;
    let again = counted.approve(&phone.credential, &wrong, at(3)).expect("the same guess");
    assert_eq!(again.effect, Effect::WrongCode { attempts_left: 2 });
    assert_eq!(again.next.version(), counted.version());
    let anew = phone.v2_answer(&challenge, Decision::Approve, "41");
    let second = counted.approve(&phone.credential, &anew, at(3)).expect("a change");
    assert_eq!(second.effect, Effect::WrongCode { attempts_left: 1 });
}

#[test]
fn t17_a_deterministic_signer_runs_out_of_guesses_like_any_other() {
    let phone = Phone::new(0, "u1", Platform::Other);
    let claim = phone.compat_claim();
    let mut challenge = claimed_with_code(&phone, claim.clone());
    for left in [2, 1, 0] {
        let guess = compat_answer_with(claim.signature, "41");
        let wrong = challenge.approve(&phone.credential, &guess, at(2)).expect("a change");
        assert_eq!(wrong.effect, Effect::WrongCode { attempts_left: left });
        challenge = wrong.next;
    }
    assert_eq!(challenge.state().name(), "rejected");
    let decline = challenge.reject(&phone.credential, &phone.compat_answer(""), at(3));
    assert_eq!(decline.err(), Some(AnswerError::AlreadyAnswered), "that end was not the user's no");
}

#[test]
fn t08_an_approval_is_not_repeated_with_another_code() {
    let phone = Phone::ios(0, "u1");
    let challenge = claimed_with_code(&phone, phone.compat_claim());
    let approved = moved(challenge.approve(&phone.credential, &phone.compat_answer("42"), at(2)));
    let again =
        |typed| approved.approve(&phone.credential, &phone.compat_answer(typed), at(3)).map(|again| again.effect);
    assert_eq!(again("42"), Ok(Effect::Repeated));
    assert_eq!(again("41"), Err(AnswerError::AlreadyAnswered));
}

#[test]
fn t17_declining_needs_no_code() {
    let phone = Phone::ios(0, "u1");
    let challenge = claimed_with_code(&phone, phone.compat_claim());
    assert_eq!(moved(challenge.reject(&phone.credential, &phone.compat_answer(""), at(2))).state().name(), "rejected");
}

#[test]
fn t21_a_revoked_credential_neither_claims_nor_answers() {
    let mut phone = Phone::ios(0, "u1");
    let claimed = claimed_by(&phone);
    phone.credential.status = CredentialStatus::Revoked;
    assert_eq!(claim_error(&generated(), &phone, at(1)), Some(ClaimError::CredentialRevoked));
    assert_eq!(approve_error(&claimed, &phone, at(2)), Some(AnswerError::CredentialRevoked));
    assert_eq!(AnswerError::CredentialRevoked.code(), "credential_revoked");
}

#[test]
fn t26_assurance_comes_from_what_enrolment_proved() {
    use credential::Unlock;
    for (protection, amr, sca) in [
        (KeyProtection::Unattested, vec![Amr::Swk], false),
        (KeyProtection::Hardware { unlock: Unlock::Nothing }, vec![Amr::Hwk], false),
        (KeyProtection::Hardware { unlock: Unlock::Pin }, vec![Amr::Hwk, Amr::Pin], true),
        (KeyProtection::Hardware { unlock: Unlock::Biometric }, vec![Amr::Hwk, Amr::Bio], true),
        (KeyProtection::Hardware { unlock: Unlock::PinOrBiometric }, vec![Amr::Hwk, Amr::User, Amr::Mfa], true),
    ] {
        let mut phone = Phone::ios(0, "u1");
        phone.credential.protection = protection;
        let claimed = v2_claimed_by(&phone);
        let answer = phone.v2_answer(&claimed, Decision::Approve, "");
        let approved = moved(claimed.approve(&phone.credential, &answer, at(2)));
        let assurance = approved.assurance().expect("an approval");
        assert_eq!((assurance.amr, assurance.sca), (amr, sca), "{protection:?}");
    }
    assert!(Acr::QrCompat < Acr::QrLinked && Acr::QrLinked < Acr::QrFresh && Acr::QrFresh < Acr::QrTrustedOrigin);
    assert!(Acr::QrTrustedOrigin < Acr::QrProximate && Acr::QrProximate < Acr::Webauthn);
}

#[test]
fn t41_another_tenants_credential_finds_nothing() {
    let mut phone = Phone::ios(0, "u1");
    let claimed = claimed_by(&phone);
    phone.credential.tenant = TenantId::parse("another").expect("a tenant");
    assert_eq!(claim_error(&generated(), &phone, at(1)), Some(ClaimError::NotFound));
    assert_eq!(approve_error(&claimed, &phone, at(2)), Some(AnswerError::NotFound));
    assert_eq!(approve_error(&claimed, &phone, at(500)), Some(AnswerError::NotFound), "expired or not");
}

#[test]
fn t61_an_approval_can_be_verified_again_from_what_is_stored() {
    let phone = Phone::ios(0, "u1");
    let claimed = v2_claimed_by(&phone);
    let answer = phone.v2_answer(&claimed, Decision::Approve, "");
    let approved = moved(claimed.approve(&phone.credential, &answer, at(2)));
    let State::Approved { claim, answer } = approved.state() else { panic!("{approved:?}") };
    let message = messages::decide(&messages::DecideMessage {
        issuer: &issuer(),
        tenant: &approved.frozen().tenant,
        challenge: &approved.id(),
        credential: &claim.by,
        claim: &claim.nonce,
        context: &approved.frozen().context.hash(),
        decision: Decision::Approve,
        code: &code(""),
    });
    let signature = signature::Signature::from_base64(&answer.signature).expect("a signature");
    assert!(phone.credential.key.verify(message.as_bytes(), &signature).is_ok());
}

#[test]
fn operations_as_values_do_what_their_methods_do() {
    let phone = Phone::ios(0, "u1");
    let known = Some(&phone.credential);
    let claim = Operation::Claim(phone.compat_claim());
    assert_eq!(generated().apply(&claim, None, at(1)).err(), Some(Refusal::UnknownCredential));
    let claimed = moved(generated().apply(&claim, known, at(1)));
    let approve = Operation::Answer(Decision::Approve, phone.compat_answer(""));
    let approved = moved(claimed.apply(&approve, known, at(2)));
    for (operation, code) in [
        (claim, "challenge_already_claimed"),
        (Operation::Answer(Decision::Reject, phone.compat_answer("")), "challenge_already_answered"),
        (Operation::Expire, "challenge_already_answered"),
        (Operation::Supersede(Supersession::Cancelled), "challenge_already_answered"),
    ] {
        let refused = approved.apply(&operation, known, at(3)).err();
        assert_eq!(refused.map(Refusal::code), Some(code), "{}", operation.name());
    }
}

#[test]
fn drafts_that_promise_too_much_or_too_little_are_refused() {
    use jiff::SignedDuration;
    for (life, ok) in [(0, false), (-1, false), (1, true), (600, true), (601, false), (i64::MAX, false)] {
        let made = Challenge::generate(Draft { life: SignedDuration::from_secs(life), ..draft() }, start());
        assert_eq!(made.is_ok(), ok, "{life} s");
    }
    for (attempts_allowed, ok) in [(0, false), (1, true), (5, true), (6, false), (255, false)] {
        let made = Challenge::generate(Draft { attempts_allowed, ..draft() }, start());
        assert_eq!(made.is_ok(), ok, "{attempts_allowed} attempts");
    }
    assert!(Challenge::generate(draft(), Timestamp::MAX).is_err());
}

#[test]
fn a_row_changed_by_others_is_not_a_challenge() {
    let phone = Phone::ios(0, "u1");
    let claimed = claimed_by(&phone);
    let (frozen, state) = (claimed.frozen_text().expect("text"), claimed.state_text().expect("text"));
    assert!(Challenge::from_texts(&frozen, &state, 1).is_ok());
    for (frozen, state) in [
        ("{}", state.as_str()),
        (&frozen, "{}"),
        (&frozen, "\"approved\""),
        (&frozen, "[]"),
        (&frozen, ""),
        (&frozen, &state.replace("\"by\"", "\"by2\"")),
        (&frozen, &state.replace("cred-07", "cred\\n07")),
        (&frozen.replace(ID, "2992401.0"), &state),
        (&frozen.replace("\"tenant\"", "\"extra\":1,\"tenant\""), &state),
    ] {
        assert!(Challenge::from_texts(frozen, state, 1).is_err(), "{state:.60}");
    }
}

#[test]
fn nothing_secret_is_printed() {
    let phone = Phone::ios(0, "u1");
    let claimed = claimed_with_code(&phone, phone.compat_claim());
    let approved = moved(claimed.approve(&phone.credential, &phone.compat_answer("42"), at(2)));
    let printed = format!("{claimed:?} {:?}", phone.compat_claim().signature);
    assert!(!printed.contains(&nonce().expose()), "{printed}");
    assert!(!printed.contains("42\""), "{printed}");
    let State::Approved { answer, .. } = approved.state() else { panic!("{approved:?}") };
    assert!(!format!("{:?}", phone.compat_answer("").signature).contains(&answer.signature[4..20]));
}

#[test]
fn where_nothing_is_scanned_one_signature_claims_and_answers() {
    let phone = Phone::new(0, "u1", Platform::Android);
    let signature = phone.sign(ID);
    for kind in [Kind::Push, Kind::InApp] {
        let challenge = stored(&Challenge::generate_as(kind, draft(), start()).expect("a challenge"));
        assert_eq!(challenge.frozen().kind, kind);
        let claimed = moved(challenge.claim(&phone.credential, &compat_claim_with(signature), at(1)));
        // The request comes again, signed afresh or not: it is the same claim, and nothing is used up.
        for repeated in [signature, phone.sign(ID)] {
            let again = claimed.claim(&phone.credential, &compat_claim_with(repeated), at(1)).expect("a repeat");
            assert_eq!((again.effect, again.next.version()), (Effect::Repeated, claimed.version()));
        }
        let approved = moved(claimed.approve(&phone.credential, &compat_answer_with(signature, ""), at(1)));
        let State::Approved { answer, .. } = approved.state() else { panic!("not approved") };
        assert!(!answer.repeats_claim, "nothing was claimed before it");
        // Once, and by the one user.
        assert_eq!(
            approved.reject(&phone.credential, &compat_answer_with(signature, ""), at(2)).err(),
            Some(AnswerError::AlreadyAnswered)
        );
        let stranger = Phone::ios(1, "u2");
        assert_eq!(claim_error(&challenge, &stranger, at(1)), Some(ClaimError::WrongUser));
        assert_eq!(approve_error(&claimed, &stranger, at(1)), Some(AnswerError::NotClaimer));
    }
    // With version 2 they are two there as well, and neither version finishes what the other began.
    for kind in [Kind::Push, Kind::InApp] {
        let challenge = stored(&Challenge::generate_as(kind, draft(), start()).expect("a challenge"));
        let claimed = moved(challenge.claim(&phone.credential, &phone.v2_claim(&challenge), at(1)));
        let compat = claimed.approve(&phone.credential, &compat_answer_with(signature, ""), at(1));
        assert_eq!(compat.err(), Some(AnswerError::ProtocolMismatch));
        let answer = phone.v2_answer(&claimed, Decision::Approve, "");
        let approved = moved(claimed.approve(&phone.credential, &answer, at(1)));
        let worth = approved.assurance().expect("approved");
        assert_eq!((worth.acr, worth.link), (Acr::QrLinked, Link::Signed));
        let begun = moved(challenge.claim(&phone.credential, &compat_claim_with(signature), at(1)));
        let late = phone.v2_answer(&claimed, Decision::Approve, "");
        assert_eq!(begun.approve(&phone.credential, &late, at(1)).err(), Some(AnswerError::ProtocolMismatch));
    }
    // A scanned challenge still takes no claim's signature for an answer.
    let claimed = moved(generated().claim(&phone.credential, &compat_claim_with(signature), at(1)));
    assert_eq!(
        claimed.approve(&phone.credential, &compat_answer_with(signature, ""), at(1)).err(),
        Some(AnswerError::SignatureReused)
    );
}
