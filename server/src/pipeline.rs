//! One attempt at an action, from the request to the answer.
//!
//! authenticate → limit → **decode → enrich and observe → evaluate → decide → record → notify → respond**. The first two
//! are done when we begin ([`crate::auth::Caller`]). Nothing is answered before it is durable.

mod answer;
pub mod own;
mod record;
mod recorded;
mod showable;

use std::collections::BTreeMap;
use std::sync::Arc;

use challenge::Challenge;
use engine::event::EventInput;
use engine::program::Program;
use engine::signals::Located;
use engine::types::Type;
use engine::verdict::Verdict;
use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::app::App;
use crate::challenges::generate;
use crate::config::Unenrolled;
use crate::decide::{self, Decided};
use crate::decode::{self, Attempted, Skew, Target};
use crate::enrich;
use crate::error::{ApiError, Problem};
use crate::policies::{Judging, When};
use crate::store::{
    DecisionId, DecisionKey, NewChallenge, NewDecision, NewDevice, RecordError, TenantId, UserAttributes, UserId,
};
pub use recorded::{Remembered, archived, recorded};

/// What a caller of `track` is told.
pub struct Tracked {
    /// The body of the answer.
    pub answer: Map<String, Value>,
    /// Whether an earlier attempt had this key: the answer is that one's.
    pub replayed: bool,
}

/// What a request says of itself beside its body.
#[derive(Clone, Copy, Default)]
pub struct Headers<'a> {
    /// The header `Idempotency-Key`.
    pub key: Option<&'a str>,
    /// The caller's trace, written into the log's entry of the decision.
    pub trace: Option<&'a str>,
}

/// Decides about an attempt, once.
pub async fn track(
    app: &App,
    target: Target,
    headers: Headers<'_>,
    body: &Map<String, Value>,
    explain: bool,
) -> Result<Tracked, ApiError> {
    let policies = app.policies.of(&target.tenant);
    let judging = policies.judging().await;
    let mut attempted = decode(app, &judging, target, headers.key, body)?;

    // Whoever comes second with a key waits here, and then finds the answer.
    let _turn = app.attempts.begin(&attempted.key).await;
    if let Some(answer) = earlier(app, &attempted).await? {
        return respond(app, &attempted, answer, true, explain).await;
    }

    let device = on_device(app, &judging, &mut attempted).await?;
    let located = enrich(app, &judging, &attempted).await?;
    let devices = app.caches.devices(&app.store, &attempted.key.tenant, &attempted.key.user).await?;
    let unenrolled = match devices.is_empty() {
        true => unenrolled(app, &attempted.key).await?,
        false => Unenrolled::default(),
    };
    let decide = |verdict: &Verdict| decide::decide(verdict, !devices.is_empty(), unenrolled);
    if showable::is_doubtful(&attempted) {
        let (_, verdict) = judging.rehearse(located.clone(), attempted.when, attempted.received_at);
        challenge_for(app, &attempted, &verdict, &decide(&verdict))?;
    }
    let (signals, verdict) = judging.observe(located, attempted.when, attempted.received_at);
    let decided = decide(&verdict);

    let id = DecisionId(app.random.uuid_v7(attempted.received_at));
    let challenge = challenge_for(app, &attempted, &verdict, &decided)?;
    if let Some(new) = &challenge {
        let DecisionKey { tenant, user, .. } = &attempted.key;
        app.prompts.made(tenant, user, new.challenge.id(), attempted.received_at);
    }
    let answer = answer::body(&attempted, id, &judging, &verdict, &decided, challenge.as_ref(), &devices);
    let (is_new_device, about_user) = (device.is_some(), news_of_user(app, &attempted).await?);
    let tells_of_user = about_user.is_some();
    let decision = record::new_decision(app, &attempted, id, &signals, &verdict, &decided, &answer, challenge)?;
    let mut decision = NewDecision { device, about_user, ..decision };
    decision.facts.extend(headers.trace.map(|trace| ("trace".to_owned(), trace.to_owned())));
    let durable = app.store.record_decision(decision).await;
    if tells_of_user {
        app.caches.forget_user(&attempted.key.tenant, &attempted.key.user);
    } else if is_new_device {
        app.caches.forget_seen_devices(&attempted.key.tenant, &attempted.key.user);
    }
    let (answer, replayed) = match durable {
        Ok(_) => (answer, false),
        // Another process of ours was faster: its answer stands.
        Err(RecordError::Duplicate(first)) => (same_request(&attempted, &(&*first).into())?, true),
        Err(RecordError::Store(error)) => return Err(crate::caches::refuse(error)),
    };
    if !replayed {
        judging.answered(&signals.located, record::status(decided.outcome));
        record::apply_list_effects(&policies, &verdict, attempted.received_at);
        app.caches.remember_answer(
            attempted.key.clone(),
            attempted.body_hash,
            Value::Object(answer.clone()).to_string(),
        );
        count(judging.program(), &attempted, &decided);
    }
    respond(app, &attempted, answer, replayed, explain).await
}

