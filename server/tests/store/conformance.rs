//! What every store does, verb by verb. Another backend joins by opening itself in `World::new`.

use challenge::state::Supersession;
use challenge::{AnswerError, ClaimError, Effect, Subject};
use server::store::*;
use uuid::Uuid;

use crate::support::*;

#[tokio::test]
async fn a_recorded_decision_is_read_back() {
    let world = World::new().await;
    let new = decision("u1", "k1", 0);
    let recorded = world.store.record_decision(new.clone()).await.unwrap();
    assert_eq!((recorded.id, recorded.seq, recorded.challenge), (new.id, 0, None));
    let key = DecisionKey {
        tenant: tenant(),
        user: new.user.clone(),
        action: new.action.clone(),
        idempotency_key: new.idempotency_key.clone(),
    };
    let stored = world.store.decision_by_key(&key).await.unwrap().unwrap();
    assert_eq!(world.store.decision(&tenant(), new.id).await.unwrap().as_ref(), Some(&stored));
    assert_eq!((stored.state, &stored.answer, stored.body_hash), (ActionState::Allow, &new.answer, new.body_hash));
    assert_eq!((stored.created_at, stored.state_updated_at), (at(0), at(0)));
    assert_eq!(world.store.decision_record(&tenant(), new.id).await.unwrap(), Some(new.record));
}

#[tokio::test]
async fn an_idempotency_key_names_one_decision_for_ever() {
    let world = World::new().await;
    let first = decision("u1", "k1", 0);
    world.store.record_decision(first.clone()).await.unwrap();
    let tries = (0..32).map(|n| world.store.record_decision(decision("u1", "k1", n)));
    for tried in futures_util::future::join_all(tries).await {
        match tried {
            Err(RecordError::Duplicate(stored)) => assert_eq!(stored.id, first.id),
            other => panic!("{other:?}"),
        }
    }
    // Another user, action or tenant is another name.
    let mut other = decision("u2", "k1", 0);
    world.store.record_decision(other.clone()).await.unwrap();
    other = NewDecision { id: DecisionId(Uuid::now_v7()), action: action("pay"), ..other };
    world.store.record_decision(other.clone()).await.unwrap();
    let foreign = TenantId::parse("t2").unwrap();
    world.store.record_decision(NewDecision { tenant: foreign, ..other }).await.unwrap();
    assert_eq!(world.store.journal(None, 100).await.unwrap().len(), 4);
    assert_eq!(world.entries().await, 4);
}

#[tokio::test]
async fn of_concurrent_duplicates_one_is_recorded() {
    let world = World::new().await;
    for round in 0..5 {
        let key = format!("k{round}");
        let tries = (0..32).map(|n| world.store.record_decision(decision("u1", &key, n)));
        let done = futures_util::future::join_all(tries).await;
        let mut recorded = done.iter().filter_map(|tried| tried.as_ref().ok());
        let first = recorded.next().unwrap();
        assert!(recorded.next().is_none());
        for tried in &done {
            if let Err(RecordError::Duplicate(stored)) = tried {
                assert_eq!(stored.id, first.id);
            }
        }
    }
    assert_eq!(world.entries().await, 5);
}

#[tokio::test]
async fn a_unit_that_cannot_be_written_does_not_poison_its_batch() {
    let world = World::new().await;
    let first = decision("u1", "k0", 0);
    world.store.record_decision(first.clone()).await.unwrap();
    let tries = (1..=40).map(|n| {
        let mut new = decision("u1", &format!("k{n}"), n);
        if n % 10 == 0 {
            // The same id under another key: no verb foresees it, the schema refuses it.
            new.id = first.id;
        }
        world.store.record_decision(new)
    });
    let done = futures_util::future::join_all(tries).await;
    for (n, tried) in (1..).zip(&done) {
        let refused = matches!(tried, Err(RecordError::Store(StoreError::Refused(_))));
        assert_eq!(refused, n % 10 == 0, "{n}: {tried:?}");
    }
    assert_eq!(world.entries().await, 37);
    assert_eq!(world.store.health(), Health::Writing);
}

