//! Under load the writer commits many units at once, and every one of them is there.

use std::collections::HashSet;

use server::audit;
use server::store::*;

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_unit_of_a_mixed_load_is_in_the_log_once() {
    let world = World::new().await;
    let phone = Phone::enrolled(&world.store, "u1", "c1").await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..32_i64 {
        let store = world.store.clone();
        let (allowed, (withheld, challenge)) =
            (decision("u2", &format!("k{task}"), task), challenged("u1", &format!("k{task}"), task));
        let (claim, approve) = (phone.claim(challenge.id(), task + 1), phone.approve(challenge.id(), task + 2));
        tasks.spawn(async move {
            let mut seqs = vec![store.record_decision(allowed.clone()).await.unwrap().seq];
            assert!(matches!(store.record_decision(allowed).await, Err(RecordError::Duplicate(_))));
            seqs.push(store.record_decision(withheld).await.unwrap().seq);
            seqs.push(store.transition(claim).await.unwrap().seq.unwrap());
            seqs.push(store.transition(approve).await.unwrap().seq.unwrap());
            seqs
        });
    }
    let seqs: Vec<Seq> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(seqs.iter().collect::<HashSet<_>>().len(), 32 * 4, "no number was given twice");
    // One more entry per challenge that a decision made, and one for the phone.
    assert_eq!(world.entries().await, 32 * 5 + 1);
    let journal = world.store.journal(None, 1_000).await.unwrap();
    assert!(journal.is_sorted_by_key(JournalEntry::seq));
    assert_eq!(journal.len(), 32 * 3);
    let database = world.database();
    let _folder = world.closed().await;
    let report = audit::verify(&database, Some(&signer().verifier())).await.unwrap();
    assert!(report.is_good(), "{}", report.to_text());
    assert_eq!(report.entries, 32 * 5 + 1);
}
