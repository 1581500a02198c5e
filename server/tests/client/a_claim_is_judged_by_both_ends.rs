//! The pack `qr-abuse` as it is shipped, on the real service: what it says to claims, and the number on the screen.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use server::audit::Leaf;
use server::config::Config;
use server::limits::Limit;

use crate::a_kiosk_learns_who_signs_in::enrolled;
use crate::harness::{Server, id, token};
use crate::phone::{Phone, Sdk};
use crate::phone_v2::{self, Decide};
use crate::screen::{PollingScreen, Screen};

const LONDON: &str = "81.2.69.142";
const AMERICA: &str = "216.160.83.56";
const NEARBY: &str = "216.160.83.57";
const NOWHERE: &str = "10.1.2.3";

/// The tests' own rules beside `rules/qr-abuse`, behind a proxy that says where phones are.
fn guarded(config: &mut Config) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/qr-abuse");
    for file in std::fs::read_dir(shipped).expect("the pack").map(|file| file.expect("a file").path()) {
        if file.extension().is_some_and(|extension| extension == "rules") {
            std::fs::copy(&file, config.policies.pack.join(file.file_name().expect("a name"))).expect("copied");
        }
    }
    config.server.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let plenty = Limit::new(u32::MAX, u32::MAX);
    (config.limits.key, config.limits.tenant, config.limits.address) = (plenty, plenty, plenty);
    config.limits.challenge = plenty;
    config.server.max_connections_per_address = 4_000;
}

/// A person with a web phone.
struct Person {
    name: String,
    phone: Phone,
    credential: String,
}

impl Person {
    async fn new(server: &Server, name: &str) -> Person {
        let phone = Phone::new(server, Sdk::Android);
        let enrolled = phone_v2::enrol(server, &phone, &server.enrolment_token(name).await).await.ok();
        let credential = enrolled["userAuthenticatorId"].as_str().expect("an id").to_owned();
        Person { name: name.to_owned(), phone, credential }
    }

    /// Tracks a payment from an address and gives its token.
    async fn pays(&self, server: &Server, key: &str, address: &str) -> String {
        let custom = json!({"amount": {"value": "20.00", "currency": "EUR"}, "payee": "Bakery"});
        let body = json!({"idempotencyKey": key, "ipAddress": address, "custom": custom});
        token(&server.track(&self.name, "pay", body).await)
    }

    /// The same on a screen that polls.
    async fn payment(&self, server: &Server, key: &str, address: &str) -> PollingScreen {
        let token = self.pays(server, key, address).await;
        PollingScreen::create(server, Some(&token), json!({"action": "pay"})).await.expect("a challenge")
    }

    async fn claim(&self, server: &Server, challenge: &str, address: &str) -> crate::harness::Reply {
        phone_v2::claim_from(server, &self.phone, &self.credential, challenge, "", Some(address)).await
    }

    fn approval(&self, server: &Server, challenge: &str, claimed: &Value) -> Decide {
        phone_v2::decision(server, &self.credential, challenge, claimed, "approve")
    }
}

/// The decisions about this user's claims, newest first.
async fn decisions(server: &Server, user: &str, action: &str) -> Vec<Value> {
    let path = format!("/v1/decisions?user={user}&action={action}");
    let listed = server.backend("GET", &path, Value::Null).await.ok();
    listed["decisions"].as_array().expect("decisions").clone()
}

fn wrong(code: &str) -> String {
    format!("{:02}", (code.parse::<u32>().expect("digits") + 1) % 100)
}

