//! Recovery codes: shown once, each good for one thing, and seen by rules and log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use challenge::TenantId;
use serde_json::{Value, json};
use server::config::Config;
use server::limits::Limit;
use server::store::JournalEntry;

use crate::harness::{Reply, Server, id, token};
use crate::phone::{Phone, Sdk};
use crate::phone_v2;
use crate::screen::{PollingScreen, Screen};

/// A sign-in that a code may confirm; a payment and a vault that need a phone; a change that rules hold up after a recovery.
pub const RULES: &str = r#"
event pay {
  amount: money
  payee: string
}

event login {}

event vault {}

event change {}

event hello {}

event recovery {
  method: enum("recovery_code", "support")
}

policy pay on pay {
  default challenge qr { bind: [amount, payee], show: [amount, payee] }
}

policy login on login {
  default challenge qr { level: possession }
}

policy vault on vault {
  default challenge qr { level: biometric }
}

event safe {}

policy safe on safe {
  default challenge qr { user: anonymous, level: biometric }
}

policy hello on hello {
  default allow
}

policy change on change {
  default allow

  rule held "within a day of a recovery" {
    when count() of recovery where (completed) by user over 24h >= 1
    then block reason RECOVERED
  }

  rule phone_answered "the phone is there" {
    when count() of challenge.succeeded by user over 24h >= 1
    then block reason PHONE_ANSWERED
  }
}

policy recovery on recovery {
  default allow

  rule flood "the third in a day" {
    when count() of recovery by user over 24h including this > 2
    then block reason RECOVERED
  }
}

reason RECOVERED "The account was recovered recently"
reason PHONE_ANSWERED "The phone answered"
"#;

/// A service with these rules and generous limits on codes.
pub async fn start() -> Server {
    start_with(|_| {}).await
}

pub async fn start_with(change: impl FnOnce(&mut Config)) -> Server {
    Server::start_with(|config| {
        std::fs::write(config.policies.pack.join("test.rules"), RULES).expect("a pack");
        config.limits.recovery = Limit::new(1000, 1000);
        config.limits.recovery_address = Limit::new(1000, 1000);
        change(config);
    })
    .await
}

/// Enrols our own phone, which shows recovery codes: its id and the codes.
pub async fn enrolled_with_codes(server: &Server, user: &str) -> (Phone, String, Vec<String>) {
    let phone = Phone::new(server, Sdk::Ios);
    let track = token(&server.track(user, "hello", json!({})).await);
    let made = phone_v2::enrol_with(server, &phone, &track, json!({"recoveryCodes": true})).await.ok();
    let codes = texts(&made);
    (phone, made["userAuthenticatorId"].as_str().expect("an id").to_owned(), codes)
}

pub fn texts(answer: &Value) -> Vec<String> {
    let codes = answer["recoveryCodes"].as_array().unwrap_or_else(|| panic!("there are no codes: {answer}"));
    codes.iter().map(|code| code.as_str().expect("a text").to_owned()).collect()
}

/// Types a code.
pub async fn redeem(server: &Server, track_token: &str, code: &str, purpose: &str) -> Reply {
    let body = json!({"verificationCode": code, "purpose": purpose});
    let bearer = [("authorization", format!("Bearer {track_token}"))];
    server.request("POST", "/v1/client/verify/recovery-code", &bearer, Some(body.to_string())).await
}

pub async fn codes_left(server: &Server, user: &str) -> u64 {
    let known = server.backend("GET", &format!("/v1/users/{user}"), Value::Null).await.ok();
    known["recoveryCodesLeft"].as_u64().expect("a number")
}

