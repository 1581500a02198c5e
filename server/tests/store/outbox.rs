//! What webhooks have to tell is written with what it tells of.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use server::audit;
use server::store::*;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};

use crate::support::*;

/// A store of which `all` wants to hear everything and `removals` of removed phones alone.
async fn listened_to(path: &Path) -> Store {
    let subscription =
        |endpoint: &str, events: &[EventType]| Subscription { endpoint: endpoint.into(), events: events.to_vec() };
    let of_tenant =
        vec![subscription("all", EventType::ALL), subscription("removals", &[EventType::CredentialRemoved])];
    let subscriptions = Arc::new(HashMap::from([(tenant().to_string(), of_tenant)]));
    Store::open(Options { subscriptions, ..Options::new(path, signer()) }).await.unwrap()
}

async fn due(store: &Store, endpoint: &str, second: i64) -> Vec<Delivery> {
    store.due_deliveries(&tenant(), endpoint, at(second), 100).await.unwrap()
}

async fn types(store: &Store, endpoint: &str) -> Vec<&'static str> {
    due(store, endpoint, 1_000).await.iter().map(|delivery| delivery.kind.as_str()).collect()
}

#[tokio::test]
async fn everything_that_happened_waits_to_be_told_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stepup.db");
    let store = listened_to(&path).await;
    let phone = Phone::enrolled(&store, "u1", "c1").await;
    let (new, challenge) = challenged("u1", "k1", 1);
    store.record_decision(new.clone()).await.unwrap();
    // What is refused did not happen, a second decision of the same name; but a user hears of a stranger's claim.
    let stranger = Phone::enrolled(&store, "u2", "c2").await;
    store.transition(stranger.claim(challenge.id(), 2)).await.unwrap_err();
    store.record_decision(new).await.unwrap_err();
    store.transition(phone.claim(challenge.id(), 3)).await.unwrap();
    store.transition(phone.approve(challenge.id(), 4)).await.unwrap();
    // A repeat changes nothing.
    store.transition(phone.approve(challenge.id(), 5)).await.unwrap();
    store.revoke_credential(&tenant(), &phone.credential.id, "k", at(6)).await.unwrap();
    store.tell(&tenant(), Event::notice("recovery_code_used", &user("u1")).with("codesLeft", 7), at(7)).await.unwrap();

    let told = [
        "credential.added",
        "decision.recorded",
        "challenge.generated",
        "credential.added",
        "notice",
        "challenge.claimed",
        "challenge.approved",
        "decision.changed",
        "credential.removed",
        "notice",
    ];
    assert_eq!(types(&store, "all").await, told);
    assert_eq!(types(&store, "removals").await, ["credential.removed"]);
    // A restart forgets none of it, and the log is as good as without.
    store.close().await;
    drop(store);
    let store = listened_to(&path).await;
    let waiting = due(&store, "all", 1_000).await;
    assert_eq!(waiting.iter().map(|delivery| delivery.kind.as_str()).collect::<Vec<_>>(), told);
    let data: HashMap<String, String> = serde_json::from_str(&waiting[6].data).unwrap();
    let warning: HashMap<String, String> = serde_json::from_str(&waiting[4].data).unwrap();
    assert_eq!((warning["notice"].as_str(), warning["userId"].as_str()), ("another_users_phone", "u1"));
    let fact = |name: &str| data.get(name).map(String::as_str);
    assert_eq!(
        (fact("userId"), fact("state"), fact("userAuthenticatorId")),
        (Some("u1"), Some("approved"), Some("c1"))
    );
    assert_eq!(fact("challengeId"), Some(challenge.id().to_string().as_str()));
    let removed = &due(&store, "removals", 1_000).await[0];
    assert_eq!(removed.event, waiting[8].event, "one event has one id at every endpoint");
    store.close().await;
    let report = audit::verify(&path, Some(&signer().verifier())).await.unwrap();
    assert!(report.is_good(), "{}", report.to_text());
}

