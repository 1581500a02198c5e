//! T-41 by chance: one tenant's credentials with ids, tokens, keys, signatures and bodies of both, over every endpoint that the
//! API describes, and over sockets. Whatever the dice bring together, nothing of the other tenant is returned, and none of its rows changes.
//!
//! Both tenants have a user, actions and keys of the same names. `cargo xtask tenants` is the long form.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use challenge::TenantId;
use serde_json::{Map, Value, json};
use server::auth::Secret;
use server::config::ClientConfig;
use server::limits::Limit;
use server::random::Random;

use crate::every_endpoint_keeps_tenants_apart::{Ours, USER, is_strict, known, ours};
use crate::harness::{OTHER_TENANT, SECRET, Server, TENANT};
use crate::screen::Screen;
use crate::what_is_refused_changes_nothing::rows;

/// Calls on one service: what the caller has of its own is spent with time.
const CALLS_A_SERVER: u64 = 600;
/// Between two looks at the database.
const CALLS_A_LOOK: u64 = 50;
const CALLS_A_SOCKET: u64 = 15;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// One tenant with all it has.
struct Side {
    tenant: &'static str,
    admin: String,
    secret: String,
    ours: Ours,
    /// What stands for each name in a path, a query or a body.
    things: BTreeMap<&'static str, Vec<Value>>,
}

impl Side {
    async fn new(server: &mut Server, tenant: &'static str, secret: &str) -> Side {
        (server.tenant, server.secret) = (tenant.to_owned(), secret.to_owned());
        let admin = format!("{secret}-admin");
        let key = Secret::parse(&admin).expect("a secret");
        server.app.admit(&TenantId::parse(tenant).expect("an id"), "Side", "admin", &key).await.expect("a key");
        let ours = ours(server).await;
        let mark = mark(tenant);
        let person = json!({"email": format!("{mark}@example.com"), "displayName": mark});
        server.backend("PATCH", "/v1/users/ann", person).await.ok();
        let key = ours.phone.public_key();
        let signed = |text: &str| json!(ours.phone.sign(text));
        let window = server::clock::Clock::now(&*server.clock).as_second().div_euclid(600);
        let things = BTreeMap::from([
            ("userId", vec![json!(USER)]),
            ("user", vec![json!(USER)]),
            ("action", vec![json!("pay"), json!("signIn"), json!("kiosk-login")]),
            ("actionCode", vec![json!("pay")]),
            ("idempotencyKey", vec![json!("k1"), json!("k2"), json!("k3")]),
            ("kind", vec![json!("qr-code"), json!("push"), json!("in-app"), json!("device")]),
            ("deviceId", vec![json!("laptop")]),
            ("list", vec![json!("anything")]),
            ("policyVersion", vec![json!(ours.policy_version)]),
            ("terminalId", vec![json!("kiosk-7")]),
            ("tenantId", vec![json!(tenant)]),
            ("decisionId", vec![json!(ours.decision)]),
            ("id", vec![json!(ours.decision), json!(ours.session), json!(ours.open_challenge)]),
            ("challengeId", vec![json!(ours.open_challenge)]),
            ("userAuthenticatorId", vec![json!(ours.authenticator)]),
            ("sessionId", vec![json!(ours.session)]),
            ("token", vec![json!(ours.result_token), json!(ours.track_token), json!(ours.access_token)]),
            ("accessToken", vec![json!(ours.access_token)]),
            ("refreshToken", vec![json!(ours.refresh_token)]),
            ("deviceCode", vec![json!(ours.device_code)]),
            ("publicKey", vec![json!(key)]),
            ("signature", vec![signed(&ours.open_challenge), signed(&format!("{window}.0"))]),
            ("approved", vec![json!(true), json!(false)]),
            ("state", vec![json!("REVIEW_FAILED"), json!("CHALLENGE_SUCCEEDED"), json!("BLOCK")]),
            ("clientId", vec![json!("web")]),
            ("scope", vec![json!("add:authenticators")]),
            ("reason", vec![json!("because")]),
            ("author", vec![json!("somebody")]),
        ]);
        Side { tenant, admin, secret: secret.to_owned(), ours, things }
    }

    /// Every way to say who is calling.
    fn credentials(&self) -> Vec<String> {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let bearers = [&self.ours.track_token, &self.ours.access_token, &self.ours.result_token];
        let mut all = vec![
            basic(&format!("{}:", self.secret)),
            basic(&format!("{}:", self.admin)),
            format!("Bearer {}", self.admin),
            basic(self.tenant),
            basic(&format!("{}:", self.tenant)),
            format!("Basic {}", URL_SAFE_NO_PAD.encode(format!("{}:", self.tenant))),
        ];
        all.extend(bearers.map(|token| format!("Bearer {token}")));
        all
    }