/// The kinds of all audit entries, counted; and the log is sound.
pub async fn log(server: &Server) -> BTreeMap<String, usize> {
    let size = server.app.store.log_head().await.expect("a log").size;
    let tenant = TenantId::parse(server.tenant.as_str()).expect("an id");
    let mut kinds = BTreeMap::new();
    for seq in 0..size {
        let Some(leaf) = server.app.store.audit_leaf(&tenant, seq).await.expect("a log") else { continue };
        let leaf: Value = serde_json::from_str(&leaf).expect("JSON");
        let code = leaf["facts"]["code"].as_str().map(|code| format!(" {code}")).unwrap_or_default();
        *kinds.entry(format!("{}{code}", leaf["kind"].as_str().expect("a kind"))).or_default() += 1;
    }
    let database = server.app.config.sqlite_path().expect("a file").to_owned();
    let report = server::audit::verify(&database, None).await.expect("a report");
    assert!(report.first_bad.is_none(), "{:?}", report.first_bad);
    kinds
}

#[tokio::test]
async fn codes_are_shown_once_and_kept_as_hashes() {
    let server = start().await;
    let (phone, _, codes) = enrolled_with_codes(&server, "ann").await;
    assert_eq!(codes.len(), 10);
    assert_eq!(codes.iter().collect::<std::collections::BTreeSet<_>>().len(), 10);
    assert_eq!(codes_left(&server, "ann").await, 10);

    // A repeat, another phone and a stock phone see none.
    let again = token(&server.track("ann", "hello", json!({"scope": "add:authenticators"})).await);
    let repeated = phone_v2::enrol_with(&server, &phone, &again, json!({"recoveryCodes": true})).await.ok();
    assert_eq!(repeated.get("recoveryCodes"), None);
    let second = Phone::new(&server, Sdk::Ios);
    let added = phone_v2::enrol_with(&server, &second, &again, json!({"recoveryCodes": true})).await.ok();
    assert_eq!(added.get("recoveryCodes"), None);
    let stock = Phone::new(&server, Sdk::Android);
    let first = token(&server.track("bob", "login", json!({})).await);
    assert_eq!(stock.add(&server, &first).await.ok().get("recoveryCodes"), None);
    assert_eq!(codes_left(&server, "bob").await, 0);

    let database = server.app.config.sqlite_path().expect("a file").to_owned();
    for file in [database.clone(), database.with_extension("db-wal")] {
        let bytes = std::fs::read(&file).unwrap_or_default();
        for code in codes.iter().flat_map(|code| [code.clone(), code.replace('-', "")]) {
            assert!(!bytes.windows(code.len()).any(|window| window == code.as_bytes()), "{code} is in {file:?}");
        }
    }
    assert_eq!(log(&server).await["recovery.codes_issued"], 1);
}

#[tokio::test]
async fn a_code_confirms_one_request_and_says_that_no_phone_did() {
    let server = start().await;
    let (phone, _, codes) = enrolled_with_codes(&server, "ann").await;
    let tracked = server.track("ann", "login", json!({"idempotencyKey": "k1"})).await;
    let mut screen = Screen::identified(&server, &token(&tracked)).await;
    let shown = id(&screen.create("login", None).await);

    let typed = codes[0].to_lowercase().replace('-', " ");
    let redeemed = redeem(&server, &token(&tracked), &typed, "approval").await.ok();
    assert_eq!((&redeemed["isVerified"], &redeemed["recoveryCodesLeft"]), (&json!(true), &json!(9)));
    assert_eq!(screen.state(&shown).await.0, "superseded");
    assert_eq!(server.state("ann", "login", "k1").await, "CHALLENGE_SUCCEEDED");
    phone.claim(&server, &shown).await.refused(409, "challenge_superseded");

    // The answer may be lost on the way: the same request hears the same, and the token still validates once.
    let repeated = redeem(&server, &token(&tracked), &codes[0], "approval").await.ok();
    let claims = |answer: &Value| answer["accessToken"].as_str().expect("a token").split('.').nth(1).map(str::to_owned);
    assert_eq!(claims(&repeated), claims(&redeemed));
    let body = json!({"token": redeemed["accessToken"], "action": "login", "userId": "ann"});
    let valid = server.validate(body.clone()).await;
    assert_eq!(valid["isValid"], true, "{valid}");
    assert_eq!(
        (&valid["verificationMethod"], &valid["acr"], &valid["amr"], &valid["sca"], &valid["link"]),
        (&json!("RECOVERY_CODE"), &json!("recovery_code"), &json!(["recovery_code"]), &json!(false), &json!("none"))
    );
    assert_eq!(server.validate(body).await["isValid"], false);
    let action = server.backend("GET", "/v1/users/ann/actions/login/k1", Value::Null).await.ok();
    assert_eq!(action["verificationMethod"], "RECOVERY_CODE");

    // It is used up, for anything else and for any other request, and so is what it confirmed.
    let other = token(&server.track("ann", "login", json!({"idempotencyKey": "k2"})).await);
    redeem(&server, &other, &codes[0], "approval").await.refused(400, "invalid_recovery_code");
    redeem(&server, &token(&tracked), &codes[0], "enrolment").await.refused(400, "invalid_recovery_code");
    redeem(&server, &token(&tracked), &codes[1], "approval").await.refused(409, "challenge_closed");
    assert_eq!(codes_left(&server, "ann").await, 9);
    // Nor does the token manage phones, as a phone's approval does.
    let bearer = [("authorization", format!("Bearer {}", redeemed["accessToken"].as_str().expect("a token")))];
    let issue = server.request("POST", "/v1/client/user-authenticators/recovery-code", &bearer, Some("{}".into()));
    issue.await.refused(403, "forbidden");
    let log = log(&server).await;
    assert_eq!((log["recovery.code_used"], log["refusal.recovery_code invalid_recovery_code"]), (1, 2), "{log:?}");
}