#[tokio::test]
async fn an_approval_settles_its_decision() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let (new, challenge) = challenged("u1", "k1", 0);
    let recorded = world.store.record_decision(new.clone()).await.unwrap();
    assert_eq!(recorded.challenge, Some(challenge.id()));
    let claimed = world.store.transition(phone.claim(challenge.id(), 1)).await.unwrap();
    assert_eq!(claimed.decision.unwrap().state, ActionState::ChallengeRequired);
    let approved = world.store.transition(phone.approve(challenge.id(), 2)).await.unwrap();
    assert_eq!((approved.before.state().name(), approved.after.state().name()), ("claimed", "approved"));
    let stored = world.store.decision(&tenant(), new.id).await.unwrap().unwrap();
    assert_eq!(approved.decision.as_ref(), Some(&stored));
    assert_eq!((stored.state, stored.state_updated_at), (ActionState::ChallengeSucceeded, at(2)));
    assert_eq!(stored.verification_method.as_deref(), Some("QR_CODE"));
    assert_eq!(stored.verified_by.as_ref(), Some(&phone.credential.id));
    let credential = world.store.credential(&tenant(), &phone.credential.id).await.unwrap().unwrap();
    assert_eq!(credential.last_verified_at, Some(at(2)));
    let [JournalEntry::Event { decision, line, .. }, JournalEntry::Settled(settled)] =
        &world.store.journal(None, 10).await.unwrap()[..]
    else {
        panic!("an event and its end")
    };
    assert_eq!((*decision, line), (new.id, &new.event_line));
    assert_eq!((settled.decision, settled.how, settled.at), (new.id, Settlement::Succeeded, at(2)));
    assert_eq!((&settled.user, &settled.idempotency_key), (&new.user, &new.idempotency_key));
    assert!(world.store.journal(Some(settled.seq), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_rejection_fails_its_decision_and_an_expiry_leaves_it() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let (rejected, challenge) = challenged("u1", "k1", 0);
    world.store.record_decision(rejected.clone()).await.unwrap();
    world.store.transition(phone.claim(challenge.id(), 1)).await.unwrap();
    world.store.transition(phone.reject(challenge.id(), 2)).await.unwrap();
    let (expired, challenge) = challenged("u1", "k2", 0);
    world.store.record_decision(expired.clone()).await.unwrap();
    world.store.transition(expire(challenge.id(), at(120))).await.unwrap();
    let state = async |id| world.store.decision(&tenant(), id).await.unwrap().unwrap().state;
    assert_eq!(state(rejected.id).await, ActionState::ChallengeFailed);
    assert_eq!(state(expired.id).await, ActionState::ChallengeRequired);
    let ends: Vec<_> = world.store.journal(None, 10).await.unwrap().into_iter().filter_map(end).collect();
    assert_eq!(ends, [Settlement::Declined, Settlement::Expired]);
}

fn end(entry: JournalEntry) -> Option<Settlement> {
    match entry {
        JournalEntry::Settled(settled) => Some(settled.how),
        JournalEntry::Event { .. } => None,
    }
}

#[tokio::test]
async fn a_refusal_leaves_only_its_entry() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let stranger = Phone::enrolled(&world.store, "u2", "c2").await;
    let unknown = Phone::of("u1", "c3");
    let (new, challenge) = challenged("u1", "k1", 0);
    world.store.record_decision(new).await.unwrap();
    let id = challenge.id();
    let nowhere = generate(Subject::Anonymous, 0).id();
    let refused: [(TransitionRequest, &str); 6] = [
        (stranger.claim(id, 1), "the challenge is for another user"),
        (phone.approve(id, 1), "the challenge must be claimed before it is answered"),
        (unknown.claim(id, 1), "there is no such credential"),
        (phone.claim(nowhere, 1), "there is no such challenge"),
        (phone.claim(id, 120), "the challenge has expired"),
        (expire(id, at(119)), "the challenge has not expired yet"),
    ];
    let before = world.store.challenge(&tenant(), id).await.unwrap().unwrap();
    for (request, message) in refused {
        let entries = world.entries().await;
        assert_eq!(world.store.transition(request).await.unwrap_err().to_string(), message);
        assert_eq!(world.entries().await, entries + 1, "{message}");
        let leaf = world.store.audit_leaf(&tenant(), entries).await.unwrap().unwrap();
        assert!(leaf.contains(r#""kind":"refusal."#), "{leaf}");
    }
    let after = world.store.challenge(&tenant(), id).await.unwrap().unwrap();
    assert_eq!((before.seq, before.challenge.version()), (after.seq, after.challenge.version()));
}

#[tokio::test]
async fn a_challenge_expires_at_its_instant_without_grace() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    for (milliseconds, fine) in [(-1, true), (0, false), (1, false)] {
        let (new, challenge) = challenged("u1", &format!("k{milliseconds}"), 0);
        world.store.record_decision(new).await.unwrap();
        world.store.transition(phone.claim(challenge.id(), 1)).await.unwrap();
        let when = at(120) + jiff::SignedDuration::from_millis(milliseconds);
        let answered =
            world.store.transition(phone.answer(challenge.id(), when, challenge::Decision::Approve, "")).await;
        match answered {
            Ok(_) => assert!(fine, "{milliseconds} ms"),
            Err(TransitionError::Answer(AnswerError::Expired)) => assert!(!fine, "{milliseconds} ms"),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(world.store.next_expiry().await.unwrap(), Some(at(120)));
    assert!(world.store.overdue_challenges(at(119), 10).await.unwrap().is_empty());
    let overdue = world.store.overdue_challenges(at(120), 10).await.unwrap();
    assert_eq!(overdue.len(), 2);
    for (tenant, challenge) in overdue {
        let request = TransitionRequest { tenant, challenge, operation: Operation::Expire, at: at(120) };
        assert_eq!(world.store.transition(request).await.unwrap().after.state().name(), "expired");
    }
    assert_eq!(world.store.next_expiry().await.unwrap(), None);
}

#[tokio::test]
async fn a_refreshed_qr_takes_the_place_of_an_unclaimed_one_only() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let first = generate(Subject::Anonymous, 0);
    let next = |old: ChallengeId| NewChallenge {
        challenge: generate(Subject::Anonymous, 10),
        decision: None,
        supersedes: Some(old),
    };
    let new = NewChallenge { challenge: first.clone(), decision: None, supersedes: None };
    assert!(world.store.create_challenge(new).await.unwrap().superseded.is_none());
    let second = next(first.id());
    let second_id = second.challenge.id();
    assert_eq!(world.store.create_challenge(second).await.unwrap().superseded.unwrap().id(), first.id());
    assert_eq!(
        world.store.challenge(&tenant(), first.id()).await.unwrap().unwrap().challenge.state().name(),
        "superseded"
    );
    world.store.transition(phone.claim(second_id, 11)).await.unwrap();
    assert!(world.store.create_challenge(next(second_id)).await.unwrap().superseded.is_none());
    assert_eq!(world.store.challenge(&tenant(), second_id).await.unwrap().unwrap().challenge.state().name(), "claimed");
}

#[tokio::test]
async fn a_users_prompts_and_a_decisions_latest_challenge_are_found() {
    let world = World::new().await;
    let (new, first) = challenged("u1", "k1", 0);
    world.store.record_decision(new.clone()).await.unwrap();
    let second = generate(Subject::Identified(user("u1")), 10);
    let refreshed = NewChallenge { challenge: second.clone(), decision: Some(new.id), supersedes: Some(first.id()) };
    world.store.create_challenge(refreshed).await.unwrap();
    let since = async |second| {
        let made = world.store.challenges_since(&tenant(), &user("u1"), at(second)).await.unwrap();
        made.iter().map(|made| made.challenge.id()).collect::<Vec<_>>()
    };
    assert_eq!(since(0).await, [second.id(), first.id()]);
    assert_eq!(since(10).await, [second.id()]);
    assert!(since(11).await.is_empty());
    let latest = world.store.latest_challenge_of(&tenant(), new.id).await.unwrap().unwrap();
    assert_eq!((latest.challenge.id(), latest.decision), (second.id(), Some(new.id)));
    assert!(world.store.latest_challenge_of(&tenant(), DecisionId(Uuid::now_v7())).await.unwrap().is_none());
}

#[tokio::test]
async fn an_anonymous_challenges_answer_settles_what_was_tracked_for_its_claimer() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let challenge = generate(Subject::Anonymous, 0);
    let id = challenge.id();
    let fresh = NewChallenge { challenge, decision: None, supersedes: None };
    world.store.create_challenge(fresh).await.unwrap();
    world.store.transition(phone.claim(id, 1)).await.unwrap();
    // The claim said who it is; the action is tracked for them under the challenge's key.
    let (tracked, _) = challenged("u1", "k", 2);
    world.store.record_decision(NewDecision { challenge: None, ..tracked.clone() }).await.unwrap();
    let approved = world.store.transition(phone.approve(id, 3)).await.unwrap();
    let settled = approved.decision.unwrap();
    assert_eq!((settled.id, settled.state), (tracked.id, ActionState::ChallengeSucceeded));
    let database = world.database();
    let _folder = world.closed().await;
    let report = server::audit::verify(&database, Some(&signer().verifier())).await.unwrap();
    assert!(report.is_good(), "{}", report.to_text());
}

#[tokio::test]
async fn a_changed_action_supersedes_its_claimed_challenge() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let (new, challenge) = challenged("u1", "k1", 0);
    world.store.record_decision(new.clone()).await.unwrap();
    world.store.transition(phone.claim(challenge.id(), 1)).await.unwrap();
    assert_eq!(world.store.open_challenges(&tenant(), &new.user, at(2)).await.unwrap().len(), 1);
    let operation = Operation::Supersede(Supersession::ActionChanged);
    let request = TransitionRequest { tenant: tenant(), challenge: challenge.id(), operation, at: at(2) };
    world.store.transition(request).await.unwrap();
    assert!(world.store.open_challenges(&tenant(), &new.user, at(2)).await.unwrap().is_empty());
    let late = world.store.transition(phone.approve(challenge.id(), 3)).await.unwrap_err();
    assert!(matches!(late, TransitionError::Answer(AnswerError::Superseded)), "{late}");
}

