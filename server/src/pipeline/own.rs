//! Events that no backend tracks: the server saw them itself. They are judged like any other, and recorded by whoever
//! commits what they are about.

use std::collections::BTreeMap;

use engine::event::EventInput;
use engine::signals::Located;
use engine::verdict::Verdict;
use serde_json::Value;

use super::{answer, count, enrich, record};
use crate::app::App;
use crate::decide::Decided;
use crate::decode::Attempted;
use crate::error::ApiError;
use crate::policies::{Judging, When};
use crate::store::{DecisionId, DecisionKey, NewDecision, UserAttributes};

/// An event of the server's own.
pub struct Own {
    /// What its decision is called.
    pub key: DecisionKey,
    /// The decision's id, chosen beforehand where the key is made of it.
    pub id: DecisionId,
    /// Who, what, from where.
    pub input: EventInput,
    /// What else the audit leaf says: nothing personal.
    pub facts: BTreeMap<String, String>,
}

/// An event that was counted and judged, and whose decision is not recorded yet.
pub struct Judged {
    /// What the rules said.
    pub verdict: Verdict,
    /// What we answer.
    pub decided: Decided,
    located: Located,
    attempted: Attempted,
}

/// Counts the event and judges it. The decision is to be recorded, and then [`Judged::recorded`] to be called, while
/// `judging` is held.
pub async fn judge(
    app: &App,
    judging: &Judging<'_>,
    own: Own,
    decide: impl FnOnce(&Verdict) -> Decided,
) -> Result<(NewDecision, Judged), ApiError> {
    let Own { key, id, mut input, facts } = own;
    let now = app.clock.now();
    input.idempotency_key = Some(crate::decode::reference(&key.action, &key.idempotency_key));
    let attempted = Attempted {
        about_user: UserAttributes::default(),
        body_hash: crate::json::digest(&Value::Object(input.custom.clone())),
        key,
        named: true,
        input,
        when: When::Now,
        received_at: now,
        scope: None,
        redirect_url: None,
        lifted: Vec::new(),
    };
    let located = enrich(app, judging, &attempted).await?;
    let (signals, verdict) = judging.observe(located, When::Now, now);
    let decided = decide(&verdict);
    let answer = answer::body(&attempted, id, judging, &verdict, &decided, None, &[]);
    let mut new = record::new_decision(app, &attempted, id, &signals, &verdict, &decided, &answer, None)?;
    new.facts.extend(facts);
    Ok((new, Judged { verdict, decided, located: signals.located, attempted }))
}

impl Judged {
    /// History and lists learn of the decision. Call it after the commit.
    pub fn recorded(&self, app: &App, judging: &Judging<'_>) {
        judging.answered(&self.located, record::status(self.decided.outcome));
        let policies = app.policies.of(&self.attempted.key.tenant);
        record::apply_list_effects(&policies, &self.verdict, self.attempted.received_at);
        count(judging.program(), &self.attempted, &self.decided);
    }
}