#[tokio::test]
async fn the_one_phone_of_a_code_brings_a_key_of_each_kind() {
    let server = start().await;
    let (old, _, codes) = enrolled_with_codes(&server, "ann").await;
    let tracked = server.track("ann", "login", json!({})).await;
    let redeemed = redeem(&server, &token(&tracked), &codes[0], "enrolment").await.ok();
    let bearer = redeemed["enrolmentToken"].as_str().expect("a token");
    let kinds = ["push", "qr-code"].map(|kind| Phone::of_kind(&server, Sdk::Ios, kind));
    for key in &kinds {
        key.add(&server, bearer).await.ok();
    }
    for key in &kinds {
        key.get(&server).await.ok();
    }
    old.get(&server).await.refused(400, "invalid_credential");
    Phone::new(&server, Sdk::Ios).add(&server, bearer).await.refused(403, "forbidden");
    Phone::of_kind(&server, Sdk::Android, "in-app").add(&server, bearer).await.refused(403, "forbidden");
    log(&server).await;
}

#[tokio::test]
async fn rules_see_a_recovery_and_no_phone_in_it() {
    let server = start().await;
    let (_, _, codes) = enrolled_with_codes(&server, "ann").await;
    assert_eq!(server.track("ann", "change", json!({})).await["state"], "ALLOW");
    let tracked = server.track("ann", "login", json!({})).await;
    redeem(&server, &token(&tracked), &codes[0], "approval").await.ok();
    let held = server.track("ann", "change", json!({})).await;
    // Only the recovery is counted: nobody's phone answered.
    assert_eq!((&held["state"], &held["ruleIds"]), (&json!("BLOCK"), &json!(["held"])), "{held}");
    assert_eq!(server.track("bob", "change", json!({})).await["state"], "ALLOW");

    // History that is read from the journal says the same.
    let mut ends = Vec::new();
    let mut after = None;
    loop {
        let steps = server.app.store.journal(after, 100).await.expect("a journal");
        let Some(last) = steps.last() else { break };
        after = Some(last.seq());
        ends.extend(steps.into_iter().filter_map(|step| match step {
            JournalEntry::Settled(settled) => Some((settled.action.to_string(), settled.how.word())),
            JournalEntry::Event { .. } => None,
        }));
    }
    assert_eq!(ends, [("login".to_owned(), "superseded"), ("login".to_owned(), "ALLOW")]);
}