#[tokio::test]
async fn a_credential_revoked_after_the_claim_does_not_approve() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let (new, challenge) = challenged("u1", "k1", 0);
    world.store.record_decision(new).await.unwrap();
    world.store.transition(phone.claim(challenge.id(), 1)).await.unwrap();
    let id = &phone.credential.id;
    world.store.revoke_credential(&tenant(), id, "key-1", at(2)).await.unwrap();
    let refused = world.store.transition(phone.approve(challenge.id(), 3)).await.unwrap_err();
    assert!(matches!(refused, TransitionError::Answer(AnswerError::CredentialRevoked)), "{refused}");
    let again = world.store.revoke_credential(&tenant(), id, "key-1", at(9)).await.unwrap();
    assert_eq!(again.revoked_at, Some(at(2)), "a repeat changes nothing");
    let nobody = CredentialId::parse("nobody").unwrap();
    let missing = world.store.revoke_credential(&tenant(), &nobody, "key-1", at(9)).await;
    assert!(matches!(missing, Err(RevokeError::NotFound)));
}

#[tokio::test]
async fn an_expired_credential_is_as_good_as_revoked() {
    let world = World::new().await;
    let phone = Phone::of("u1", "c1");
    let enrolment = NewCredential { expires_at: Some(at(10)), ..phone.enrolment() };
    world.store.enrol(enrolment).await.unwrap();
    let (new, challenge) = challenged("u1", "k1", 0);
    world.store.record_decision(new).await.unwrap();
    assert_eq!(world.store.transition(phone.claim(challenge.id(), 9)).await.unwrap().effect, Effect::Moved);
    let late = world.store.transition(phone.approve(challenge.id(), 10)).await.unwrap_err();
    assert!(matches!(late, TransitionError::Answer(AnswerError::CredentialRevoked)), "{late}");
}