#[tokio::test]
async fn t01_a_claim_from_another_country_is_blocked_with_a_reason_and_the_code_stays_open() {
    let server = Server::start_with(guarded).await;
    let ann = Person::new(&server, "ann").await;
    let screen = ann.payment(&server, "k1", AMERICA).await;

    let refused = ann.claim(&server, &screen.challenge_id, LONDON).await;
    refused.refused(403, "action_blocked");
    let reasons = json!([{"code": "RELAY_COUNTRY", "text": "This code cannot be used from here"}]);
    assert_eq!(refused.body["reasons"], reasons);
    assert_eq!(screen.poll(&server).await.ok()["state"], "unclaimed");

    // The decision names the rule and both ends, and explains itself.
    let decided = decisions(&server, "ann", "challenge_claim").await;
    assert_eq!(decided.len(), 1, "{decided:?}");
    assert_eq!((&decided[0]["outcome"], &decided[0]["state"]), (&json!("block"), &json!("BLOCK")));
    assert_eq!(decided[0]["rules"], json!(["relay_country"]));
    let path = format!("/v1/decisions/{}", decided[0]["decisionId"].as_str().expect("an id"));
    let told = server.backend("GET", &path, Value::Null).await.ok();
    let fields = &told["signals"]["located"]["event"]["fields"];
    for (field, value) in
        [("ip", LONDON), ("origin_ip", AMERICA), ("origin_country", "US"), ("challenge_action", "pay")]
    {
        assert!(fields[field].to_string().contains(value), "{field}: {fields}");
    }
    assert!(told["trace"].to_string().contains("same_country"), "{}", told["trace"]);
    let entry = decided[0]["auditEntry"].as_u64().expect("a number");
    let tenant = challenge::TenantId::parse(server.tenant.as_str()).expect("a tenant");
    let leaf = server.app.store.audit_leaf(&tenant, entry).await.expect("the log").expect("a leaf");
    for word in ["relay_country", &screen.challenge_id, &ann.credential] {
        assert!(leaf.contains(word), "{word}: {leaf}");
    }

    // Beside the screen the same code is good.
    ann.claim(&server, &screen.challenge_id, NEARBY).await.ok();
    assert_eq!(screen.poll(&server).await.ok()["state"], "claimed");
    let decided = decisions(&server, "ann", "challenge_claim").await;
    assert_eq!((decided.len(), &decided[0]["outcome"]), (2, &json!("allow")), "{decided:?}");
}

#[tokio::test]
async fn a_phone_that_cannot_be_placed_is_asked_for_the_number_on_the_screen() {
    let server = Server::start_with(guarded).await;
    let ann = Person::new(&server, "ann").await;
    let token = ann.pays(&server, "k1", AMERICA).await;
    let mut screen = Screen::identified(&server, &token).await;
    let challenge = id(&screen.create("pay", None).await);
    let mut bystander = Screen::anonymous(&server).await;
    bystander.create("kiosk-login", None).await;

    let claimed = ann.claim(&server, &challenge, NOWHERE).await.ok();
    assert_eq!(claimed["needsCode"], true, "{claimed}");
    assert_eq!(screen.state(&challenge).await.0, "claimed");
    let message = screen.next().await;
    assert_eq!((&message["type"], &message["data"]["challengeId"]), (&json!("MATCH_CODE"), &json!(challenge)));
    let code = message["data"]["matchCode"].as_str().expect("a code").to_owned();
    assert!(code.len() == 2 && code.bytes().all(|digit| digit.is_ascii_digit()), "{code}");
    assert!(bystander.is_silent().await, "only the screen that made the challenge shows its code");

    // A claim that is repeated is the same claim with the same code, and is not decided again.
    let again = ann.claim(&server, &challenge, NOWHERE).await.ok();
    assert_eq!((&again["needsCode"], &again["claim"]), (&json!(true), &claimed["claim"]));
    assert_eq!(decisions(&server, "ann", "challenge_claim").await.len(), 1);

    let approval = ann.approval(&server, &challenge, &claimed);
    for (typed, left) in [(wrong(&code), 2), (String::new(), 1)] {
        let refused = phone_v2::approve_with(&server, &ann.phone, &approval, &typed).await;
        refused.refused(400, "wrong_code");
        assert_eq!(refused.body["attemptsLeft"], left);
    }
    phone_v2::approve_with(&server, &ann.phone, &approval, &code).await.ok();
    let (state, token) = screen.state(&challenge).await;
    assert_eq!(state, "approved");
    // Digits that a relay can show as well prove no nearness: the rung stays what the signature reached.
    let valid = server.validate(json!({"token": token})).await;
    assert_eq!((&valid["isValid"], &valid["acr"]), (&json!(true), &json!("qr.linked")), "{valid}");

    let decided = decisions(&server, "ann", "challenge_claim").await;
    assert_eq!(decided[0]["outcome"], "challenge");
    assert_eq!(decided[0]["state"], "CHALLENGE_SUCCEEDED", "{decided:?}");
    assert_eq!(server.state("ann", "pay", "k1").await, "CHALLENGE_SUCCEEDED");
}