#[tokio::test]
async fn a_policy_refuses_a_recovery_and_the_code_stays_good() {
    let server = start().await;
    let (_, _, codes) = enrolled_with_codes(&server, "ann").await;
    for code in &codes[..2] {
        let tracked = server.track("ann", "login", json!({})).await;
        redeem(&server, &token(&tracked), code, "approval").await.ok();
    }
    let third = token(&server.track("ann", "login", json!({})).await);
    redeem(&server, &third, &codes[2], "approval").await.refused(403, "action_blocked");
    redeem(&server, &third, &codes[2], "enrolment").await.refused(403, "action_blocked");
    assert_eq!(codes_left(&server, "ann").await, 8);
    server.pass(Duration::from_secs(25 * 3600)).await;
    let later = token(&server.track("ann", "login", json!({})).await);
    redeem(&server, &later, &codes[2], "approval").await.ok();
}

#[tokio::test]
async fn a_pack_that_knows_no_recovery_is_not_asked() {
    let server = Server::start_with(|config| {
        let rules = "event login {}\nevent hello {}\npolicy hello on hello { default allow }\n\
                     policy login on login { default challenge qr { level: possession } }\n";
        std::fs::write(config.policies.pack.join("test.rules"), rules).expect("a pack");
    })
    .await;
    let (_, _, codes) = enrolled_with_codes(&server, "ann").await;
    let tracked = server.track("ann", "login", json!({})).await;
    redeem(&server, &token(&tracked), &codes[0], "approval").await.ok();
    let log = log(&server).await;
    assert_eq!((log["recovery.code_used"], log["decision"]), (1, 2), "{log:?}");
}

#[tokio::test]
async fn a_code_is_no_biometric_and_binds_no_payment() {
    let server = start().await;
    let (_, _, codes) = enrolled_with_codes(&server, "ann").await;
    let custom = json!({"amount": {"value": "20.00", "currency": "EUR"}, "payee": "Bakery"});
    for (action, body) in [("vault", json!({})), ("pay", json!({"custom": custom}))] {
        let tracked = server.track("ann", action, body).await;
        redeem(&server, &token(&tracked), &codes[0], "approval").await.refused(403, "recovery_not_enough");
    }
    assert_eq!(codes_left(&server, "ann").await, 10);
    // An allowed action has nothing to confirm, and its token still lets a phone in.
    let allowed = token(&server.track("ann", "change", json!({})).await);
    redeem(&server, &allowed, &codes[0], "approval").await.refused(409, "challenge_closed");
    redeem(&server, &allowed, &codes[0], "enrolment").await.ok();
}

#[tokio::test]
async fn a_code_lets_one_new_phone_in_and_the_lost_ones_out() {
    let server = start().await;
    let (lost, _, codes) = enrolled_with_codes(&server, "ann").await;
    let vault = server.track("ann", "vault", json!({})).await;
    let redeemed = redeem(&server, &token(&vault), &codes[0], "enrolment").await.ok();
    assert_eq!(redeemed["isVerified"], false);
    // As long as nobody has come in, the old phone is there.
    lost.get(&server).await.ok();

    let door = redeemed["enrolmentToken"].as_str().expect("a token").to_owned();
    let found = Phone::new(&server, Sdk::Ios);
    let made = phone_v2::enrol_with(&server, &found, &door, json!({"recoveryCodes": true})).await.ok();
    assert_eq!(made.get("recoveryCodes"), None, "nine are left");
    // A repeat of a lost request is the same phone; another one does not come in.
    found.add(&server, &door).await.ok();
    phone_v2::enrol(&server, &Phone::new(&server, Sdk::Ios), &door).await.refused(403, "forbidden");
    lost.get(&server).await.refused(400, "invalid_credential");
    let issue = [("authorization", format!("Bearer {door}"))];
    let issue = server.request("POST", "/v1/client/user-authenticators/recovery-code", &issue, Some("{}".into()));
    issue.await.refused(403, "forbidden");

    // The new phone signs in at once, and waits for what is of the strongest level.
    let login = server.track("ann", "login", json!({})).await;
    let body = json!({"action": "login"});
    let screen = PollingScreen::create(&server, Some(&token(&login)), body).await.expect("a challenge");
    found.claim(&server, &screen.challenge_id).await.ok();
    let body = json!({"action": "vault"});
    let screen = PollingScreen::create(&server, Some(&token(&vault)), body).await.expect("a challenge");
    found.claim(&server, &screen.challenge_id).await.refused(403, "credential_cooling_off");
    let log = log(&server).await;
    assert_eq!((log["credential.enrolled"], log["credential.revoked"]), (2, 1), "{log:?}");
}