#[tokio::test]
async fn a_key_has_one_owner() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let again = NewCredential {
        credential: challenge::Credential { id: CredentialId::parse("c9").unwrap(), ..phone.credential.clone() },
        ..phone.enrolment()
    };
    let found = world.store.enrol(again.clone()).await.unwrap();
    assert_eq!((found.new, found.credential.credential.id.as_str()), (false, "c1"));
    let stolen = NewCredential {
        credential: challenge::Credential { user: user("u2"), ..again.credential.clone() },
        kind: "push".to_owned(),
        ..again.clone()
    };
    assert!(matches!(world.store.enrol(stolen).await, Err(EnrolError::KeyTaken)));
    let other_kind = NewCredential { kind: "push".to_owned(), ..again.clone() };
    assert!(world.store.enrol(other_kind).await.unwrap().new, "one user may use a key for several kinds");
    let other = Phone::of("u1", "c1");
    assert!(matches!(world.store.enrol(other.enrolment()).await, Err(EnrolError::IdTaken)));
    let spki = phone.credential.key.to_spki();
    let by_key = world.store.credential_by_key(&tenant(), "qr-code", &spki).await.unwrap().unwrap();
    assert_eq!(by_key.credential.id.as_str(), "c1");
    assert_eq!(world.store.credentials(&tenant(), &user("u1")).await.unwrap().len(), 2);
    world.store.revoke_credential(&tenant(), &phone.credential.id, "phone", at(1)).await.unwrap();
    assert!(matches!(world.store.enrol(again).await, Err(EnrolError::KeyRevoked)));
    assert_eq!(world.store.credentials(&tenant(), &user("u1")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_is_first_used_once() {
    let world = World::new().await;
    let uses = (0..100).map(|n| {
        world.store.consume(NewUse {
            tenant: tenant(),
            kind: UseKind::ResultToken,
            id: "jti-1".to_owned(),
            by: format!("key-{n}"),
            decision: None,
            at: at(n),
            expires_at: at(300),
        })
    });
    let done = futures_util::future::join_all(uses).await;
    let first = done.iter().position(|used| matches!(used, Ok(Use::First))).unwrap();
    for (n, used) in done.iter().enumerate() {
        if n != first {
            let again = Use::Again { first_used_at: at(first as i64), first_used_by: format!("key-{first}") };
            assert_eq!(used.as_ref().unwrap(), &again);
        }
    }
    assert_eq!(world.entries().await, 100, "a repeat may be a stolen token, so it is written down");
}

#[tokio::test]
async fn nothing_of_one_tenant_is_there_for_another() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let (new, challenge) = challenged("u1", "k1", 0);
    world.store.record_decision(new.clone()).await.unwrap();
    world.store.upsert_user(&tenant(), &new.user, UserAttributes::default(), at(0)).await.unwrap();
    let foreign = TenantId::parse("t2").unwrap();
    let store = &world.store;
    assert!(store.decision(&foreign, new.id).await.unwrap().is_none());
    assert!(store.decision_record(&foreign, new.id).await.unwrap().is_none());
    assert!(store.challenge(&foreign, challenge.id()).await.unwrap().is_none());
    assert!(store.open_challenges(&foreign, &new.user, at(0)).await.unwrap().is_empty());
    assert!(store.credential(&foreign, &phone.credential.id).await.unwrap().is_none());
    assert!(store.credentials(&foreign, &new.user).await.unwrap().is_empty());
    assert!(store.credential_by_key(&foreign, "qr-code", &phone.credential.key.to_spki()).await.unwrap().is_none());
    assert!(store.user(&foreign, &new.user).await.unwrap().is_none());
    assert!(store.audit_leaf(&foreign, 0).await.unwrap().is_none());
    let page = PageRequest::first(10);
    assert!(store.decisions(&foreign, &DecisionFilter::default(), &page).await.unwrap().items.is_empty());
    assert!(store.users(&foreign, &UserFilter::default(), &page).await.unwrap().items.is_empty());
    let request = TransitionRequest { tenant: foreign.clone(), ..phone.claim(challenge.id(), 1) };
    assert!(matches!(store.transition(request).await, Err(TransitionError::NotFound)));
    let revoked = store.revoke_credential(&foreign, &phone.credential.id, "x", at(1)).await;
    assert!(matches!(revoked, Err(RevokeError::NotFound)));
    assert!(matches!(store.delete_user(&foreign, &new.user, at(1)).await, Err(DeleteUserError::NotFound)));
}

#[tokio::test]
async fn decisions_are_listed_newest_first_page_by_page() {
    let world = World::new().await;
    for n in 0..25 {
        let name = if n % 2 == 0 { "even" } else { "odd" };
        let mut new = decision(name, &format!("k{n}"), n);
        if n % 5 == 0 {
            new.outcome = Outcome::Block;
            new.state = ActionState::Block;
            new.rules = vec!["fifth".to_owned(), "other".to_owned()];
            new.reasons = vec!["FIVE".to_owned()];
        }
        world.store.record_decision(new).await.unwrap();
    }
    let keys = async |filter: DecisionFilter| {
        let (mut keys, mut page) = (Vec::new(), PageRequest::first(4));
        loop {
            let Page { items, next } = world.store.decisions(&tenant(), &filter, &page).await.unwrap();
            assert!(items.len() <= 4);
            keys.extend(
                items.into_iter().map(|decision| decision.idempotency_key.as_str()[1..].parse::<i64>().unwrap()),
            );
            match next {
                Some(cursor) => page.after = Some(cursor),
                None => return keys,
            }
        }
    };
    let all: Vec<i64> = (0..25).rev().collect();
    let only = |wanted: fn(&i64) -> bool| all.iter().copied().filter(wanted).collect::<Vec<_>>();
    let any = DecisionFilter::default;
    assert_eq!(keys(any()).await, all);
    assert_eq!(keys(DecisionFilter { user: Some(user("odd")), ..any() }).await, only(|n| n % 2 == 1));
    for filter in [
        DecisionFilter { outcome: Some(Outcome::Block), ..any() },
        DecisionFilter { state: Some(ActionState::Block), ..any() },
        DecisionFilter { rule: Some("fifth".to_owned()), ..any() },
        DecisionFilter { reason: Some("FIVE".to_owned()), ..any() },
    ] {
        assert_eq!(keys(filter).await, only(|n| n % 5 == 0));
    }
    assert_eq!(
        keys(DecisionFilter { from: Some(at(10)), to: Some(at(20)), ..any() }).await,
        only(|n| (10..20).contains(n))
    );
    assert_eq!(keys(DecisionFilter { actions: vec![action("sign_in"), action("pay")], ..any() }).await, all);
    assert!(keys(DecisionFilter { actions: vec![action("pay")], ..any() }).await.is_empty());
    assert!(keys(DecisionFilter { rule: Some("fift".to_owned()), ..any() }).await.is_empty());
}

#[tokio::test]
async fn a_state_set_from_outside_is_kept_and_journalled_and_asks_no_phone_any_more() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let (new, challenge) = challenged("u1", "k1", 0);
    world.store.record_decision(new.clone()).await.unwrap();
    let key = DecisionKey {
        tenant: tenant(),
        user: new.user.clone(),
        action: new.action.clone(),
        idempotency_key: new.idempotency_key.clone(),
    };
    let change =
        StateChange { key: key.clone(), state: ActionState::ReviewRequired, actor: "key-1".to_owned(), at: at(5) };
    let StateChanged { decision: changed, superseded } = world.store.set_action_state(change.clone()).await.unwrap();
    assert_eq!(superseded.iter().map(|step| step.after.id()).collect::<Vec<_>>(), [challenge.id()]);
    assert_eq!((changed.state, changed.state_updated_at), (ActionState::ReviewRequired, at(5)));
    let entries = world.entries().await;
    world.store.set_action_state(change.clone()).await.unwrap();
    assert_eq!(world.entries().await, entries, "the same state again is no change");
    let late = world.store.transition(phone.claim(challenge.id(), 6)).await.unwrap_err();
    assert!(matches!(late, TransitionError::Claim(ClaimError::Superseded)), "{late}");
    assert_eq!(world.store.decision_by_key(&key).await.unwrap().unwrap().state, ActionState::ReviewRequired);
    let ends: Vec<_> = world.store.journal(None, 10).await.unwrap().into_iter().filter_map(end).collect();
    assert_eq!(ends, [Settlement::Superseded, Settlement::Set(ActionState::ReviewRequired)]);
    let missing = StateChange { key: DecisionKey { user: user("nobody"), ..key }, ..change };
    assert!(matches!(world.store.set_action_state(missing).await, Err(StateChangeError::NotFound)));
}