#[tokio::test]
async fn t16_the_decline_that_shuts_prompting_out_is_told_once_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stepup.db");
    let store = listened_to(&path).await;
    let phone = Phone::enrolled(&store, "u1", "c1").await;
    let decline = async |key: &str, second: i64| {
        let (new, challenge) = challenged("u1", key, second);
        store.record_decision(new).await.unwrap();
        store.transition(phone.claim(challenge.id(), second)).await.unwrap();
        store.transition(phone.reject(challenge.id(), second)).await.unwrap();
        // A repeat says nothing twice.
        store.transition(phone.reject(challenge.id(), second)).await.unwrap();
    };
    // The third within a quarter of an hour shuts; the fourth makes it longer; the next after it is over needs two more.
    for (key, second) in [("k1", 0), ("k2", 400), ("k3", 800), ("k4", 900), ("k5", 1_800), ("k6", 1_900), ("k7", 2_000)]
    {
        decline(key, second).await;
    }
    let waiting = due(&store, "all", 10_000).await.into_iter().filter(|delivery| delivery.kind == EventType::Notice);
    let notices: Vec<HashMap<String, String>> =
        waiting.map(|delivery| serde_json::from_str(&delivery.data).unwrap()).collect();
    let told: Vec<_> = notices.iter().map(|told| (told["notice"].as_str(), told["until"].clone())).collect();
    let until = |second: i64| ("user_left_alone", format!("{:.3}", at(second)));
    assert_eq!(told, [until(800 + 900), until(2_000 + 900)]);
    assert!(notices.iter().all(|told| told["userId"] == "u1" && told["actionCode"] == "withdrawal"));
    store.close().await;
    let report = audit::verify(&path, Some(&signer().verifier())).await.unwrap();
    assert!(report.is_good(), "{}", report.to_text());
}

#[tokio::test]
async fn an_event_is_told_once_though_its_batch_was_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = listened_to(&folder.path().join("stepup.db")).await;
    // Duplicates make the writer undo the batch and go through it one by one.
    let tries = (0..64).map(|n| store.record_decision(decision("u1", &format!("k{}", n % 8), n)));
    let recorded = futures_util::future::join_all(tries).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(recorded, 8);
    assert_eq!(types(&store, "all").await, ["decision.recorded"; 8]);
}

#[tokio::test]
async fn what_was_acknowledged_waits_to_be_told_in_the_files_at_that_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stepup.db");
    let store = listened_to(&path).await;
    for n in 0..5 {
        store.record_decision(decision("u1", &format!("k{n}"), n)).await.unwrap();
        // The files as a kill would leave them: nobody closed anything.
        let left = tempfile::tempdir().unwrap();
        for name in ["stepup.db", "stepup.db-wal"] {
            std::fs::copy(folder.path().join(name), left.path().join(name)).unwrap();
        }
        let store = listened_to(&left.path().join("stepup.db")).await;
        assert_eq!(types(&store, "all").await.len() as i64, n + 1);
        store.close().await;
    }
}

