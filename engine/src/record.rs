//! The exported form of a decision: one line of NDJSON (`protocol.md` §4).

use serde_json::{Value as Json, json};

use crate::{
    outcome::Claimant,
    value::duration_text,
    verdict::{ChallengeSpec, FieldText, Verdict},
};

/// The decision object of a stream, by its position in it.
#[must_use]
pub fn decision_line(index: u64, verdict: &Verdict, version: &str) -> Json {
    let mut line = json!({
        "index": index,
        "outcome": verdict.outcome.word(),
        "rules": verdict.rules.iter().map(|hit| &*hit.rule).collect::<Vec<_>>(),
        "decidedBy": verdict.decided_by.word(),
        "reasons": verdict.reasons.iter().map(|reason| reason.code.as_str()).collect::<Vec<_>>(),
        "flags": verdict.flags,
        "unknown": verdict.unknown.iter().map(|unknown| json!({
            "rule": &*unknown.rule, "atom": &*unknown.atom, "why": unknown.why.slug(),
        })).collect::<Vec<_>>(),
        "shadow": verdict.shadow.iter().map(|hit| json!({ "rule": &*hit.rule, "outcome": hit.word() })).collect::<Vec<_>>(),
        "policyVersion": version,
    });
    if let Some(line) = line.as_object_mut() {
        if let Some(severity) = verdict.severity {
            line.insert("severity".to_owned(), severity.word().into());
        }
        if let Some(spec) = &verdict.challenge {
            line.insert("challenge".to_owned(), challenge(spec));
        }
    }
    line
}

fn challenge(spec: &ChallengeSpec) -> Json {
    let paths = |fields: &[FieldText]| fields.iter().map(|field| field.path.to_string()).collect::<Vec<_>>();
    let mut challenge = json!({
        "method": spec.method,
        "level": spec.level.word(),
        "bind": paths(&spec.bind),
        "show": paths(&spec.show),
    });
    if let Some(challenge) = challenge.as_object_mut() {
        if let Some(expires_s) = spec.expires_s {
            challenge.insert("expiresIn".to_owned(), duration_text(i64::from(expires_s) * 1_000).into());
        }
        if let Some(attempts) = spec.attempts {
            challenge.insert("attempts".to_owned(), attempts.into());
        }
        if spec.user == Claimant::Anonymous {
            challenge.insert("user".to_owned(), spec.user.word().into());
        }
    }
    challenge
}