/// What the backend says of the user that is not known. What it says with an event of the past is not what is so today.
async fn news_of_user(app: &App, attempted: &Attempted) -> Result<Option<UserAttributes>, ApiError> {
    let given = &attempted.about_user;
    if attempted.when == When::Said || *given == UserAttributes::default() {
        return Ok(None);
    }
    let known = app.caches.user(&app.store, &attempted.key.tenant, &attempted.key.user).await?;
    let known = known.map(|user| user.attributes.clone()).unwrap_or_default();
    let is_news = |given: &Option<String>, known: &Option<String>| given.is_some() && given != known;
    let news = is_news(&given.email, &known.email)
        || is_news(&given.phone_number, &known.phone_number)
        || is_news(&given.username, &known.username);
    Ok(news.then(|| given.clone()))
}

/// What a challenge comes to for this user, who has no device. Letting somebody through who has none is meant for those who
/// never had one: a lost or reset phone must not open every door.
async fn unenrolled(app: &App, key: &DecisionKey) -> Result<Unenrolled, ApiError> {
    let setting = app.config.tenant(key.tenant.as_str()).unenrolled;
    match setting {
        Unenrolled::Challenge | Unenrolled::Block => Ok(setting),
        Unenrolled::Allow => {
            let standing = app.store.recovery_standing(&key.tenant, &key.user).await.map_err(crate::caches::refuse)?;
            let lost_it = standing.had_phone || standing.pending_reset.is_some();
            Ok(if lost_it { Unenrolled::Challenge } else { Unenrolled::Allow })
        }
    }
}

/// What the rules would say to an event; nothing is stored and nothing counted.
pub async fn what_if(app: &App, tenant: &TenantId, input: EventInput) -> Result<Verdict, ApiError> {
    let policies = app.policies.of(tenant);
    let judging = policies.judging().await;
    let user = UserId::parse(input.user_id.clone()).map_err(ApiError::internal)?;
    let located = locate(app, &judging, tenant, &user, &input, |_| false).await?;
    Ok(judging.rehearse(located, When::Now, app.clock.now()).1)
}

/// `track` without consequences, and with the whole explanation.
pub async fn rehearse(app: &App, target: Target, body: &Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    let policies = app.policies.of(&target.tenant);
    let judging = policies.judging().await;
    let mut attempted = decode(app, &judging, target, None, body)?;
    on_device(app, &judging, &mut attempted).await?;
    let located = enrich(app, &judging, &attempted).await?;
    let (signals, verdict) = judging.rehearse(located, attempted.when, attempted.received_at);
    answer::rehearsed(judging.program(), &signals, &verdict)
}

/// Decides about a challenge that a phone claimed and nobody had tracked: the claimer is the user. The challenge exists
/// already, so none is made; the decision is recorded once, however often this is called.
pub async fn claimed(app: &App, challenge: &Challenge, input: EventInput) -> Result<crate::store::Decision, ApiError> {
    let frozen = challenge.frozen();
    let user = UserId::parse(input.user_id.clone()).map_err(ApiError::internal)?;
    let key = DecisionKey {
        tenant: frozen.tenant.clone(),
        user,
        action: frozen.action.clone(),
        idempotency_key: frozen.idempotency_key.clone(),
    };
    // Always before the attempt's turn: a pack that wants to take over waits for us, and others for it.
    let policies = app.policies.of(&key.tenant);
    let judging = policies.judging().await;
    let _turn = app.attempts.begin(&key).await;
    if let Some(first) = app.store.decision_by_key(&key).await.map_err(crate::caches::refuse)? {
        return Ok(first);
    }
    let id = DecisionId(app.random.uuid_v7(app.clock.now()));
    let event = own::Own { key: key.clone(), id, input, facts: BTreeMap::default() };
    let (decision, judged) = own::judge(app, &judging, event, |verdict| {
        // Whoever claims has a device: that is how they claimed.
        let mut decided = decide::decide(verdict, true, Unenrolled::Challenge);
        // The challenge is running; what the rules would let through still waits for its answer.
        decided.outcome = decided.outcome.max(engine::outcome::Outcome::Challenge);
        decided
    })
    .await?;
    match app.store.record_decision(decision).await {
        Ok(_) => judged.recorded(app, &judging),
        Err(RecordError::Duplicate(first)) => return Ok(*first),
        Err(RecordError::Store(error)) => return Err(crate::caches::refuse(error)),
    }
    let stored = app.store.decision_by_key(&key).await.map_err(crate::caches::refuse)?;
    stored.ok_or_else(|| ApiError::internal("a recorded decision cannot be found"))
}