#[tokio::test]
async fn a_claim_from_another_country_is_asked_for_the_number_and_the_right_one_goes_through() {
    let server = Server::start_with(|config| {
        guarded(config);
        let rules = "policy always on challenge_claim {\n  default challenge qr\n}\n";
        std::fs::write(config.policies.pack.join("always.rules"), rules).expect("written");
        // Abroad is suspicious here, and not forbidden.
        let claim = config.policies.pack.join("claim.rules");
        let milder = std::fs::read_to_string(&claim)
            .expect("rules")
            .replace("then block reason RELAY_COUNTRY", "then challenge qr reason RELAY_COUNTRY");
        std::fs::write(claim, milder).expect("written");
    })
    .await;
    let ann = Person::new(&server, "ann").await;
    for (key, address) in [("abroad", LONDON), ("at home", NEARBY)] {
        let screen = ann.payment(&server, key, AMERICA).await;
        let claimed = ann.claim(&server, &screen.challenge_id, address).await.ok();
        assert_eq!(claimed["needsCode"], true, "{key}: {claimed}");
        let code = screen.poll(&server).await.ok()["matchCode"].as_str().expect("a code").to_owned();
        let approval = ann.approval(&server, &screen.challenge_id, &claimed);
        phone_v2::approve_with(&server, &ann.phone, &approval, &code).await.ok();
        let token = screen.poll(&server).await.ok()["accessToken"].clone();
        assert_eq!(server.validate(json!({"token": token, "action": "pay"})).await["isValid"], true, "{key}");
    }
    let decided = decisions(&server, "ann", "challenge_claim").await;
    assert_eq!(decided[1]["rules"], json!(["relay_country"]), "{decided:?}");
}

#[tokio::test]
async fn at_a_kiosk_a_poller_sees_the_number_until_it_is_answered() {
    let server = Server::start_with(guarded).await;
    let ann = Person::new(&server, "ann").await;
    let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    assert!(screen.poll(&server).await.ok().get("matchCode").is_none());
    let claimed = ann.claim(&server, &screen.challenge_id, LONDON).await.ok();
    let polled = screen.poll(&server).await.ok();
    let code = polled["matchCode"].as_str().expect("a code").to_owned();
    screen.poll_with(&server, &"A".repeat(43)).await.refused(404, "challenge_not_found");

    let approval = ann.approval(&server, &screen.challenge_id, &claimed);
    phone_v2::approve_with(&server, &ann.phone, &approval, &wrong(&code)).await.refused(400, "wrong_code");
    let no = Decide { decision: "reject".to_owned(), ..approval };
    phone_v2::decide(&server, &ann.phone, &screen.challenge_id, false, &no.text()).await.ok();
    let polled = screen.poll(&server).await.ok();
    assert_eq!((polled["state"].as_str(), polled.get("matchCode")), (Some("rejected"), None), "{polled}");
    let decided = decisions(&server, "ann", "challenge_claim").await;
    assert_eq!(decided[0]["state"], "CHALLENGE_FAILED", "{decided:?}");

    // The refusal counts once, though two decisions ended with it: the next claim is asked because of it, not blocked.
    // So it is when history is read from the log again.
    let server = server.restart().await;
    let next = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    ann.claim(&server, &next.challenge_id, LONDON).await.ok();
    let decided = decisions(&server, "ann", "challenge_claim").await;
    assert_eq!(decided[0]["rules"], json!(["claim_after_no"]), "{decided:?}");
    let verdict = server
        .backend("GET", &format!("/v1/decisions/{}", decided[0]["decisionId"].as_str().expect("an id")), Value::Null)
        .await
        .ok();
    let declined = verdict["signals"]["observed"].to_string();
    assert!(!declined.contains("\"lo\":2"), "{declined}");
}

