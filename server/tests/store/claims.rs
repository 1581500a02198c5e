//! A challenge has one claimer (T-03), and no counter is ever taken back (T-17, T-31).
//!
//! The races know a database by the trait [`Challenges`] alone: another one joins with one more line in each test.

use challenge::{AnswerError, Challenge, ClaimError, Credential, Effect, Subject};
use server::store::*;

use crate::support::*;

/// `STEPUP_CLAIM_ROUNDS=500` for the long form.
fn rounds() -> usize {
    std::env::var("STEPUP_CLAIM_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(12)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_32_concurrent_claims_exactly_one_wins() {
    one_wins(&World::new().await.store).await;
}

async fn one_wins(store: &impl Challenges) {
    let mut phones = Vec::new();
    for n in 0..32 {
        phones.push(Phone::enrolled(store, &format!("u{n}"), &format!("c{n}")).await);
    }
    for round in 0..rounds() {
        let challenge = generate(Subject::Anonymous, 0);
        let id = challenge.id();
        let new = NewChallenge { challenge, decision: None, supersedes: None };
        store.create_challenge(new).await.unwrap();
        let before = store.log_head().await.unwrap().size;
        let tries = phones.iter().map(|phone| {
            let (store, request) = (store.clone(), phone.claim(id, 1));
            tokio::spawn(async move { store.transition(request).await })
        });
        let mut won = Vec::new();
        for tried in futures_util::future::join_all(tries).await {
            match tried.unwrap() {
                Ok(step) => won.push(step),
                Err(TransitionError::Claim(ClaimError::AlreadyClaimed)) => {}
                Err(other) => panic!("round {round}: {other}"),
            }
        }
        let [winner] = won.as_slice() else { panic!("round {round}: {} claims won", won.len()) };
        assert_eq!(winner.effect, Effect::Moved);
        let stored = store.challenge(&tenant(), id).await.unwrap().unwrap();
        assert_eq!(stored.challenge.state().claim().unwrap().by, winner.after.state().claim().unwrap().by);
        assert_eq!(store.log_head().await.unwrap().size - before, 32, "one entry for the claim, one for each refusal");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_100_concurrent_wrong_codes_three_are_counted() {
    let world = World::new().await;
    let challenge = three_are_counted(&world.store).await;
    let world = world.reopened().await;
    let stored = world.store.challenge(&tenant(), challenge).await.unwrap().unwrap();
    assert_eq!(stored.challenge.state().name(), "rejected");
    assert_eq!(stored.challenge.state().claim().unwrap().wrong_codes, 3);
}

async fn three_are_counted(store: &impl Challenges) -> ChallengeId {
    let phone = Phone::enrolled(store, "u1", "c1").await;
    let (decision, challenge) = challenged("u1", "k1", 0);
    store.record_decision(decision).await.unwrap();
    store.transition(phone.claim_asking_for(challenge.id(), 1, Some("42"))).await.unwrap();
    let tries = (0..100).map(|_| {
        let request = phone.answer(challenge.id(), at(2), challenge::Decision::Approve, "41");
        let store = store.clone();
        tokio::spawn(async move { store.transition(request).await })
    });
    let mut counted = Vec::new();
    for tried in futures_util::future::join_all(tries).await {
        match tried.unwrap() {
            Ok(step) => counted.push(step.effect),
            Err(TransitionError::Answer(AnswerError::AlreadyAnswered)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    counted.sort_by_key(|effect| format!("{effect:?}"));
    assert_eq!(counted, [0, 1, 2].map(|attempts_left| Effect::WrongCode { attempts_left }));
    challenge.id()
}

#[tokio::test]
async fn a_repeated_claim_or_answer_changes_nothing() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let (decision, challenge) = challenged("u1", "k1", 0);
    world.store.record_decision(decision).await.unwrap();
    world.store.transition(phone.claim(challenge.id(), 1)).await.unwrap();
    assert_eq!(world.store.transition(phone.approve(challenge.id(), 2)).await.unwrap().effect, Effect::Moved);
    let entries = world.entries().await;
    for _ in 0..10 {
        let again = world.store.transition(phone.approve(challenge.id(), 3)).await.unwrap();
        assert_eq!((again.effect, again.seq), (Effect::Repeated, None));
    }
    assert_eq!(world.entries().await, entries);
}

/// A fault in the code that judges must not reach the disk: the store asks the invariants of every step.
#[tokio::test]
async fn a_step_that_breaks_an_invariant_is_not_written() {
    let world = World::new().await;
    let ann = Phone::enrolled(&world.store, "u1", "c1").await;
    let bob = Phone::enrolled(&world.store, "u2", "c2").await;
    let fresh = generate(Subject::Anonymous, 0);
    let foreign = generate(Subject::Anonymous, 0);
    let id = fresh.id();
    let new = NewChallenge { challenge: fresh.clone(), decision: None, supersedes: None };
    world.store.create_challenge(new).await.unwrap();
    // Each judge decides as if the challenge were this one, at this time, for this phone.
    let claims = |phone: &Phone, challenge: &Challenge, when: i64, signer: Option<Credential>| {
        let challenge = challenge.clone();
        let attempt = phone.claim_attempt(challenge.id());
        let judge = move |_: &Challenge, own: &Credential, _: jiff::Timestamp| {
            challenge.claim(signer.as_ref().unwrap_or(own), &attempt, at(when))
        };
        Operation::claim(phone.credential.id.clone(), judge)
    };
    let step = async |operation, second| {
        let entries = world.entries().await;
        let request = TransitionRequest { tenant: tenant(), challenge: id, operation, at: at(second) };
        let refused = world.store.transition(request).await;
        assert_eq!(world.entries().await, entries, "nothing is written");
        match refused {
            Err(TransitionError::Store(StoreError::Damaged(why))) => why.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert!(step(claims(&ann, &foreign, 1, None), 1).await.contains("I9"));
    assert!(step(claims(&ann, &fresh, 1, None), 700).await.contains("I4"));
    assert!(
        step(claims(&bob, &fresh, 1, Some(Credential { user: user("u1"), ..bob.credential.clone() })), 1)
            .await
            .contains("I2, I8, I11")
    );
    world.store.transition(ann.claim(id, 1)).await.unwrap();
    assert!(step(claims(&bob, &fresh, 1, None), 1).await.contains("one version more"));
    world.store.transition(ann.approve(id, 2)).await.unwrap();
    assert!(step(claims(&bob, &fresh, 1, None), 3).await.contains("I3"));
    assert_eq!(world.store.challenge(&tenant(), id).await.unwrap().unwrap().challenge.state().name(), "approved");
}
