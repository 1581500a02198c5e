//! What needs a hand on the writer's own connection.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Executor;

use super::*;
use crate::audit::LogSigner;
use crate::store::model::{NewTenant, TenantId};
use crate::store::verbs::PutTenant;
use crate::store::{Store, StoreError};

fn options(folder: &tempfile::TempDir) -> Options {
    let signer = LogSigner::from_seed("test.example/log", &[42; 32]).unwrap();
    Options::new(folder.path().join("stepup.db"), Arc::new(signer))
}

fn tenant(n: usize, bytes: usize) -> PutTenant {
    PutTenant(NewTenant {
        id: TenantId::parse(format!("t{n}")).unwrap(),
        name: "x".repeat(bytes),
        settings: "{}".to_owned(),
        at: Timestamp::UNIX_EPOCH,
    })
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    let mut opened = open::open(&options).await.unwrap();
    // SQLite itself reports SQLITE_FULL beyond this, as it does when the file system has no space.
    opened.batch.conn().execute("PRAGMA max_page_count = 120").await.unwrap();
    let store = Sqlite::start(opened, &options);
    let (mut written, mut refused) = (0, 0);
    for n in 0..60 {
        match store.submit(tenant(n, 20_000)).await {
            Ok(_) => {
                assert_eq!(refused, 0, "nothing large fits once the disk is full");
                written += 1;
            }
            Err(StoreError::Full(_)) => {
                assert!(matches!(store.health(), Health::Full(_)));
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(written > 0 && refused > 0, "{written} written, {refused} refused");
    assert_eq!(store.tenants().await.unwrap().len(), written, "reads go on");
    store.close().await;
    drop(store);
    // With space again everything that was acknowledged is there, nothing else, and the log goes on.
    let store = Store::open(options.clone()).await.unwrap();
    assert_eq!(store.log_head().await.unwrap().size as usize, written);
    store.inner.submit(tenant(99, 20_000)).await.unwrap();
    store.close().await;
    let report = crate::audit::verify(&options.path, Some(&options.signer.verifier())).await.unwrap();
    assert!(report.is_good(), "{}", report.to_text());
}

#[tokio::test]
async fn a_failed_write_to_the_disk_ends_all_writing() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    let mut opened = open::open(&options).await.unwrap();
    // The connection loses its right to write: any error that is not of one statement counts as the disk's.
    opened.batch.conn().execute("PRAGMA query_only = ON").await.unwrap();
    let store = Sqlite::start(opened, &options);
    assert!(matches!(store.submit(tenant(1, 1)).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.health(), Health::ReadOnly(_)));
    // Even if the disk were well again: what it holds is unknown until a restart reads it.
    assert!(matches!(store.submit(tenant(2, 1)).await, Err(StoreError::Unavailable(_))));
    assert!(store.tenants().await.unwrap().is_empty());
    store.close().await;
}

#[tokio::test]
async fn every_table_of_state_has_the_columns_that_its_digest_covers() {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = open::open(&options(&folder)).await.unwrap();
    let logged = ["audit_entries", "audit_checkpoints", "audit_head", "documents", "outbox", "_sqlx_migrations"];
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .fetch_all(opened.batch.conn())
        .await
        .unwrap();
    let state: Vec<_> = names.iter().filter(|name| !logged.contains(&name.as_str())).collect();
    assert_eq!(state.len(), super::super::tables::ALL.len());
    for table in super::super::tables::ALL {
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?) ORDER BY cid")
            .bind(table.name)
            .fetch_all(opened.batch.conn())
            .await
            .unwrap();
        let mut covered: Vec<&str> = table.columns.to_vec();
        covered.extend(["salt", "seq"]);
        assert_eq!(columns, covered, "{}", table.name);
    }
}