#[tokio::test]
async fn a_stock_phone_that_cannot_take_the_number_is_told_so_and_the_code_stays_open() {
    let server = Server::start_with(guarded).await;
    for sdk in [Sdk::Ios, Sdk::Android, Sdk::Legacy] {
        let user = format!("ann-{sdk:?}");
        let phone = enrolled(&server, &user, sdk).await;
        // Without a proxy's word the phone is on this machine, and the screen in America.
        let custom = json!({"amount": {"value": "20.00", "currency": "EUR"}, "payee": "Bakery"});
        let body = json!({"idempotencyKey": "k1", "ipAddress": AMERICA, "custom": custom});
        let token = token(&server.track(&user, "pay", body).await);
        let screen = PollingScreen::create(&server, Some(&token), json!({"action": "pay"})).await.expect("one");
        let refused = phone.claim(&server, &screen.challenge_id).await;
        refused.refused(400, "protocol_too_old");
        assert_eq!(refused.body["reasons"][0]["code"], "PROTOCOL_TOO_OLD", "{}", refused.body);
        assert_eq!(screen.poll(&server).await.ok()["state"], "unclaimed");
        let decided = decisions(&server, &user, "challenge_claim").await;
        assert_eq!((&decided[0]["outcome"], &decided[0]["state"]), (&json!("block"), &json!("BLOCK")));
    }
}

#[tokio::test]
async fn the_sixth_claim_of_a_phone_within_a_minute_is_refused_also_after_a_restart() {
    let mut server = Server::start_with(guarded).await;
    let ann = Person::new(&server, "ann").await;
    for number in 1..=6 {
        if number == 4 {
            server = server.restart().await;
        }
        let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
        // The kiosk is on this machine, and so is the phone.
        let claimed = ann.claim(&server, &screen.challenge_id, "127.0.0.1").await;
        if number < 6 {
            assert_eq!(claimed.ok()["needsCode"], false, "claim {number}");
        } else {
            claimed.refused(403, "action_blocked");
            assert_eq!(claimed.body["reasons"][0]["code"], "CLAIM_SWEEP", "{}", claimed.body);
        }
    }
    server.clock.advance(Duration::from_secs(61));
    let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    ann.claim(&server, &screen.challenge_id, "127.0.0.1").await.ok();
}

#[tokio::test]
async fn of_many_phones_that_claim_at_once_each_is_judged_and_one_wins() {
    let server = Server::start_with(guarded).await;
    let mut people = Vec::new();
    // One screen for five users in ten minutes would be a relay.
    for number in 0..3 {
        people.push(Person::new(&server, &format!("user-{number}")).await);
    }
    let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    let claims = people.iter().map(|person| person.claim(&server, &screen.challenge_id, "127.0.0.1"));
    let replies = join_all(claims).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1, "{replies:?}");
    // The same phone many times is one claim and one decision.
    let ann = Person::new(&server, "ann").await;
    let screen = PollingScreen::create(&server, None, json!({"action": "kiosk-login"})).await.expect("a challenge");
    let claims = (0..16).map(|_| ann.claim(&server, &screen.challenge_id, NOWHERE));
    for reply in join_all(claims).await {
        assert_eq!(reply.ok()["needsCode"], true);
    }
    assert_eq!(decisions(&server, "ann", "challenge_claim").await.len(), 1);
}

