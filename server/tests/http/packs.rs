//! A pack is in force only if it compiles; one that asks other questions knows the past from its first moment.

use std::path::Path;

use serde_json::{Value, json};
use server::app::{App, StartError};
use server::config::Config;

use crate::support::World;

const FEW: &str = "event pay { amount: money  payee: string }\n\
    reason MANY \"many\"\n\
    policy p on pay { default allow\n  rule many { when count() of pay by user over 1h >= 3 then block reason MANY } }";
/// Another window, another key, a lower threshold.
const FEWER: &str = "event pay { amount: money  payee: string }\n\
    reason MANY \"many\"\n\
    policy p on pay { default allow\n  rule many { when count() of pay by payee over 2h >= 2 then block reason MANY } }";
const BROKEN: &str = "event pay { amount: mony }\npolicy p on pay { default allow }";

fn write(world: &World, rules: &str) {
    std::fs::write(world.data.path().join("pack/pack.rules"), rules).expect("written");
}

async fn reload(world: &World) {
    world.app.policies.reload(&world.app.store, server::clock::Clock::now(&*world.clock)).await;
}

async fn pay(world: &World, user: &str) -> Value {
    let body = json!({"amount": "1.00 EUR", "payee": "shop"});
    world.post(&format!("/v1/users/{user}/actions/pay"), body).await.ok()
}

#[tokio::test]
async fn a_service_whose_pack_does_not_compile_does_not_start_and_shows_why() {
    let data = tempfile::tempdir().expect("a folder");
    let mut config = Config::demo(data.path(), 8080);
    config.policies.pack = data.path().join("pack");
    let start = |config: Config| async { App::start(config).await.map(drop).expect_err("a broken pack") };
    let absent = start(config.clone()).await;
    assert!(
        matches!(&absent, StartError::Config { key, .. } if key == "policies.pack"),
        "a pack that is not there: {absent}"
    );
    std::fs::create_dir_all(&config.policies.pack).expect("a folder");
    std::fs::write(config.policies.pack.join("a.rules"), BROKEN).expect("written");
    let error = start(config).await;
    let text = error.to_string();
    assert!(matches!(error, StartError::Pack(_)), "{text}");
    assert!(text.contains("a.rules") && text.contains("mony") && text.contains("money"), "{text}");
    assert!(Path::new(&data.path().join("stepup.db")).exists(), "what was there stays");
}

#[tokio::test]
async fn a_reload_that_fails_keeps_the_last_good_pack_and_says_so() {
    let world = World::with_rules(FEW).await;
    let before = world.get("/v1/policies").await.ok();
    write(&world, BROKEN);
    reload(&world).await;
    let after = world.get("/v1/policies").await.ok();
    assert_eq!(after["version"], before["version"]);
    assert!(after["reloadFailure"]["report"].as_str().is_some_and(|report| report.contains("mony")), "{after:#}");
    assert_eq!(world.get("/readyz").await.ok()["policies"]["failedReloads"], 2, "both tenants use the pack");
    assert_eq!(pay(&world, "ada").await["outcome"], "allow");
    write(&world, FEW);
    reload(&world).await;
    assert_eq!(world.get("/v1/policies").await.ok().get("reloadFailure"), None);
}

/// Two years later, a decision's `policyVersion` is all that is known of its rules.
#[tokio::test]
async fn the_text_of_a_pack_can_be_read_when_another_is_in_force() {
    let world = World::with_rules(FEW).await;
    let decided = pay(&world, "ada").await;
    let path = format!("/v1/policies/{}", decided["policyVersion"].as_str().expect("a version"));
    let now = world.get(&path).await.ok();
    assert_eq!((&now["files"]["pack.rules"], &now["inForce"]), (&json!(FEW), &json!(true)), "{now}");
    write(&world, &format!("{FEW}\n# another\n"));
    reload(&world).await;
    let then = world.get(&path).await.ok();
    assert_eq!((&then["files"], &then["inForce"]), (&now["files"], &json!(false)), "{then}");
    world.get("/v1/policies/sha256:0").await.refused(404, "not_found");
}

#[tokio::test]
async fn a_pack_that_takes_over_knows_what_happened_before_it() {
    let world = World::with_rules(FEW).await;
    for user in ["ada", "bob"] {
        assert_eq!(pay(&world, user).await["outcome"], "allow");
    }
    let entries = world.entries().await;
    write(&world, FEWER);
    reload(&world).await;
    assert_eq!(world.entries().await, entries + 2, "one activation for each tenant");
    let answer = pay(&world, "eve").await;
    assert_eq!(answer["outcome"], "block", "two payments to the shop were known: {answer:#}");
    // A decision of the earlier pack is still explained by that pack.
    let first = world.get("/v1/decisions?user=ada").await.ok()["decisions"][0].clone();
    assert_ne!(first["policyVersion"], answer["policyVersion"]);
    let id = first["decisionId"].as_str().expect("an id");
    let explained = world.get(&format!("/v1/decisions/{id}")).await.ok();
    assert_eq!(explained["trace"]["policyVersion"], first["policyVersion"]);
}

#[tokio::test]
async fn packs_change_under_load_without_a_wrong_answer() {
    let world = std::sync::Arc::new(World::with_rules(FEW).await);
    let paying = tokio::spawn({
        let world = world.clone();
        async move {
            let mut outcomes = Vec::new();
            for _ in 0..200 {
                outcomes.push(pay(&world, "ada").await["outcome"].clone());
            }
            outcomes
        }
    });
    for round in 0..10 {
        write(&world, if round % 2 == 0 { FEWER } else { FEW });
        reload(&world).await;
        tokio::task::yield_now().await;
    }
    let outcomes = paying.await.expect("paid");
    assert_eq!(
        outcomes.iter().filter(|outcome| **outcome == "allow").count(),
        outcomes.iter().take_while(|outcome| **outcome == "allow").count()
    );
    assert!(outcomes.iter().skip(3).all(|outcome| outcome == "block"), "once blocked, always blocked");
}

#[tokio::test]
async fn a_changed_file_takes_over_by_itself() {
    let world = World::with(|config| {
        let pack = config.keys.directory.with_file_name("pack");
        std::fs::create_dir_all(&pack).expect("a folder");
        std::fs::write(pack.join("pack.rules"), FEW).expect("written");
        config.policies.pack = pack;
        config.policies.watch = true;
    })
    .await;
    let watching = tokio::spawn(server::policies::watch(world.app.clone()));
    let before = world.get("/v1/policies").await.ok()["version"].clone();
    // The watcher may begin after our first change, so we change until it notices; a minute is for a machine that sleeps.
    for round in 0..120 {
        write(&world, &format!("{FEWER}\n# round {round}\n"));
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        if world.get("/v1/policies").await.ok()["version"] != before {
            world.app.closing.cancel();
            return watching.await.expect("it ends when the service closes");
        }
    }
    panic!("the change went unnoticed");
}