#[tokio::test]
async fn nobody_subscribed_means_nothing_is_kept() {
    let world = World::new().await;
    world.store.record_decision(decision("u1", "k1", 0)).await.unwrap();
    assert!(world.store.waiting_deliveries().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_attempt_ends_waits_or_dies_and_the_dead_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = listened_to(&folder.path().join("stepup.db")).await;
    for n in 0..3 {
        store.record_decision(decision("u1", &format!("k{n}"), n)).await.unwrap();
    }
    let waiting = due(&store, "all", 10).await;
    let failure = || "503".to_owned();
    store.settle_delivery(&waiting[0], Attempted::Delivered, at(10)).await.unwrap();
    store.settle_delivery(&waiting[1], Attempted::Later { at: at(60), failure: failure() }, at(10)).await.unwrap();
    store.settle_delivery(&waiting[2], Attempted::Dead { failure: failure() }, at(10)).await.unwrap();
    // What has ended stays so, whoever else reports an attempt of it.
    store.settle_delivery(&waiting[0], Attempted::Later { at: at(11), failure: failure() }, at(11)).await.unwrap();
    assert!(due(&store, "all", 59).await.is_empty());
    let again = due(&store, "all", 60).await;
    assert_eq!(
        again.iter().map(|delivery| (delivery.number, delivery.attempts)).collect::<Vec<_>>(),
        [(waiting[1].number, 1)]
    );
    let dead = |which: DeadLetters| {
        let store = &store;
        async move { store.dead_letters(&tenant(), &which, &PageRequest::first(100)).await.unwrap().items }
    };
    let all = dead(DeadLetters::default()).await;
    assert_eq!(
        all.iter().map(|dead| (dead.event, dead.failure.clone())).collect::<Vec<_>>(),
        [(waiting[2].event, Some(failure()))]
    );
    let elsewhere = DeadLetters { endpoint: Some("removals".to_owned()), event: None };
    assert!(dead(elsewhere.clone()).await.is_empty());
    assert_eq!(store.redeliver(&tenant(), elsewhere, "key", at(61)).await.unwrap(), 0);
    let foreign = TenantId::parse("t2").unwrap();
    assert_eq!(store.redeliver(&foreign, DeadLetters::default(), "key", at(61)).await.unwrap(), 0);
    let which = DeadLetters { event: Some(waiting[2].event), endpoint: None };
    assert_eq!(store.redeliver(&tenant(), which, "key", at(61)).await.unwrap(), 1);
    assert!(due(&store, "all", 61).await.iter().any(|back| back.event == waiting[2].event && back.attempts == 0));
    // Only what has ended long enough ago goes.
    assert_eq!(store.prune_outbox(at(10), at(10), 100).await.unwrap(), 0);
    assert_eq!(store.prune_outbox(at(11), at(11), 100).await.unwrap(), 1);
    assert_eq!(due(&store, "all", 100).await.len(), 2);
}

#[tokio::test]
async fn what_webhooks_tell_is_vouched_for_by_the_log() {
    for statement in [
        "UPDATE outbox SET data = replace(data, 'u1', 'u2') WHERE number = 1",
        "UPDATE outbox SET type = 'credential.removed' WHERE number = 1",
        "UPDATE outbox SET endpoint = 'elsewhere' WHERE number = 2",
        "UPDATE outbox SET tenant = 'another' WHERE number = 2",
        "UPDATE outbox SET event = randomblob(16) WHERE number = 3",
        "UPDATE outbox SET time = time + 1 WHERE number = 3",
        "UPDATE outbox SET seq = seq + 1 WHERE number = 1",
        "UPDATE outbox SET seq = 9999 WHERE number = 1",
        "INSERT INTO outbox (tenant, endpoint, event, type, time, data, salt, seq, state, attempts, at) \
         SELECT tenant, endpoint, randomblob(16), type, time, data, salt, seq, 'waiting', 0, at FROM outbox LIMIT 1",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stepup.db");
        let store = listened_to(&path).await;
        Phone::enrolled(&store, "u1", "c1").await;
        store.record_decision(decision("u1", "k1", 1)).await.unwrap();
        store.revoke_credential(&tenant(), &CredentialId::parse("c1").unwrap(), "k", at(6)).await.unwrap();
        // How a delivery goes is nobody's to vouch for, and what is done may go.
        let first = due(&store, "all", 1_000).await.remove(0);
        store.settle_delivery(&first, Attempted::Later { at: at(9), failure: "busy".into() }, at(8)).await.unwrap();
        let removal = due(&store, "removals", 1_000).await.remove(0);
        store.settle_delivery(&removal, Attempted::Delivered, at(8)).await.unwrap();
        store.prune_outbox(at(100), at(100), 10).await.unwrap();
        store.close().await;
        drop(store);
        let sound = audit::verify(&path, Some(&signer().verifier())).await.unwrap();
        assert!(sound.first_bad.is_none(), "{:?}", sound.first_bad);

        let mut conn = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
        assert_eq!(conn.execute(statement).await.unwrap().rows_affected(), 1, "{statement}");
        conn.close().await.unwrap();
        let found = audit::verify(&path, Some(&signer().verifier())).await.unwrap().first_bad;
        let found = found.unwrap_or_else(|| panic!("{statement}: unnoticed"));
        assert_eq!((found.what, found.kind.as_deref()), ("webhook-changed", Some("outbox")), "{statement}: {found:?}");
    }
}