#[tokio::test]
async fn t05_a_claim_by_somebody_else_is_an_event_of_the_user_it_was_meant_for() {
    let server = Server::start_with(guarded).await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    let screen = ann.payment(&server, "k1", AMERICA).await;
    for attempt in 1..=2 {
        let refused = bob.claim(&server, &screen.challenge_id, LONDON).await;
        refused.refused(403, "wrong_user");
        assert!(!refused.body.to_string().contains("ann"), "{}", refused.body);
        let decided = decisions(&server, "ann", "challenge_foreign_claim").await;
        assert_eq!(decided.len(), attempt, "{decided:?}");
        let flags = if attempt < 2 { json!([]) } else { json!(["warn_user"]) };
        assert_eq!((&decided[0]["outcome"], &decided[0]["flags"]), (&json!("block"), &flags), "{decided:?}");
    }
    assert_eq!(screen.poll(&server).await.ok()["state"], "unclaimed");
    assert_eq!(decisions(&server, "bob", "challenge_claim").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_pack_whose_event_cannot_be_filled_lets_no_claim_through() {
    let server = Server::start_with(|config| {
        let rules =
            "event challenge_claim { origin_distance: distance }\npolicy c on challenge_claim { default allow }";
        std::fs::write(config.policies.pack.join("claim.rules"), rules).expect("written");
    })
    .await;
    let ann = Person::new(&server, "ann").await;
    let screen = ann.payment(&server, "k1", AMERICA).await;
    ann.claim(&server, &screen.challenge_id, LONDON).await.refused(403, "action_blocked");
    assert_eq!(screen.poll(&server).await.ok()["state"], "unclaimed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t17_of_a_thousand_wrong_codes_at_once_three_are_counted_and_the_challenge_is_rejected() {
    let server = Server::start_with(guarded).await;
    let ann = Person::new(&server, "ann").await;
    let screen = ann.payment(&server, "k1", AMERICA).await;
    let claimed = ann.claim(&server, &screen.challenge_id, NOWHERE).await.ok();
    let code = screen.poll(&server).await.ok()["matchCode"].as_str().expect("a code").to_owned();
    let before = server.app.store.log_head().await.expect("the log").size;

    let approval = ann.approval(&server, &screen.challenge_id, &claimed);
    let guess = wrong(&code);
    let guesses = (0..1_000).map(|_| phone_v2::approve_with(&server, &ann.phone, &approval, &guess));
    let replies = join_all(guesses).await;
    let counted: Vec<_> = replies.iter().filter(|reply| reply.body["error"] == "wrong_code").collect();
    let mut left: Vec<_> = counted.iter().map(|reply| reply.body["attemptsLeft"].as_u64().expect("a number")).collect();
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2]);
    for reply in replies.iter().filter(|reply| reply.body["error"] != "wrong_code") {
        reply.refused(409, "challenge_already_answered");
    }
    assert_eq!(screen.poll(&server).await.ok()["state"], "rejected");
    // Too late for the right one.
    phone_v2::approve_with(&server, &ann.phone, &approval, &code).await.refused(409, "challenge_already_answered");

    let tenant = challenge::TenantId::parse(server.tenant.as_str()).expect("a tenant");
    let mut kinds = Vec::new();
    for seq in before..server.app.store.log_head().await.expect("the log").size {
        let leaf = server.app.store.audit_leaf(&tenant, seq).await.expect("the log").expect("an entry");
        kinds.push(Leaf::decode(&leaf).expect("a leaf").kind);
    }
    let how_many = |wanted: &str| kinds.iter().filter(|kind| *kind == wanted).count();
    assert_eq!((how_many("challenge.answer.counted"), how_many("challenge.rejected")), (2, 1));
    assert_eq!(how_many("refusal.answer"), 998);
}