/// Who has the last word about something that happened to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The rules: it goes ahead only if they allow it. Nobody is there to be challenged.
    MayBeRefused,
    /// An administrator, who is a proof by other means where rules ask for one. Rules that block are heeded.
    MayBeBlocked,
    /// An administrator who insists. The decision says that it was overruled.
    Regardless,
}

/// Decides about something that no backend tracked and no screen shows: the recovery of an account. It is recorded and
/// counted like any event if the pack declares the action with what we can tell of it; otherwise nothing happens here.
pub async fn happened(app: &App, key: DecisionKey, input: EventInput, word: Happened) -> Result<(), ApiError> {
    let policies = app.policies.of(&key.tenant);
    let judging = policies.judging().await;
    if judging.program().event(&input.action).is_none() {
        return Ok(());
    }
    if let Err(errors) = judging.program().decode(&input) {
        let lacking: Vec<&str> = errors.iter().map(|error| error.pointer.as_str()).collect();
        tracing::warn!(action = input.action, ?lacking, "the pack's event wants what we do not know; not judged");
        return Ok(());
    }
    let _turn = app.attempts.begin(&key).await;
    let outcome = match app.store.decision_by_key(&key).await.map_err(crate::caches::refuse)? {
        Some(first) => first.outcome,
        None => record_happened(app, &judging, key, input, word).await?,
    };
    match outcome {
        engine::outcome::Outcome::Allow => Ok(()),
        engine::outcome::Outcome::Challenge | engine::outcome::Outcome::Block => {
            Err(ApiError::new(Problem::ActionBlocked, "a policy refuses the recovery of this account at the moment"))
        }
    }
}

async fn record_happened(
    app: &App,
    judging: &Judging<'_>,
    key: DecisionKey,
    input: EventInput,
    word: Happened,
) -> Result<engine::outcome::Outcome, ApiError> {
    use engine::outcome::Outcome;
    let id = DecisionId(app.random.uuid_v7(app.clock.now()));
    let event = own::Own { key, id, input, facts: BTreeMap::default() };
    let (decision, judged) = own::judge(app, judging, event, |verdict| {
        let mut decided = decide::decide(verdict, true, Unenrolled::Challenge);
        decided.outcome = match (verdict.outcome, word) {
            (Outcome::Allow, _) => Outcome::Allow,
            (Outcome::Challenge, Happened::MayBeRefused) => Outcome::Block,
            (Outcome::Challenge, Happened::MayBeBlocked | Happened::Regardless) => Outcome::Allow,
            (Outcome::Block, Happened::MayBeRefused | Happened::MayBeBlocked) => Outcome::Block,
            (Outcome::Block, Happened::Regardless) => Outcome::Allow,
        };
        if decided.outcome < verdict.outcome {
            decided.flags.push("overruled".to_owned());
        }
        decided
    })
    .await?;
    match app.store.record_decision(decision).await {
        Ok(_) => judged.recorded(app, judging),
        Err(RecordError::Duplicate(first)) => return Ok(first.outcome),
        Err(RecordError::Store(error)) => return Err(crate::caches::refuse(error)),
    }
    Ok(judged.decided.outcome)
}

// --- the stages ---

fn decode(
    app: &App,
    judging: &Judging<'_>,
    target: Target,
    key_header: Option<&str>,
    body: &Map<String, Value>,
) -> Result<Attempted, ApiError> {
    let seconds = |s: u64| SignedDuration::from_secs(i64::try_from(s).unwrap_or(i64::MAX));
    let skew = Skew { late: seconds(app.config.policies.late_s), future: seconds(app.config.policies.future_s) };
    decode::attempted(target, key_header, body, judging.program(), app.clock.now(), skew, &app.random)
}

/// The answer that was given under this key, if it is a repeat of the same request.
async fn earlier(app: &App, attempted: &Attempted) -> Result<Option<Map<String, Value>>, ApiError> {
    if !attempted.named {
        return Ok(None);
    }
    match app.caches.answered(&app.store, &attempted.key).await? {
        None => Ok(None),
        Some(first) => same_request(attempted, &first).map(Some),
    }
}

