//! An action is observed before it is judged: of two withdrawals of one user at the same moment, one sees the other.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use server::limits::Limit;
use tokio::sync::Barrier;

use crate::harness::{SECRET, Server};

/// Users, each with two withdrawals at once.
const ROUNDS: usize = 1_000;
/// Pairs of clients that work through the users side by side, so that commits are shared.
const PAIRS: usize = 8;

/// Counts without the withdrawal being judged, and with it; what is not the first is blocked.
const PACK: &str = r#"
event withdrawal {
  amount: money
}

policy withdrawal on withdrawal {
  default block

  rule none_before "no other withdrawal" {
    when count() of withdrawal by user over 1h == 0
    then allow reason FIRST
  }

  rule one_with_this "this withdrawal alone" {
    when count() of withdrawal by user over 1h including this == 1 and sum(amount) of withdrawal by user over 24h including this <= 20 EUR
    then allow reason FIRST
  }
}

reason FIRST "The first withdrawal"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_a_thousand_rounds_exactly_one_of_two_parallel_withdrawals_sees_none() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("withdrawals.rules"), PACK).expect("a pack");
    let server = Server::start_with(|config| {
        config.policies.pack = folder.path().to_owned();
        let plenty = Limit::new(10_000_000, 1_000_000);
        (config.limits.key, config.limits.tenant, config.limits.address) = (plenty, plenty, plenty);
    })
    .await;
    let clients = (0..PAIRS).map(|pair| {
        let (meet, base) = (Arc::new(Barrier::new(2)), server.base.clone());
        let users: Arc<Vec<String>> =
            Arc::new((0..ROUNDS).filter(|n| n % PAIRS == pair).map(|n| format!("user-{n}")).collect());
        let both = [0, 1].map(|side| tokio::spawn(withdraw(base.clone(), users.clone(), meet.clone(), side)));
        (users, both)
    });
    let clients: Vec<_> = clients.collect();
    let (mut rounds, mut seen_by_the_second) = (0, 0);
    for (users, [one, other]) in clients {
        let answers = (one.await.expect("answers"), other.await.expect("answers"));
        for (user, (one, other)) in users.iter().zip(answers.0.iter().zip(&answers.1)) {
            let mut rules = [one, other].map(|answer| answer["ruleIds"].clone());
            rules.sort_by_key(Value::to_string);
            let first = json!(["none_before", "one_with_this"]);
            assert_eq!(rules, [first, json!([])], "{user}: exactly one is the first\n{one:#}\n{other:#}");
            rounds += 1;
            seen_by_the_second += usize::from(one["outcome"] == "block");
        }
    }
    println!("{rounds} rounds; the first of a pair of clients came second in {seen_by_the_second}");
    assert_eq!(rounds, ROUNDS);
}

/// A client with a connection of its own: one withdrawal of each user, at the same time as the other client of the pair.
async fn withdraw(base: String, users: Arc<Vec<String>>, meet: Arc<Barrier>, side: usize) -> Vec<Value> {
    let http = reqwest::Client::new();
    let authorization = format!("Basic {}", STANDARD.encode(format!("{SECRET}:")));
    let mut answers = Vec::new();
    for user in users.iter() {
        let body = json!({"idempotencyKey": format!("side-{side}"), "custom": {"amount": "20.00 EUR"}});
        let request = http.post(format!("{base}/v1/users/{user}/actions/withdrawal"));
        let request = request.header("authorization", &authorization).header("content-type", "application/json");
        let request = request.body(body.to_string());
        meet.wait().await;
        let response = request.send().await.expect("an answer");
        let (status, text) = (response.status(), response.text().await.expect("a body"));
        assert_eq!(status.as_u16(), 200, "{text}");
        answers.push(serde_json::from_str(&text).expect("JSON"));
    }
    answers
}