#[tokio::test]
async fn who_has_codes_and_no_phone_shows_one() {
    let server = start().await;
    let (phone, _, codes) = enrolled_with_codes(&server, "ann").await;
    phone.remove(&server, server::clock::Clock::now(&*server.clock).as_second()).await.ok();
    // A stolen session is not enough, and is given no scope unasked.
    let tracked = server.track("ann", "login", json!({})).await;
    let thief = Phone::new(&server, Sdk::Android);
    thief.add(&server, &token(&tracked)).await.refused(403, "recovery_required");
    let bearer = [("authorization", format!("Bearer {}", token(&tracked)))];
    let listed = server.request("GET", "/v1/client/user-authenticators", &bearer, None).await.ok();
    assert_eq!((&listed["recoveryCodesLeft"], &listed["mayEnrol"]), (&json!(10), &json!(false)), "{listed}");

    let door = redeem(&server, &token(&tracked), &codes[3], "enrolment").await.ok();
    phone_v2::enrol(&server, &thief, door["enrolmentToken"].as_str().expect("a token")).await.ok();

    // Without codes it is as the wire has it: the next phone is a first one. And the backend's word always counts.
    let stock = Phone::new(&server, Sdk::Android);
    stock.add(&server, &token(&server.track("bob", "login", json!({})).await)).await.ok();
    stock.remove(&server, server::clock::Clock::now(&*server.clock).as_second()).await.ok();
    let next = Phone::new(&server, Sdk::Android);
    next.add(&server, &token(&server.track("bob", "login", json!({})).await)).await.ok();
}

#[tokio::test]
async fn new_codes_make_the_old_ones_worthless() {
    let server = start().await;
    let (phone, _, old) = enrolled_with_codes(&server, "ann").await;
    let asked = json!({"verificationMethod": "RECOVERY_CODE"});
    let issued = server.backend("POST", "/v1/users/ann/authenticators", asked).await.ok();
    assert_eq!(issued["authenticator"]["verificationMethod"], "RECOVERY_CODE");
    let created = issued["authenticator"]["createdAt"].as_str().expect("a time");
    assert_eq!(created.len(), "2026-03-02T10:00:00.000Z".len(), "{created}");
    let new = texts(&issued);
    let tracked = server.track("ann", "login", json!({})).await;
    redeem(&server, &token(&tracked), &old[0], "approval").await.refused(400, "invalid_recovery_code");
    redeem(&server, &token(&tracked), &new[0], "approval").await.ok();
    assert_eq!(codes_left(&server, "ann").await, 9);

    // Who has just approved with a phone may have new ones.
    let tracked = server.track("ann", "login", json!({})).await;
    let body = json!({"action": "login"});
    let screen = PollingScreen::create(&server, Some(&token(&tracked)), body).await.expect("a challenge");
    phone.claim(&server, &screen.challenge_id).await.ok();
    phone.answer(&server, &screen.challenge_id, true).await.ok();
    let approved = screen.poll(&server).await.ok();
    let bearer = [("authorization", format!("Bearer {}", approved["accessToken"].as_str().expect("a token")))];
    let issue = server.request("POST", "/v1/client/user-authenticators/recovery-code", &bearer, Some("{}".into()));
    assert_eq!(texts(&issue.await.ok()).len(), 10);
    assert_eq!(codes_left(&server, "ann").await, 10);
    // The token of `track` alone may not.
    let bearer = [("authorization", format!("Bearer {}", token(&tracked)))];
    let issue = server.request("POST", "/v1/client/user-authenticators/recovery-code", &bearer, Some("{}".into()));
    issue.await.refused(403, "forbidden");
    // Other methods are not enrolled from the server.
    let sms = json!({"verificationMethod": "SMS", "phoneNumber": "+64270000000"});
    server.backend("POST", "/v1/users/ann/authenticators", sms).await.refused(400, "invalid_configuration");
}

