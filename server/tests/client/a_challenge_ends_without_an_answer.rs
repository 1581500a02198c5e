use std::time::Duration;

use challenge::ChallengeId;
use challenge::state::Kind;
use serde_json::json;
use server::challenges::generate::successor;
use server::store::NewChallenge;

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::harness::{Server, id, token};
use crate::phone::Sdk;
use crate::screen::{PollingScreen, Screen};

/// The life of a challenge in the tests' configuration.
const LIFE: Duration = Duration::from_secs(600);
const MOMENT: Duration = Duration::from_millis(1);

#[tokio::test]
async fn the_last_millisecond_counts_and_the_next_does_not() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    let late = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    phone.claim(&server, &screen.challenge_id).await.ok();
    phone.claim(&server, &late.challenge_id).await.ok();

    server.clock.advance(LIFE - MOMENT);
    phone.answer(&server, &screen.challenge_id, true).await.ok();
    server.clock.advance(MOMENT);
    phone.answer(&server, &late.challenge_id, true).await.refused(400, "challenge_expired");
    assert_eq!(late.poll(&server).await.ok()["state"], "expired");
}

#[tokio::test]
async fn a_late_claim_is_refused_even_before_anybody_swept() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Android).await;
    let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    server.clock.advance(LIFE);
    phone.claim(&server, &screen.challenge_id).await.refused(400, "challenge_expired");
}

#[tokio::test]
async fn the_screen_is_told_that_time_is_up() {
    let server = Server::start().await;
    let mut screen = Screen::anonymous(&server).await;
    let challenge = id(&screen.create("kiosk-login", None).await);
    server.pass(LIFE).await;
    let told = screen.next().await;
    assert_eq!((&told["type"], &told["data"]["challengeId"]), (&json!("EXPIRED"), &json!(challenge)), "{told}");
    assert_eq!(screen.state(&challenge).await.0, "expired");
}

/// Two views of one page may open at the same moment and each get a challenge of its own.
#[tokio::test]
async fn a_screen_that_takes_over_the_challenge_of_another_view_retires_its_own() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let tracked = server.pay("ann", "k1").await;
    let mut screen = Screen::identified(&server, &token(&tracked)).await;
    let own = id(&screen.create("pay", None).await);

    let tenant = challenge::TenantId::parse(server.tenant.as_str()).expect("a tenant");
    let stored = server.app.store.challenge(&tenant, ChallengeId::parse(&own).expect("an id")).await;
    let stored = stored.expect("a store").expect("the challenge");
    let (fresh, now) = (ChallengeId::from_random([7; 16]), server.app.clock.now());
    let of_the_other = successor(&server.app, &stored.challenge, Kind::Qr, fresh, None, now).expect("a challenge");
    let new = NewChallenge { challenge: of_the_other, decision: stored.decision, supersedes: None };
    server.app.store.create_challenge(new).await.expect("recorded");

    assert_eq!(id(&screen.create("pay", None).await), fresh.to_string());
    phone.claim(&server, &own).await.refused(409, "challenge_superseded");
    phone.claim(&server, &fresh.to_string()).await.ok();
    assert_eq!(screen.state(&fresh.to_string()).await.0, "claimed");
}

#[tokio::test]
async fn a_refresh_retires_the_old_code_at_once() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    let mut screen = Screen::anonymous(&server).await;
    let old = id(&screen.create("kiosk-login", None).await);
    let new = id(&screen.create("kiosk-login", Some(json!({"till": "8"}))).await);
    phone.claim(&server, &old).await.refused(409, "challenge_superseded");
    phone.claim(&server, &new).await.ok();
    assert_eq!(screen.state(&new).await.0, "claimed");
}