    /// Every way to say so to a socket; not every one is let in.
    fn protocols(&self) -> Vec<String> {
        let Ours { track_token, access_token, result_token, .. } = &self.ours;
        let mut all = vec![format!("x.authsignal.tenant.{}", self.tenant)];
        all.extend(
            [track_token, track_token, access_token, result_token].map(|token| format!("x.authsignal.token.{token}")),
        );
        all
    }

    /// What nobody else may hear, unless they said it themselves.
    fn marks(&self) -> [String; 6] {
        let Ours { decision, authenticator, open_challenge, session, refresh_token, .. } = &self.ours;
        let own = |text: &String| text.clone();
        let refresh_token = own(refresh_token);
        [mark(self.tenant), own(decision), own(authenticator), own(open_challenge), own(session), refresh_token]
    }

    /// Each row that is this tenant's, and how much of the log.
    async fn rows(&self, server: &Server) -> BTreeMap<String, Vec<String>> {
        let mut tables = rows(server).await;
        let own = format!("'{}'", self.tenant);
        tables.values_mut().for_each(|rows| rows.retain(|row| row.contains(&own)));
        tables
    }
}

fn mark(tenant: &str) -> String {
    format!("mark-of-{tenant}")
}

struct Dice(Random);

impl Dice {
    fn below(&self, n: usize) -> usize {
        let drawn = usize::try_from(u32::from_be_bytes(self.0.bytes())).expect("four bytes");
        drawn % n.max(1)
    }

    fn chance(&self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn one_of<'a, T>(&self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// The other's most of the time, else one's own, or what nobody has.
    fn thing(&self, name: &str, caller: &Side, other: &Side) -> Option<Value> {
        let side = if self.chance(75) { other } else { caller };
        let thing = self.one_of(side.things.get(name)?).clone();
        match thing.as_str() {
            Some(text) if self.chance(5) => Some(json!(text.replace('a', "b").replace('1', "2"))),
            _ => Some(thing),
        }
    }
}

struct Endpoint {
    method: String,
    path: String,
    example: Map<String, Value>,
    /// The names that it knows, where it refuses others.
    known: Option<Vec<String>>,
}

impl Endpoint {
    /// How often a name is said to it that is said so often to others: what it refuses, seldom.
    fn percent(&self, name: &str, percent: usize) -> usize {
        if self.known.as_ref().is_none_or(|known| known.iter().any(|known| known == name)) { percent } else { 1 }
    }
}

async fn endpoints(server: &Server) -> Vec<Endpoint> {
    let api = server.request("GET", "/openapi.json", &[], None).await.ok();
    let mut all = Vec::new();
    for (path, methods) in api["paths"].as_object().expect("paths") {
        for (method, operation) in
            methods.as_object().expect("methods").iter().filter(|(key, _)| !key.starts_with("x-"))
        {
            let example = operation["requestBody"]["content"]["application/json"]["example"].as_object();
            let (method, example) = (method.to_uppercase(), example.cloned().unwrap_or_default());
            let known = is_strict(path).then(|| known(operation));
            all.push(Endpoint { method, path: path.clone(), example, known });
        }
    }
    all
}

/// A call as the dice bring it together: what is asked, and everything that is said.
fn call(
    dice: &Dice,
    endpoint: &Endpoint,
    caller: &Side,
    other: &Side,
) -> (String, Vec<(&'static str, String)>, Option<String>) {
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let parts =
        endpoint.path.split('/').map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => text(dice.thing(name, caller, other).unwrap_or_else(|| panic!("say what `{name}` may be"))),
            None => part.to_owned(),
        });
    let limit = if dice.chance(endpoint.percent("limit", 100)) { "limit=100" } else { "" };
    let mut url = format!("/v1{}?{limit}", parts.collect::<Vec<_>>().join("/"));
    for name in other.things.keys() {
        if dice.chance(endpoint.percent(name, if *name == "publicKey" { 50 } else { 20 })) {
            let value = dice.thing(name, caller, other).map(text).unwrap_or_default();
            // A key stands in a query as the base64 of its base64.
            let value = if *name == "publicKey" { URL_SAFE_NO_PAD.encode(value) } else { value.replace('+', "%2B") };
            url.push_str(&format!("&{name}={value}"));
        }
    }
    let mut headers = vec![("authorization", dice.one_of(&caller.credentials()).clone())];
    if dice.chance(30) {
        headers.push(("x-authsignal-tenant-id", other.tenant.to_owned()));
    }
    let body = (endpoint.method != "GET").then(|| {
        let mut body = if dice.chance(70) { endpoint.example.clone() } else { Map::new() };
        for name in other.things.keys() {
            if dice.chance(if body.contains_key(*name) { 90 } else { endpoint.percent(name, 30) }) {
                body.extend(dice.thing(name, caller, other).map(|value| ((*name).to_owned(), value)));
            }
        }
        Value::Object(body).to_string()
    });
    (url, headers, body)
}