#[tokio::test]
async fn of_100_concurrent_wrong_codes_five_are_looked_at() {
    let server = Arc::new(
        start_with(|config| {
            config.limits.recovery = Limit::new(1, 5);
            config.limits.recovery_address = Limit::new(1000, 1000);
        })
        .await,
    );
    let (_, _, codes) = enrolled_with_codes(&server, "ann").await;
    let tracked = token(&server.track("ann", "login", json!({})).await);
    let guesses = (0..100).map(|_| {
        let (server, tracked) = (server.clone(), tracked.clone());
        tokio::spawn(async move { redeem(&server, &tracked, "0000-0000-0000-0000", "approval").await.status })
    });
    let statuses: Vec<u16> = futures_util::future::try_join_all(guesses).await.expect("answers");
    let looked_at = statuses.iter().filter(|status| **status == 400).count();
    assert_eq!((looked_at, statuses.iter().filter(|status| **status == 429).count()), (5, 95), "{statuses:?}");
    assert_eq!(log(&server).await["refusal.recovery_code invalid_recovery_code"], 5);
    // The right one waits as well; another user does not.
    redeem(&server, &tracked, &codes[0], "approval").await.refused(429, "too_many_requests");
    let (_, _, others) = enrolled_with_codes(&server, "bob").await;
    let tracked = token(&server.track("bob", "login", json!({})).await);
    redeem(&server, &tracked, &others[0], "approval").await.ok();
}

/// I10: what was counted is forgotten by time alone.
/// One code tried on many users is as much a guess as many on one.
#[tokio::test]
async fn t33_who_guesses_the_codes_of_many_users_waits_as_well() {
    let server = start_with(|config| config.limits.recovery_address = Limit::new(60, 3)).await;
    let mut statuses = Vec::new();
    for user in ["ann", "bob", "carl", "dora"] {
        let tracked = token(&server.track(user, "login", json!({})).await);
        statuses.push(redeem(&server, &tracked, "0000-0000-0000-0000", "approval").await.status);
    }
    assert_eq!(statuses, [400, 400, 400, 429]);
}

#[tokio::test]
async fn t33_a_restart_forgets_no_wrong_code() {
    let server = start_with(|config| config.limits.recovery = Limit::new(1, 5)).await;
    let (_, _, codes) = enrolled_with_codes(&server, "ann").await;
    let tracked = token(&server.track("ann", "login", json!({})).await);
    for _ in 0..5 {
        let wrong = redeem(&server, &tracked, "0000-0000-0000-0000", "approval").await;
        wrong.refused(400, "invalid_recovery_code");
    }
    let server = server.restart().await;
    let waits = redeem(&server, &tracked, &codes[0], "approval").await;
    waits.refused(429, "too_many_requests");
    assert_eq!(waits.headers["retry-after"], "60");
    assert_eq!(log(&server).await["recovery.code_typed"], 5, "what was not looked at is not counted");
    server.pass(Duration::from_secs(59)).await;
    redeem(&server, &tracked, &codes[0], "approval").await.refused(429, "too_many_requests");
    server.pass(Duration::from_secs(1)).await;
    redeem(&server, &tracked, "0000-0000-0000-0000", "approval").await.refused(400, "invalid_recovery_code");
    redeem(&server, &tracked, &codes[0], "approval").await.refused(429, "too_many_requests");
    server.pass(Duration::from_secs(60)).await;
    redeem(&server, &tracked, &codes[0], "approval").await.ok();
    log(&server).await;
}

#[tokio::test]
async fn one_code_typed_twice_at_once_is_used_once() {
    let server = Arc::new(start().await);
    let (_, _, codes) = enrolled_with_codes(&server, "ann").await;
    let mut tokens = Vec::new();
    for key in 0..8 {
        tokens.push(token(&server.track("ann", "login", json!({"idempotencyKey": format!("k{key}")})).await));
    }
    // The rules would count eight recoveries: other users' codes are not theirs, and one use is one event.
    let uses = tokens.into_iter().map(|token| {
        let (server, code) = (server.clone(), codes[0].clone());
        tokio::spawn(async move { redeem(&server, &token, &code, "enrolment").await.status })
    });
    let statuses: Vec<u16> = futures_util::future::try_join_all(uses).await.expect("answers");
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(codes_left(&server, "ann").await, 9);
    assert_eq!(log(&server).await["recovery.code_used"], 1);
}

