//! Recovery codes and resets, as the store keeps them: used once, durable, and vouched for by the log.

use jiff::SignedDuration;
use server::audit;
use server::store::*;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use uuid::Uuid;

use crate::support::*;

/// Two codes, by number.
fn codes() -> NewRecoveryCodes {
    let code = |number: u128| (RecoveryCodeId(Uuid::from_u128(number)), [number as u8; 32]);
    NewRecoveryCodes { batch: Uuid::from_u128(9), code_salt: [7; 16], codes: vec![code(1), code(2)] }
}

fn used(code: u128, purpose: RecoveryPurpose, decision: DecisionId) -> RecoveryCodeUse {
    RecoveryCodeUse { tenant: tenant(), code: RecoveryCodeId(Uuid::from_u128(code)), purpose, decision, at: at(6) }
}

fn reset(key: Option<&str>, second: i64) -> NewReset {
    NewReset {
        tenant: tenant(),
        id: Uuid::new_v4(),
        user: user("u1"),
        reason: "lost".into(),
        author: "Kim".into(),
        actor: "key-1".into(),
        idempotency_key: key.map(str::to_owned),
        at: at(second),
        permitted_until: at(second + 100),
    }
}

#[tokio::test]
async fn a_code_is_used_once_for_one_thing_even_after_a_restart() {
    let world = World::new().await;
    Phone::enrolled(&world.store, "u1", "c1").await;
    world.store.issue_recovery_codes(&tenant(), &user("u1"), codes(), "key-1", at(1)).await.unwrap();
    let (withheld, challenge) = challenged("u1", "k1", 5);
    let decision = withheld.id;
    world.store.record_decision(withheld).await.unwrap();
    let done = world.store.use_recovery_code(used(1, RecoveryPurpose::Approval, decision)).await.unwrap();
    assert_eq!((done.left, done.repeated, done.decision.state), (1, false, ActionState::ChallengeSucceeded));
    assert_eq!(done.decision.verification_method.as_deref(), Some(RECOVERY_CODE));
    assert_eq!(done.cancelled.len(), 1);
    assert_eq!(done.cancelled[0].after.id(), challenge.id());

    let world = world.reopened().await;
    let entries = world.entries().await;
    let again = world.store.use_recovery_code(used(1, RecoveryPurpose::Approval, decision)).await.unwrap();
    assert!(again.repeated);
    assert_eq!(world.entries().await, entries, "a repeat writes nothing");
    for (code, purpose) in [(1, RecoveryPurpose::Enrolment), (3, RecoveryPurpose::Enrolment)] {
        let refused = world.store.use_recovery_code(used(code, purpose, decision)).await;
        assert!(matches!(refused, Err(RecoveryCodeError::Spent)), "{refused:?}");
    }
    let refused = world.store.use_recovery_code(used(2, RecoveryPurpose::Approval, decision)).await;
    assert!(matches!(refused, Err(RecoveryCodeError::NotAsked)), "{refused:?}");
    assert_eq!(world.store.recovery_standing(&tenant(), &user("u1")).await.unwrap().codes_left, 1);
}

#[tokio::test]
async fn of_fifty_uses_of_one_code_at_once_one_counts() {
    let world = World::new().await;
    world.store.issue_recovery_codes(&tenant(), &user("u1"), codes(), "key-1", at(1)).await.unwrap();
    let mut decisions = Vec::new();
    for n in 0..50 {
        let (withheld, _) = challenged("u1", &format!("k{n}"), 5);
        decisions.push(withheld.id);
        world.store.record_decision(withheld).await.unwrap();
    }
    let uses = decisions.into_iter().map(|decision| {
        let store = world.store.clone();
        tokio::spawn(async move { store.use_recovery_code(used(1, RecoveryPurpose::Approval, decision)).await })
    });
    let mut won = 0;
    for one in uses.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(done) => won += u32::from(!done.repeated),
            Err(refused) => assert!(matches!(refused, RecoveryCodeError::Spent), "{refused}"),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn resets_at_once_with_one_key_are_one_reset() {
    let world = World::new().await;
    Phone::enrolled(&world.store, "u1", "c1").await;
    let resets = (0..20).map(|_| {
        let store = world.store.clone();
        tokio::spawn(async move { store.reset_user(reset(Some("ticket"), 2)).await })
    });
    let mut ids = std::collections::BTreeSet::new();
    let mut first = 0;
    for one in resets.collect::<Vec<_>>() {
        let done = one.await.unwrap().unwrap();
        ids.insert(done.reset.id);
        first += u32::from(!done.repeated);
    }
    assert_eq!((ids.len(), first), (1, 1));
    assert!(world.store.credentials(&tenant(), &user("u1")).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_code_or_a_reset_that_is_changed_by_hand_is_noticed() {
    for (table, statement) in [
        (
            "recovery_codes",
            "UPDATE recovery_codes SET ended_at = NULL, purpose = NULL, decision = NULL WHERE ended_at IS NOT NULL",
        ),
        ("recovery_codes", "UPDATE recovery_codes SET hash = zeroblob(32) WHERE ended_at IS NULL"),
        ("resets", "UPDATE resets SET author = 'nobody'"),
        ("guesses", "UPDATE guesses SET forgiven_at = 0"),
        ("arrivals", "UPDATE arrivals SET token = 'another'"),
        ("resets", "UPDATE resets SET permitted_until = permitted_until + 86400000"),
    ] {
        let world = World::new().await;
        Phone::enrolled(&world.store, "u1", "c1").await;
        world.store.reset_user(reset(None, 2)).await.unwrap();
        world.store.issue_recovery_codes(&tenant(), &user("u1"), codes(), "key-1", at(3)).await.unwrap();
        let (withheld, _) = challenged("u1", "k1", 5);
        let decision = withheld.id;
        world.store.record_decision(withheld).await.unwrap();
        world.store.use_recovery_code(used(1, RecoveryPurpose::Enrolment, decision)).await.unwrap();
        let limit = GuessLimit { burst: 5, each: SignedDuration::from_mins(1) };
        let guess = NewGuess { tenant: tenant(), user: user("u1"), pseudonym: Uuid::new_v4(), limit, at: at(7) };
        world.store.count_guess(guess).await.unwrap();
        let database = world.database();
        let folder = world.closed().await;
        let sound = audit::verify(&database, Some(&signer().verifier())).await.unwrap();
        assert!(sound.first_bad.is_none(), "{:?}", sound.first_bad);

        let mut conn = SqliteConnectOptions::new().filename(&database).connect().await.unwrap();
        conn.execute(statement).await.unwrap();
        conn.close().await.unwrap();
        let found = audit::verify(&database, Some(&signer().verifier())).await.unwrap().first_bad;
        let found = found.unwrap_or_else(|| panic!("{statement}: unnoticed"));
        assert_eq!(found.what, "row-changed", "{found:?}");
        assert!(found.id.as_deref().is_some_and(|id| id.starts_with(table)), "{found:?}");
        drop(folder);
    }
}
