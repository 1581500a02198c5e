//! What is written down about a decision: enough to answer for it, to replay it, and to rebuild history.

use std::collections::BTreeMap;

use engine::lists::parse_entry;
use engine::outcome::Outcome;
use engine::signals::Signals;
use engine::status::Status;
use engine::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::decide::{self, Decided};
use crate::decode::Attempted;
use crate::error::ApiError;
use crate::policies::{JournalLine, TenantPolicies};
use crate::store::{DecisionId, ListEntryId, NewChallenge, NewDecision, NewListEntry};

/// The unit that the store commits: event, decision, challenge, list entries, audit entry.
#[allow(clippy::too_many_arguments, reason = "the one place where every stage's result comes together")]
pub(super) fn new_decision(
    app: &App,
    attempted: &Attempted,
    id: DecisionId,
    signals: &Signals,
    verdict: &Verdict,
    decided: &Decided,
    answer: &Map<String, Value>,
    challenge: Option<NewChallenge>,
) -> Result<NewDecision, ApiError> {
    let key = &attempted.key;
    let at = attempted.received_at;
    let version = app.policies.of(&key.tenant).program().version().to_owned();
    let line = JournalLine { located: signals.located.clone(), status: status(decided.outcome) };
    let record = json!({
        "signals": serde_json::to_value(signals).map_err(ApiError::internal)?,
        "verdict": serde_json::to_value(verdict).map_err(ApiError::internal)?,
        "policyVersion": version,
        "outcome": decided.outcome.word(),
        "custom": attempted.input.custom,
        // Read again when the user passes the challenge: the store then knows on which device.
        "device": attempted.input.device,
    });
    let mut facts = BTreeMap::from([
        ("decided_by".to_owned(), verdict.decided_by.word().to_owned()),
        ("shadow".to_owned(), verdict.shadow_outcome.word().to_owned()),
    ]);
    if !verdict.unknown.is_empty() {
        let unknown: Vec<String> =
            verdict.unknown.iter().map(|atom| format!("{}:{}", atom.rule, atom.why.slug())).collect();
        facts.insert("unknown".to_owned(), unknown.join(","));
    }
    if let Some(fix) = signals.located.place.known() {
        facts.insert("geo_digest".to_owned(), fix.digest.to_string());
    }
    Ok(NewDecision {
        tenant: key.tenant.clone(),
        id,
        user: key.user.clone(),
        action: key.action.clone(),
        idempotency_key: key.idempotency_key.clone(),
        body_hash: attempted.body_hash,
        outcome: decided.outcome,
        state: decide::first_state(decided.outcome),
        policy_version: version,
        rules: verdict.rules.iter().map(|hit| hit.rule.to_string()).collect(),
        reasons: decided.reasons.iter().map(|reason| reason.code.clone()).collect(),
        flags: decided.flags.clone(),
        facts,
        created_at: at,
        event_line: serde_json::to_string(&line).map_err(ApiError::internal)?,
        record: record.to_string(),
        answer: Value::Object(answer.clone()).to_string(),
        challenge,
        list_effects: verdict.effects.iter().map(|effect| list_entry(app, attempted, effect)).collect(),
        device: None,
        about_user: None,
    })
}

fn list_entry(app: &App, attempted: &Attempted, effect: &engine::verdict::ListEffect) -> NewListEntry {
    NewListEntry {
        tenant: attempted.key.tenant.clone(),
        id: ListEntryId(app.random.uuid_v4()),
        list: effect.list.to_string(),
        value: effect.value.clone(),
        reason: None,
        author: format!("rule:{}", effect.rule),
        at: attempted.received_at,
        expires_at: until(attempted.received_at, effect.for_s),
    }
}

fn until(at: Timestamp, for_s: u64) -> Option<Timestamp> {
    at.checked_add(SignedDuration::from_secs(i64::try_from(for_s).ok()?)).ok()
}

/// Lets rules see the entries that this decision added, now that they are durable.
pub(super) fn apply_list_effects(policies: &TenantPolicies, verdict: &Verdict, at: Timestamp) {
    let program = policies.program();
    for effect in &verdict.effects {
        let element = program.managed_lists().find(|(name, _)| **name == *effect.list).map(|(_, element)| element);
        if let Some(value) = element.and_then(|element| parse_entry(&effect.value, element)) {
            policies.list_added(&effect.list, &value, until(at, effect.for_s));
        }
    }
}

/// An event's status in history, by its answer.
pub(super) fn status(outcome: Outcome) -> Status {
    match outcome {
        Outcome::Allow => Status::Allowed,
        Outcome::Challenge => Status::Challenged,
        Outcome::Block => Status::Blocked,
    }
}