#[tokio::test]
async fn codes_of_others_and_texts_that_are_none_sound_alike() {
    let server = start().await;
    let (_, _, codes) = enrolled_with_codes(&server, "ann").await;
    let (_, _, others) = enrolled_with_codes(&server, "bob").await;
    let tracked = token(&server.track("ann", "login", json!({})).await);
    let stranger = token(&server.track("cai", "login", json!({})).await);
    let mut told = Vec::new();
    for (token, code) in [
        (&tracked, others[0].as_str()),
        (&tracked, "0000-0000-0000-0000"),
        (&tracked, "not a code"),
        (&tracked, "😀"),
        (&stranger, codes[0].as_str()),
    ] {
        let reply = redeem(&server, token, code, "approval").await;
        reply.refused(400, "invalid_recovery_code");
        told.push(reply.body["errorDescription"].clone());
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    redeem(&server, &tracked, &codes[0], "both").await.refused(400, "invalid_request");
    redeem(&server, &tracked, "", "approval").await.refused(400, "invalid_request");
    // Nobody types a code in a tenant's name, or with an approval.
    let basic = [("authorization", server.browser_basic())];
    let body = json!({"verificationCode": codes[0]}).to_string();
    server.request("POST", "/v1/client/verify/recovery-code", &basic, Some(body)).await.refused(401, "unauthorized");
    assert_eq!(codes_left(&server, "ann").await, 10);
}

#[tokio::test]
async fn a_deleted_users_codes_are_worthless() {
    let server = start().await;
    let (_, _, codes) = enrolled_with_codes(&server, "ann").await;
    let tracked = token(&server.track("ann", "login", json!({})).await);
    server.backend("DELETE", "/v1/users/ann", json!({})).await.ok();
    redeem(&server, &tracked, &codes[0], "enrolment").await.refused(400, "invalid_recovery_code");
    assert_eq!(codes_left(&server, "ann").await, 0);
}

#[tokio::test]
async fn the_shipped_pack_for_recoveries_hears_of_codes() {
    let server = Server::start_with(|config| {
        config.policies.pack = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/account-recovery");
    })
    .await;
    let change = json!({"ipAddress": "192.0.2.7", "custom": {"old_password_given": true}});
    let mut enrolled = Vec::new();
    for user in ["ann", "bob"] {
        let phone = Phone::new(&server, Sdk::Ios);
        let tracked = token(&server.track(user, "password_change", change.clone()).await);
        let made = phone_v2::enrol_with(&server, &phone, &tracked, json!({"recoveryCodes": true})).await.ok();
        enrolled.push((phone, tracked, texts(&made)));
    }
    let (_, tracked, codes) = &enrolled[0];
    redeem(&server, tracked, &codes[0], "approval").await.ok();
    let again = server.track("ann", "password_change", change.clone()).await;
    assert_eq!((&again["state"], &again["ruleIds"]), (&json!("BLOCK"), &json!(["password_after_recovery"])), "{again}");

    // Whose phone answered this week is asked to show it, and a code is no phone.
    let (phone, tracked, codes) = &enrolled[1];
    let body = json!({"action": "password_change"});
    let screen = PollingScreen::create(&server, Some(tracked), body).await.expect("a challenge");
    phone.claim(&server, &screen.challenge_id).await.ok();
    phone.answer(&server, &screen.challenge_id, true).await.ok();
    let next = token(&server.track("bob", "password_change", change).await);
    redeem(&server, &next, &codes[0], "approval").await.refused(403, "action_blocked");
    assert_eq!(codes_left(&server, "bob").await, 10);
    let found = server.backend("GET", "/v1/decisions?action=recovery&user=bob", Value::Null).await.ok();
    assert_eq!(found["decisions"][0]["rules"], json!(["phone_still_answers"]), "{found}");
}