#[tokio::test]
async fn users_are_made_changed_listed_and_deleted() {
    let world = World::new().await;
    let store = &world.store;
    let email = |text: &str| UserAttributes { email: Some(text.to_owned()), ..UserAttributes::default() };
    let made = store.upsert_user(&tenant(), &user("b"), email("b@example.com"), at(0)).await.unwrap();
    let name = UserAttributes { display_name: Some("Bea".to_owned()), ..UserAttributes::default() };
    let changed = store.upsert_user(&tenant(), &user("b"), name, at(1)).await.unwrap();
    assert_eq!(changed.attributes.email.as_deref(), Some("b@example.com"), "what is not given stays");
    assert_eq!((changed.created_at, changed.updated_at, changed.pseudonym), (at(0), at(1), made.pseudonym));
    let entries = world.entries().await;
    assert_eq!(store.upsert_user(&tenant(), &user("b"), UserAttributes::default(), at(2)).await.unwrap(), changed);
    assert_eq!(world.entries().await, entries);
    for name in ["a", "c", "d"] {
        store.upsert_user(&tenant(), &user(name), UserAttributes::default(), at(3)).await.unwrap();
    }
    let names = |page: &Page<User>| page.items.iter().map(|user| user.user.to_string()).collect::<Vec<_>>();
    let first = store.users(&tenant(), &UserFilter::default(), &PageRequest::first(3)).await.unwrap();
    assert_eq!(names(&first), ["a", "b", "c"]);
    let page = PageRequest { after: first.next, limit: 3 };
    assert_eq!(names(&store.users(&tenant(), &UserFilter::default(), &page).await.unwrap()), ["d"]);
    let filter = UserFilter { email: Some("b@example.com".to_owned()), ..UserFilter::default() };
    assert_eq!(names(&store.users(&tenant(), &filter, &PageRequest::first(9)).await.unwrap()), ["b"]);

    let phone = Phone::enrolled(store, "b", "c1").await;
    store.delete_user(&tenant(), &user("b"), at(4)).await.unwrap();
    assert!(store.user(&tenant(), &user("b")).await.unwrap().is_none());
    assert!(store.credential(&tenant(), &phone.credential.id).await.unwrap().unwrap().revoked_at.is_some());
    assert!(matches!(store.delete_user(&tenant(), &user("b"), at(5)).await, Err(DeleteUserError::NotFound)));
    let back = store.upsert_user(&tenant(), &user("b"), UserAttributes::default(), at(6)).await.unwrap();
    assert_eq!(back.attributes, UserAttributes::default());
    assert_eq!(store.user(&tenant(), &user("b")).await.unwrap().map(|user| user.seq), Some(back.seq));
    // Deleted and back within one millisecond.
    store.delete_user(&tenant(), &user("b"), at(7)).await.unwrap();
    assert!(store.user(&tenant(), &user("b")).await.unwrap().is_none());
    store.upsert_user(&tenant(), &user("b"), UserAttributes::default(), at(7)).await.unwrap();
    assert!(store.user(&tenant(), &user("b")).await.unwrap().is_some());
    assert_eq!(names(&store.users(&tenant(), &UserFilter::default(), &PageRequest::first(9)).await.unwrap()).len(), 4);
}