#[tokio::test]
async fn what_was_overdue_before_the_start_is_ended_by_the_first_sweep() {
    let server = Server::start().await;
    let screens = [1, 2, 3].map(|_| PollingScreen::create(&server, None, json!({"action": "kiosk-login"})));
    for screen in futures_util::future::join_all(screens).await {
        assert!(screen.is_ok());
    }
    server.clock.advance(LIFE);
    let swept = server::worker::sweep(&server.app).await.expect("a sweep");
    // The service's own worker may have been first.
    assert!(swept <= 3);
    let now = jiff::Timestamp::MAX;
    assert!(server.app.store.overdue_challenges(now, 10).await.expect("a list").is_empty());
}

/// A screen that asks after the time is over hears what the log says, not what the clock says: an approval that came in time
/// may still have been on its way to the disk.
#[tokio::test]
async fn a_screen_that_asks_hears_of_an_end_that_is_written_down() {
    let server = Server::start().await;
    let phone = enrolled(&server, "ann", Sdk::Ios).await;
    for claimed in [false, true] {
        let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
        if claimed {
            phone.claim(&server, &screen.challenge_id).await.ok();
        }
        let id = challenge::ChallengeId::parse(&screen.challenge_id).expect("an id");
        let tenant = challenge::TenantId::parse(server.tenant.as_str()).expect("a tenant");
        server.clock.advance(LIFE);
        assert_eq!(screen.poll(&server).await.ok()["state"], "expired");
        let stored = server.app.store.challenge(&tenant, id).await.expect("a store").expect("a challenge");
        assert_eq!(stored.challenge.state().name(), "expired");
    }
}

/// No sweep is needed for it, and for a clock that is set back far not even somebody who looked at it in between; the worker
/// looks twice a second.
#[tokio::test]
async fn t07_a_clock_that_is_set_back_revives_and_prolongs_nothing() {
    let (before, after) = (LIFE - MOMENT, LIFE);
    for (age, jump_s, code) in [
        (before, 0, None),
        (after, 0, Some("challenge_expired")),
        // Ahead: over at once, and not again open when that is mended.
        (before, 600, Some("challenge_expired")),
        // Back: what is over stays over, what was open ends with the next sweep and till then by the time that goes on.
        (after, -1, Some("challenge_expired")),
        (after, -600, Some("challenge_expired")),
        (after + LIFE, -1_200, Some("challenge_expired")),
        (after, -86_400 * 3_650, Some("challenge_expired")),
        (before, -600, None),
    ] {
        let server = Server::start().await;
        let phone = enrolled(&server, "ann", Sdk::Ios).await;
        let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
        let waiting =
            PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
        phone.claim(&server, &screen.challenge_id).await.ok();
        phone.claim(&server, &waiting.challenge_id).await.ok();
        let start = server::clock::Clock::now(&*server.clock);
        server.clock.advance(age);
        if jump_s == -1 {
            server.app.clock.now();
        }
        let moved = server::clock::Clock::now(&*server.clock) + jiff::SignedDuration::from_secs(jump_s);
        server.clock.set(moved);
        let answered = phone.answer(&server, &screen.challenge_id, true).await;
        let case = format!("after {age:?}, {jump_s} s");
        match code {
            None => assert_eq!(answered.status, 200, "{case}: {}", answered.body),
            Some(code) => assert_eq!(answered.body["error"], code, "{case}"),
        }
        if jump_s != 0 {
            // By a clock that is right again or set back, after a sweep or a start, it is as it was.
            server::worker::sweep(&server.app).await.expect("a sweep");
            server.clock.set(start);
            let server = server.restart().await;
            server::worker::sweep(&server.app).await.expect("a sweep");
            let late = phone.answer(&server, &waiting.challenge_id, true).await;
            let ended = ["challenge_expired", "challenge_superseded"];
            assert!(ended.iter().any(|code| late.body["error"] == *code), "{case}: {}", late.body);
            // And who asks now has the whole life of a challenge.
            let screen =
                PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
            server.clock.advance(LIFE - MOMENT);
            phone.claim(&server, &screen.challenge_id).await.ok();
        }
    }
}
