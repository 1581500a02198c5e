//! The exported form of a decision: one line of NDJSON (`protocol.md` §4).

use serde_json::{Value as Json, json};

use crate::{
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
    if let (Some(spec), Some(line)) = (&verdict.challenge, line.as_object_mut()) {
        line.insert("challenge".to_owned(), challenge(spec));
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
    if let (Some(expires_s), Some(challenge)) = (spec.expires_s, challenge.as_object_mut()) {
        challenge.insert("expiresIn".to_owned(), duration_text(i64::from(expires_s) * 1_000).into());
    }
    challenge
}