/// What a screen sends over a socket as the dice bring it together.
fn frames(dice: &Dice, caller: &Side, other: &Side) -> Vec<Value> {
    let mixed = |names: &mut dyn Iterator<Item = &&'static str>, percent: usize| {
        let mut mixed = Map::new();
        for name in names.filter(|_| dice.chance(percent)) {
            mixed.extend(dice.thing(name, caller, other).map(|value| ((*name).to_owned(), value)));
        }
        mixed
    };
    let frame = |_| {
        let mut data = mixed(&mut other.things.keys(), 30);
        data.entry("actionCode").or_insert(json!("pay"));
        data.insert("challengeType".to_owned(), json!("QR_CODE"));
        if dice.chance(20) {
            data.insert("terminal".to_owned(), mixed(&mut ["terminalId", "signature"].iter(), 90).into());
        }
        if dice.chance(20) {
            data.insert("custom".to_owned(), mixed(&mut other.things.keys(), 30).into());
        }
        json!({"type": if dice.chance(90) { "CREATE_CHALLENGE" } else { "STATE_CHANGE" }, "data": data})
    };
    (0..=dice.below(3)).map(frame).collect()
}

async fn keep_apart(seed: u64, calls: u64) {
    let mut server = Server::start_with(|config| {
        config.defaults.clients.insert("web".to_owned(), ClientConfig::default());
        let plenty = Limit::new(u32::MAX, u32::MAX);
        config.limits.key = plenty;
        config.limits.tenant = plenty;
        config.limits.address = plenty;
        config.limits.challenge = plenty;
        config.limits.failed_auth = plenty;
    })
    .await;
    let dice = Dice(Random::seeded(seed));
    let mut caller = Side::new(&mut server, OTHER_TENANT, &format!("{SECRET}-other")).await;
    let mut other = Side::new(&mut server, TENANT, SECRET).await;
    if dice.chance(50) {
        std::mem::swap(&mut caller, &mut other);
    }
    let endpoints = endpoints(&server).await;
    let before = other.rows(&server).await;
    assert!(before["credentials"].len() == 1 && before["challenges"].len() >= 3, "{before:?}");
    let mut said = Vec::new();
    let (mut granted, mut shown) = (0, 0);
    for number in 1..=calls {
        let endpoint = dice.one_of(&endpoints);
        let (url, headers, body) = call(&dice, endpoint, &caller, &other);
        let reply = server.request(&endpoint.method, &url, &headers, body.clone()).await;
        let (answer, call) = (reply.body.to_string(), format!("{} {url} {headers:?} {body:?}", endpoint.method));
        assert!(reply.status < 500, "seed {seed}, call {number}: {call}: {answer}");
        granted += u32::from(reply.status == 200);
        for mark in other.marks() {
            assert!(
                call.contains(&mark) || !answer.contains(&mark),
                "seed {seed}, call {number}: {call} tells {answer}"
            );
        }
        said.push(call);
        if number % CALLS_A_SOCKET == 0 {
            let (protocol, frames) = (dice.one_of(&caller.protocols()).clone(), frames(&dice, &caller, &other));
            if let Ok(mut screen) = Screen::open(&server, &protocol, None).await {
                let (heard, call) = (screen.hears(&frames).await.join("\n"), format!("{protocol} {frames:?}"));
                shown += u32::from(heard.contains("CHALLENGE_CREATED"));
                for mark in other.marks() {
                    let told = !call.contains(&mark) && heard.contains(&mark);
                    assert!(!told, "seed {seed}, after call {number}: {call} tells {heard}");
                }
                said.push(call);
            }
        }
        if number % CALLS_A_LOOK == 0 || number == calls {
            assert_eq!(other.rows(&server).await, before, "seed {seed}, one of {said:#?}");
            said.clear();
        }
    }
    // The dice are worth something only if many calls are let through.
    assert!(shown > 0 || calls < CALLS_A_SERVER, "seed {seed}: no socket has shown a code");
    assert!(u64::from(granted) * 20 > calls, "seed {seed}: {granted} of {calls} calls were granted");
}

#[tokio::test]
async fn t41_whatever_chance_pairs_nothing_of_another_tenant_is_returned_or_changed() {
    let seed = number("STEPUP_SEED").unwrap_or_else(|| u64::from_be_bytes(Random::system().bytes()));
    let calls = number("STEPUP_TENANT_CALLS").unwrap_or(CALLS_A_SERVER);
    println!("STEPUP_SEED={seed}");
    for (round, begun) in (0..calls).step_by(CALLS_A_SERVER as usize).enumerate() {
        keep_apart(seed.wrapping_add(round as u64), CALLS_A_SERVER.min(calls - begun)).await;
    }
}
