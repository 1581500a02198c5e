//! Whoever races whom on the real service over HTTP: one wins, the others hear why not, and the log has one entry of it.
//!
//! Nothing here knows which database is behind the store. `cargo xtask race` is the long form.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use challenge::TenantId;
use futures_util::future::join_all;
use serde_json::{Value, json};
use server::audit::{Fact, Leaf};
use server::config::Config;
use server::limits::Limit;

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::harness::{Reply, Server, token};
use crate::phone::{Phone, Sdk};
use crate::screen::PollingScreen;

/// Phones that scan one code at the same time.
const PHONES: usize = 32;
/// Rounds on one server: keys are made and phones enrolled once for all of them.
const ROUNDS_A_SERVER: usize = 2_000;
/// The life of a challenge in the tests' configuration.
const LIFE: Duration = Duration::from_secs(600);

fn rounds() -> usize {
    std::env::var("STEPUP_RACE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(500)
}

/// Nothing that these tests do is too much.
fn unlimited(config: &mut Config) {
    // The clock jumps by a challenge's life while requests are between reading it and being counted: a limit whose burst lasts
    // a minute would take the request for one from the past of another.
    let plenty = Limit::new(60_000, u32::MAX);
    config.limits.key = plenty;
    config.limits.tenant = plenty;
    config.limits.address = plenty;
    config.limits.challenge = plenty;
    config.server.max_connections_per_address = 4_000;
}

/// A server with its phones.
struct Arena {
    server: Server,
    phones: Vec<Phone>,
}

impl Arena {
    async fn open() -> Arena {
        let server = Server::start_with(unlimited).await;
        let mut phones = Vec::new();
        for n in 0..PHONES {
            let sdk = if n % 2 == 0 { Sdk::Ios } else { Sdk::Android };
            phones.push(enrolled(&server, &format!("user-{n}"), sdk).await);
        }
        Arena { server, phones }
    }

    /// All phones scan the same code; the index of the one that has it.
    async fn claim(&self, challenge: &str, round: usize) -> usize {
        let claims = self.phones.iter().map(|phone| phone.claim(&self.server, challenge));
        let replies = join_all(claims).await;
        let winners: Vec<usize> = (0..PHONES).filter(|n| replies[*n].status == 200).collect();
        let [winner] = winners.as_slice() else { panic!("round {round}: {} phones won", winners.len()) };
        for (n, reply) in replies.iter().enumerate() {
            if n != *winner {
                reply.refused(409, "challenge_already_claimed");
            }
        }
        *winner
    }

    /// What the log says of the challenge since `before`.
    async fn kinds(&self, challenge: &str, before: u64) -> Vec<String> {
        let tenant = TenantId::parse(self.server.tenant.as_str()).expect("a tenant");
        let mut kinds = Vec::new();
        for seq in before..self.entries().await {
            let leaf = self.server.app.store.audit_leaf(&tenant, seq).await.expect("the log");
            let leaf = Leaf::decode(&leaf.expect("an entry of the tenant")).expect("a leaf");
            if leaf.facts.get("challenge").and_then(Fact::text) == Some(challenge) {
                kinds.push(leaf.kind);
            }
        }
        kinds
    }

    async fn entries(&self) -> u64 {
        self.server.app.store.log_head().await.expect("the log").size
    }
}

fn how_many(kinds: &[String], wanted: &str) -> usize {
    kinds.iter().filter(|kind| *kind == wanted).count()
}

#[track_caller]
fn all_are(replies: &[Reply], status: u16, code: &str) {
    for reply in replies {
        reply.refused(status, code);
    }
}

/// What raced in the second half of a round.
#[derive(Debug, Clone, Copy)]
enum Against {
    /// Two approvals and two rejections of the same phone.
    Rejection,
    /// Two approvals and the end of the challenge's time.
    Expiry,
}

/// T-03, and then the winner's answers race each other or the clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_32_phones_one_claims_and_a_challenge_ends_once() {
    let rounds = rounds();
    let endings: [AtomicUsize; 3] = Default::default();
    let mut done = 0;
    while done < rounds {
        let arena = Arena::open().await;
        let until = rounds.min(done + ROUNDS_A_SERVER);
        for round in done..until {
            let against = if round.is_multiple_of(2) { Against::Rejection } else { Against::Expiry };
            let ending = one_round(&arena, round, against).await;
            let known = ["approved", "rejected", "expired"].iter().position(|state| *state == ending);
            endings[known.unwrap_or_else(|| panic!("round {round} ended {ending}"))].fetch_add(1, Ordering::Relaxed);
        }
        done = until;
    }
    println!("{rounds} rounds of {PHONES} phones; approved, rejected, expired: {endings:?}");
}