#[tokio::test]
async fn a_value_is_on_a_list_at_most_once_and_until_it_expires() {
    let world = World::new().await;
    let store = &world.store;
    let entry = |value: &str, second: i64, until: Option<i64>| NewListEntry {
        tenant: tenant(),
        id: ListEntryId(Uuid::new_v4()),
        list: "blocked_ips".to_owned(),
        value: value.to_owned(),
        reason: Some("fraud".to_owned()),
        author: "key-1".to_owned(),
        at: at(second),
        expires_at: until.map(at),
    };
    let values = async |second| {
        let entries = store.list_entries(&tenant(), Some("blocked_ips"), at(second)).await.unwrap();
        entries.into_iter().map(|entry| entry.value).collect::<Vec<_>>()
    };
    store.add_list_entry(entry("203.0.113.9", 0, Some(100))).await.unwrap();
    store.add_list_entry(entry("198.51.100.7", 0, None)).await.unwrap();
    assert!(matches!(store.add_list_entry(entry("203.0.113.9", 1, Some(50))).await.unwrap(), ListChange::AsBefore(_)));
    assert_eq!(values(99).await, ["198.51.100.7", "203.0.113.9"]);
    assert_eq!(values(100).await, ["198.51.100.7"]);
    assert!(matches!(store.add_list_entry(entry("203.0.113.9", 1, Some(200))).await.unwrap(), ListChange::Changed(_)));
    assert_eq!(values(199).await.len(), 2);
    let removed = store.remove_list_entry(&tenant(), "blocked_ips", "198.51.100.7", "key-1", at(2)).await.unwrap();
    assert!(matches!(removed, ListChange::Changed(_)));
    let again = store.remove_list_entry(&tenant(), "blocked_ips", "198.51.100.7", "key-1", at(2)).await.unwrap();
    assert_eq!(again, ListChange::AsBefore(None));
    store.add_list_entry(entry("198.51.100.7", 3, None)).await.unwrap();
    assert_eq!(values(199).await.len(), 2);
    assert!(store.list_entries(&tenant(), Some("other"), at(3)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_decisions_list_effects_are_recorded_with_it() {
    let world = World::new().await;
    let effect = NewListEntry {
        tenant: tenant(),
        id: ListEntryId(Uuid::new_v4()),
        list: "suspects".to_owned(),
        value: "u1".to_owned(),
        reason: None,
        author: "rule:guessing".to_owned(),
        at: at(0),
        expires_at: None,
    };
    let new = NewDecision { list_effects: vec![effect], ..decision("u1", "k1", 0) };
    world.store.record_decision(new.clone()).await.unwrap();
    assert_eq!(world.store.list_entries(&tenant(), None, at(0)).await.unwrap().len(), 1);
    assert!(world.store.record_decision(new).await.is_err());
    assert_eq!(world.entries().await, 2);
}

#[tokio::test]
async fn packs_tenants_and_keys_are_put_once_and_changed() {
    let world = World::new().await;
    let store = &world.store;
    let pack = |version: &str, second| NewPack {
        tenant: tenant(),
        version: version.to_owned(),
        name: "starter".to_owned(),
        archive: version.as_bytes().to_vec(),
        actor: "startup".to_owned(),
        at: at(second),
    };
    for (version, second) in [("sha256:aa", 0), ("sha256:aa", 1), ("sha256:bb", 2), ("sha256:aa", 3)] {
        store.activate_pack(pack(version, second)).await.unwrap();
    }
    let active = store.active_pack(&tenant()).await.unwrap().unwrap();
    assert_eq!((active.version.as_str(), active.activated_at), ("sha256:aa", at(3)));
    assert_eq!(store.pack_archive(&tenant(), "sha256:bb").await.unwrap(), Some(b"sha256:bb".to_vec()));
    assert_eq!(world.entries().await, 3);

    let new = NewTenant { id: tenant(), name: "Demo".to_owned(), settings: "{}".to_owned(), at: at(4) };
    store.put_tenant(new.clone()).await.unwrap();
    store.put_tenant(new.clone()).await.unwrap();
    store.put_tenant(NewTenant { name: "Bank".to_owned(), ..new }).await.unwrap();
    let held = store.tenant(&tenant()).await.unwrap().unwrap();
    assert_eq!((held.name.as_str(), held.created_at), ("Bank", at(4)));
    assert_eq!(store.tenants().await.unwrap(), [held]);
    assert_eq!(world.entries().await, 5);

    let key = NewApiKey {
        tenant: tenant(),
        id: "key-1".to_owned(),
        role: "backend".to_owned(),
        name: "shop".to_owned(),
        hash: [9; 32],
        created_at: at(5),
    };
    store.put_api_key(key.clone()).await.unwrap();
    store.put_api_key(key).await.unwrap();
    assert_eq!(store.api_key_by_hash(&[9; 32]).await.unwrap().unwrap().id, "key-1");
    assert!(store.api_key_by_hash(&[8; 32]).await.unwrap().is_none());
    assert!(store.revoke_api_key(&tenant(), "key-2", "admin", at(6)).await.unwrap().is_none());
    store.revoke_api_key(&tenant(), "key-1", "admin", at(6)).await.unwrap().unwrap();
    assert!(store.api_key_by_hash(&[9; 32]).await.unwrap().is_none());
    assert_eq!(store.api_keys(&tenant()).await.unwrap().len(), 1);
    assert_eq!(world.entries().await, 7);
}