fn same_request(attempted: &Attempted, first: &crate::caches::Answered) -> Result<Map<String, Value>, ApiError> {
    if first.body_hash != attempted.body_hash {
        let detail = "this idempotency key was used with another body; use a new key for another attempt";
        return Err(ApiError::new(Problem::IdempotencyConflict, detail));
    }
    serde_json::from_str(&first.answer).map_err(ApiError::internal)
}

/// Tells the rules what is kept of the device, if they ask for it and the backend does not say; returns the device if the
/// user was never seen on it.
async fn on_device(app: &App, judging: &Judging<'_>, attempted: &mut Attempted) -> Result<Option<NewDevice>, ApiError> {
    let Some(device) = attempted.input.device.clone() else { return Ok(None) };
    let key = &attempted.key;
    let seen = app.caches.seen_devices(&app.store, &key.tenant, &key.user).await?;
    let known = seen.iter().find(|known| known.device == device);
    let event = judging.program().event(&attempted.input.action);
    for field in event.into_iter().flat_map(|event| &event.fields) {
        let Some(fact) = enrich::device_fact(&field.name, known, attempted.received_at) else { continue };
        if field.ty == Type::Bool && !attempted.input.custom.contains_key(&*field.name) {
            attempted.input.custom.insert(field.name.to_string(), Value::Bool(fact));
        }
    }
    let new = known.is_none().then(|| NewDevice { pseudonym: app.random.uuid_v4(), device });
    Ok(new)
}

async fn enrich(app: &App, judging: &Judging<'_>, attempted: &Attempted) -> Result<Located, ApiError> {
    let key = &attempted.key;
    let lifted = |name: &str| attempted.lifted.iter().any(|lifted| lifted == name);
    locate(app, judging, &key.tenant, &key.user, &attempted.input, lifted).await
}

async fn locate(
    app: &App,
    judging: &Judging<'_>,
    tenant: &TenantId,
    user: &UserId,
    input: &EventInput,
    lifted: impl Fn(&str) -> bool,
) -> Result<Located, ApiError> {
    let event = judging.program().decode(input).map_err(|errors| decode::refused(errors, lifted))?;
    let needs = judging.program().needs();
    let facts = if needs.user_tz || needs.user_home_country {
        enrich::user_facts(app.caches.user(&app.store, tenant, user).await?.as_deref())
    } else {
        engine::signals::UserFacts::default()
    };
    Ok(enrich::locate(Arc::new(event), input.ip, &app.atlas.load(), needs, facts))
}

fn challenge_for(
    app: &App,
    attempted: &Attempted,
    verdict: &Verdict,
    decided: &Decided,
) -> Result<Option<NewChallenge>, ApiError> {
    let Some(spec) = verdict.challenge.as_ref().filter(|_| decided.outcome == engine::outcome::Outcome::Challenge)
    else {
        return Ok(None);
    };
    let input = &attempted.input;
    let asked = generate::ForDecision {
        tenant: &attempted.key.tenant,
        user: &attempted.key.user,
        action: &attempted.key.action,
        idempotency_key: &attempted.key.idempotency_key,
        spec,
        origin: crate::challenges::anonymous::located(
            app,
            input.ip,
            input.user_agent.clone(),
            input.device_name.clone().or_else(|| input.device.clone()),
        ),
    };
    let made = generate::for_decision(app, asked, attempted.received_at);
    made.map(Some).map_err(|refusal| refusal.placed(|pointer| showable::place(attempted, pointer)))
}

fn count(program: &Program, attempted: &Attempted, decided: &Decided) {
    // An action that only `policy … on any` knows is the caller's word, and words have no end.
    let action = program.event(attempted.key.action.as_str()).map_or("undeclared", |event| &event.name);
    let labels = [("action", action.to_owned()), ("outcome", decided.outcome.word().to_owned())];
    metrics::counter!("stepup_decisions_total", &labels).increment(1);
}

async fn respond(
    app: &App,
    attempted: &Attempted,
    mut answer: Map<String, Value>,
    replayed: bool,
    explain: bool,
) -> Result<Tracked, ApiError> {
    // Tokens are never at rest: a repeat gets a fresh one for the same attempt.
    answer::add_token(app, attempted, &mut answer).await?;
    if explain {
        answer::add_trace(app, attempted, &mut answer).await?;
    }
    Ok(Tracked { answer, replayed })
}