async fn one_round(arena: &Arena, round: usize, against: Against) -> String {
    let server = &arena.server;
    let screen = PollingScreen::create(server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    let (screen, challenge) = (&screen, screen.challenge_id.as_str());
    let before = arena.entries().await;
    let winner = &arena.phones[arena.claim(challenge, round).await];

    let (yes, no) = match against {
        Against::Rejection => {
            // Both kinds have a head start as often: an approval has the longer way.
            let late = round.is_multiple_of(4);
            let answers = join_all([true, false, true, false].map(|yes| async move {
                if late && !yes {
                    screen.poll(server).await.ok();
                }
                winner.answer(server, challenge, yes).await
            }))
            .await;
            let (mut yes, mut no) = (Vec::new(), Vec::new());
            for (n, answer) in answers.into_iter().enumerate() {
                if n % 2 == 0 { yes.push(answer) } else { no.push(answer) }
            }
            (yes, no)
        }
        Against::Expiry => {
            let answers = join_all([true, true].map(|yes| winner.answer(server, challenge, yes)));
            // The clock moves while they are on their way, every other time a moment later, and a screen asks at once.
            let ending = async {
                if round % 4 == 1 {
                    screen.poll(server).await.ok();
                }
                server.clock.advance(LIFE);
                let (told, swept) = tokio::join!(screen.poll(server), server::worker::sweep(&server.app));
                swept.expect("a sweep");
                told.ok()["state"].as_str().expect("a state").to_owned()
            };
            let (answers, told) = tokio::join!(answers, ending);
            let ending = screen.poll(server).await.ok();
            assert_eq!(ending["state"], told, "round {round}: {ending}");
            (answers, Vec::new())
        }
    };

    let ending = screen.poll(server).await.ok()["state"].as_str().expect("a state").to_owned();
    match ending.as_str() {
        "approved" => {
            assert!(yes.iter().any(|reply| reply.status == 200), "round {round}: {yes:?}");
            all_are(&no, 409, "challenge_already_answered");
        }
        "rejected" => {
            assert!(no.iter().any(|reply| reply.status == 200), "round {round}: {no:?}");
            all_are(&yes, 409, "challenge_already_answered");
        }
        _ => all_are(&yes, 400, "challenge_expired"),
    }

    let kinds = arena.kinds(challenge, before).await;
    assert_eq!(how_many(&kinds, "challenge.claimed"), 1, "round {round}: {kinds:?}");
    assert_eq!(how_many(&kinds, "refusal.claim"), PHONES - 1, "round {round}: {kinds:?}");
    let ends = ["challenge.approved", "challenge.rejected", "challenge.expired", "challenge.superseded"];
    let ends: Vec<&str> = ends.into_iter().filter(|end| how_many(&kinds, end) > 0).collect();
    assert_eq!(ends, [format!("challenge.{ending}")], "round {round}: {kinds:?}");
    assert_eq!(how_many(&kinds, ends[0]), 1, "round {round}: {kinds:?}");
    ending
}

/// T-08.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_1000_identical_approvals_one_is_written_down_and_all_are_answered() {
    let server = Server::start_with(unlimited).await;
    let phones = vec![enrolled(&server, "ann", Sdk::Ios).await];
    let arena = Arena { server, phones };
    let (server, phone) = (&arena.server, &arena.phones[0]);
    let screen = PollingScreen::create(server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    let challenge = screen.challenge_id.as_str();
    phone.claim(server, challenge).await.ok();
    let before = arena.entries().await;
    let signature = phone.sign(challenge);
    let answers = (0..1_000).map(|_| phone.answer_signed(server, challenge, true, None, &signature));
    for answer in join_all(answers).await {
        assert_eq!(answer.ok()["isVerified"], true);
    }
    assert_eq!(arena.kinds(challenge, before).await, ["challenge.approved"]);
    phone.answer(server, challenge, false).await.refused(409, "challenge_already_answered");
}

/// T-56.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_1000_validations_at_once_one_is_the_first() {
    for (window, again_is_valid) in [(0, false), (60, true)] {
        let server = Server::start_with(|config| {
            unlimited(config);
            config.challenges.revalidate_s = window;
        })
        .await;
        let phone = enrolled(&server, "ann", Sdk::Android).await;
        let tracked = server.pay("ann", "k1").await;
        let screen = PollingScreen::create(&server, Some(&token(&tracked)), json!({"action": "pay"})).await;
        let screen = screen.expect("a challenge");
        phone.claim(&server, &screen.challenge_id).await.ok();
        phone.answer(&server, &screen.challenge_id, true).await.ok();
        let token = screen.poll(&server).await.ok()["accessToken"].clone();
        let tries = (0..1_000).map(|_| server.validate(json!({"token": token})));
        let answers: Vec<Value> = join_all(tries).await;
        let (first, again): (Vec<&Value>, Vec<&Value>) =
            answers.iter().partition(|answer| answer["alreadyValidated"] == false);
        let [first] = first.as_slice() else { panic!("{} first uses", first.len()) };
        assert_eq!(first["isValid"], true);
        for answer in again {
            assert_eq!(answer["isValid"], again_is_valid, "{answer}");
            assert_eq!(answer["alreadyValidated"], true, "{answer}");
        }
    }
}
