//! What survives a restart, and which databases are not opened.

use std::fs;

use server::audit;
use server::store::*;

use crate::support::*;

#[tokio::test]
async fn a_reopened_store_goes_on_where_it_ended() {
    let mut world = World::new().await;
    for round in 0..3 {
        for n in 0..5 {
            let new = decision("u1", &format!("{round}-{n}"), round * 10 + n);
            assert_eq!(world.store.record_decision(new).await.unwrap().seq, (round * 5 + n) as u64);
        }
        let journal = world.store.journal(None, 100).await.unwrap();
        world = world.reopened().await;
        assert_eq!(world.store.journal(None, 100).await.unwrap(), journal);
    }
    let report = audit::verify(&world.database(), Some(&signer().verifier())).await.unwrap();
    assert!(report.is_good(), "{}", report.to_text());
    assert_eq!(report.entries, 15);
}

#[tokio::test]
async fn what_was_acknowledged_is_in_the_files_at_that_moment() {
    let world = World::new().await;
    for n in 0..10 {
        world.store.record_decision(decision("u1", &format!("k{n}"), n)).await.unwrap();
        // The files as a kill would leave them: nobody closed anything.
        let left = tempfile::tempdir().unwrap();
        for name in ["stepup.db", "stepup.db-wal"] {
            fs::copy(world.folder.path().join(name), left.path().join(name)).unwrap();
        }
        let store = open(&left.path().join("stepup.db")).await.unwrap();
        assert_eq!(store.log_head().await.unwrap().size, n as u64 + 1);
        store.record_decision(decision("u1", "after", 100)).await.unwrap();
        store.close().await;
        let report = audit::verify(&left.path().join("stepup.db"), Some(&signer().verifier())).await.unwrap();
        assert!(report.is_good(), "{}", report.to_text());
    }
}

#[tokio::test]
async fn a_database_older_than_its_checkpoint_file_is_refused() {
    let world = World::new().await;
    for n in 0..3 {
        world.store.record_decision(decision("u1", &format!("k{n}"), n)).await.unwrap();
    }
    let world = world.reopened().await;
    let backup = world.folder.path().join("backup.db");
    fs::copy(world.database(), &backup).unwrap();
    world.store.record_decision(decision("u1", "k9", 9)).await.unwrap();
    let database = world.database();
    let folder = world.closed().await;
    fs::copy(&backup, &database).unwrap();
    match open(&database).await {
        Err(OpenError::RolledBack { signed: 4, stored: 3, .. }) => {}
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opened"),
    }
    let report = audit::verify(&database, Some(&signer().verifier())).await.unwrap();
    let bad = report.first_bad.unwrap();
    assert_eq!((bad.seq, bad.what), (Some(3), "entry-missing"));
    // A database that is gone altogether is the same thing.
    fs::remove_file(&database).unwrap();
    assert!(matches!(open(&database).await, Err(OpenError::RolledBack { signed: 4, stored: 0, .. })));
    drop(folder);
}

#[tokio::test]
async fn a_database_with_another_beginning_is_refused() {
    let (one, other) = (World::new().await, World::new().await);
    for n in 0..3 {
        one.store.record_decision(decision("u1", &format!("k{n}"), n)).await.unwrap();
        for m in 0..2 {
            other.store.record_decision(decision("u2", &format!("k{n}-{m}"), n)).await.unwrap();
        }
    }
    let (database, from) = (one.database(), other.database());
    let (_one, _other) = (one.closed().await, other.closed().await);
    fs::copy(from, &database).unwrap();
    assert!(matches!(open(&database).await, Err(OpenError::Damaged(_))));
    let report = audit::verify(&database, Some(&signer().verifier())).await.unwrap();
    assert_eq!(report.first_bad.unwrap().what, "root-differs");
}

#[tokio::test]
async fn two_stores_never_write_the_same_database() {
    let world = World::new().await;
    assert!(matches!(open(&world.database()).await, Err(OpenError::InUse { .. })));
    let world = world.reopened().await;
    world.store.record_decision(decision("u1", "k1", 0)).await.unwrap();
}

#[tokio::test]
async fn a_log_is_not_continued_with_another_key() {
    let world = World::new().await;
    world.store.record_decision(decision("u1", "k1", 0)).await.unwrap();
    let database = world.database();
    let _folder = world.closed().await;
    let other = std::sync::Arc::new(audit::LogSigner::from_seed("test.example/log", &[43; 32]).unwrap());
    assert!(matches!(Store::open(Options::new(&database, other)).await, Err(OpenError::Damaged(_))));
}

#[tokio::test]
async fn a_closed_store_refuses_and_says_so() {
    let world = World::new().await;
    world.store.close().await;
    let refused = world.store.record_decision(decision("u1", "k1", 0)).await;
    assert!(matches!(refused, Err(RecordError::Store(StoreError::Unavailable(_)))), "{refused:?}");
}

#[tokio::test]
async fn what_waits_when_the_store_closes_is_written_or_refused_never_forgotten() {
    let world = World::new().await;
    let tries: Vec<_> = (0..200)
        .map(|n| {
            let (store, new) = (world.store.clone(), decision("u1", &format!("k{n}"), n));
            tokio::spawn(async move { store.record_decision(new).await })
        })
        .collect();
    tokio::task::yield_now().await;
    world.store.close().await;
    let mut written = 0;
    for tried in tries {
        match tried.await.unwrap() {
            Ok(_) => written += 1,
            Err(RecordError::Store(StoreError::Unavailable(_))) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let database = world.database();
    let _folder = world.closed().await;
    let report = audit::verify(&database, None).await.unwrap();
    assert!(report.is_good(), "{}", report.to_text());
    assert_eq!(report.entries, written);
}
