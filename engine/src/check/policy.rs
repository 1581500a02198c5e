//! Policies and rules.

use std::{collections::HashMap, sync::Arc};

use grammar::{Diagnostic, Span, ast};
use rust_decimal::Decimal;

use super::{Checker, Scope};
use crate::{
    evaluate::runs_script,
    event::EventId,
    history::plan::Asked,
    ir::{Cond, Expr},
    outcome::Outcome,
    program::{Answer, Combine, Mode, OnUnknown, Policy, Rollout, Rule},
    tri::Tri,
};

impl<'a> Checker<'a> {
    pub(super) fn policies(&mut self, policies: &[&'a ast::Policy]) {
        for (index, policy) in policies.iter().enumerate() {
            for definition in policy.lets() {
                self.let_in(Some(index), definition);
            }
        }
        self.lets_that_hide_fields(policies);
        self.draft.plan.asked = vec![Asked::default(); self.draft.events.len()];
        let mut names: HashMap<&str, Span> = HashMap::new();
        let mut rules: HashMap<&str, Span> = HashMap::new();
        let mut count = 0;
        for (index, policy) in policies.iter().enumerate() {
            if let Some(first) = names.insert(&policy.name.name, policy.name.span) {
                self.duplicate("policies", &policy.name.name, policy.name.span, first);
            }
            for rule in policy.rules() {
                count += 1;
                self.rule_names.insert(rule.name.name.clone());
                if let Some(first) = rules.insert(&rule.name.name, rule.name.span) {
                    self.duplicate("rules", &rule.name.name, rule.name.span, first);
                }
                if matches!(rule.name.name.as_str(), "default" | "unknown" | "score") {
                    let text = format!("`{}` says what decided when no rule did", rule.name.name);
                    self.report(
                        Diagnostic::error("duplicate-name", text)
                            .at(rule.name.span, "taken")
                            .help("choose another name"),
                    );
                }
                if count == self.limits.rules + 1 {
                    let most = self.limits.rules;
                    self.report(
                        Diagnostic::error("pack-too-large", format!("the pack has more than {most} rules"))
                            .at(rule.name.span, "one too many"),
                    );
                }
            }
            self.policy(index, policy);
        }
    }

    /// A `let` with the name of a field would be read in its place, unnoticed.
    fn lets_that_hide_fields(&mut self, policies: &[&'a ast::Policy]) {
        let mut findings = Vec::new();
        for ((policy, name), definition) in &self.lets {
            let target = policy.and_then(|index| policies.get(index)).map(|policy| &policy.target);
            let hidden =
                self.draft.events.iter().filter(|event| event.field(name).is_some()).find(|event| match target {
                    None => true,
                    Some(ast::Target::Any) => false,
                    Some(ast::Target::Events(names)) => names.iter().any(|other| *other.name == *event.name),
                });
            findings.extend(hidden.map(|event| {
                Diagnostic::error("duplicate-name", format!("`{name}` is a field of the event `{}`", event.name))
                    .at(definition.definition.name.span, "would be read in its place")
                    .help("choose another name")
            }));
        }
        findings.into_iter().for_each(|finding| self.report(finding));
    }

    /// A policy that names an event twice would judge it twice.
    fn events_once(&mut self, names: &[ast::Ident]) {
        let mut found: HashMap<&str, Span> = HashMap::new();
        for name in names {
            if let Some(first) = found.insert(&name.name, name.span) {
                let text = format!("the policy names `{}` twice", name.name);
                self.named_again(text, name.span, first, "name each event once");
            }
        }
    }

    fn policy(&mut self, index: usize, policy: &'a ast::Policy) {
        let named: Vec<Option<EventId>> = match &policy.target {
            ast::Target::Any => Vec::new(),
            ast::Target::Events(names) => {
                self.events_once(names);
                names.iter().map(|name| self.event_named(name)).collect()
            }
        };
        // Without its event, the rest of a policy can still be checked for what is wrong anywhere.
        let lenient = named.iter().any(Option::is_none);
        let events: Vec<EventId> = if lenient { Vec::new() } else { named.into_iter().flatten().collect() };
        let scope = Scope { lenient, ..Scope::of(events.clone(), Some(index)) };
        self.asked = Asked::default();
        let combine = policy.combine().map_or(Some(Combine::Strictest), |combine| self.combine(combine));
        // A scale with a mistake is still a scale: its rules may score.
        let combine_known = combine.clone().unwrap_or(Combine::Score(Vec::new()));
        let default = policy.default().map(|outcome| (self.default_answer(outcome, &combine_known, &scope), outcome));
        let handled = handled_in(policy);
        let rules: Vec<Option<Rule>> =
            policy.rules().map(|rule| self.rule(rule, policy, &combine_known, &scope, &handled)).collect();
        let rules: Option<Vec<Rule>> = rules.into_iter().collect();
        // The parser has reported a policy without `default`.
        let (Some(_), Some((Some(default), _)), Some(rules), false) = (combine, default, rules, lenient) else {
            return;
        };
        let mut rules = rules;
        let mut order: Vec<(i64, usize)> = policy
            .rules()
            .enumerate()
            .map(|(position, rule)| {
                (rule.priority().and_then(|priority| priority.value.as_i64()).unwrap_or(0), position)
            })
            .collect();
        order.sort_by_key(|(priority, position)| (std::cmp::Reverse(*priority), *position));
        for (rank, (_, position)) in order.into_iter().enumerate() {
            if let (Some(rule), Ok(rank)) = (rules.get_mut(position), u32::try_from(rank)) {
                rule.rank = rank;
            }
        }
        let position = self.draft.policies.len();
        self.applies_to(position, &events);
        let owner = policy.meta().and_then(|meta| {
            meta.entries.iter().find(|entry| entry.key.name == "owner").and_then(|entry| match &entry.value {
                ast::Literal::Text(text) => Some(text.value.as_str().into()),
                _ => None,
            })
        });
        self.draft.policies.push(Policy {
            name: policy.name.name.as_str().into(),
            events,
            default,
            combine: combine_known,
            rules,
            owner,
        });
    }

    fn applies_to(&mut self, position: usize, events: &[EventId]) {
        if events.is_empty() {
            self.draft.fallback.push(position);
        }
        for id in events {
            if let Some(policies) = self.draft.by_event.get_mut(usize::from(id.0)) {
                policies.push(position);
            }
        }
        // A fallback may come to judge any event, so all of them must ask for what it reads.
        let asking = self.asked.clone();
        for (index, asked) in self.draft.plan.asked.iter_mut().enumerate() {
            if events.is_empty() || events.iter().any(|id| usize::from(id.0) == index) {
                merge(&mut asked.windows, &asking.windows);
                merge(&mut asked.seen, &asking.seen);
            }
        }
    }

    pub(super) fn event_named(&mut self, name: &ast::Ident) -> Option<EventId> {
        if let Some((id, _)) = self.event_names.get(&name.name) {
            return Some(*id);
        }
        let text = format!("there is no event `{}`", name.name);
        let mut names: Vec<String> = self.event_names.keys().cloned().collect();
        names.sort();
        let candidates = names.iter().map(String::as_str);
        let finding = Diagnostic::error("unknown-event", text).at(name.span, "not an event");
        let alias = self.draft.actions.get(name.name.as_str()).and_then(|id| self.draft.events.get(usize::from(id.0)));
        let finding = match alias.map(|event| event.name.to_string()) {
            Some(event) => {
                let help = format!("`{}` is what callers say for `{event}`: write `{event}`", name.name);
                finding.correct(help, name.span, event)
            }
            None => finding.near(&name.name, name.span, candidates),
        };
        let finding = finding.or_help("declare it: `event name { field: type }`");
        // What is certain is read as it was meant, so that mistakes behind it are found in the same run.
        let meant = finding.certain_fix().and_then(|fix| fix.edits.first()).map(|edit| edit.replacement.clone());
        self.unknown(&name.name, finding);
        meant.and_then(|meant| self.event_names.get(&meant)).map(|(id, _)| *id)
    }

    fn combine(&mut self, combine: &ast::Combine) -> Option<Combine> {
        match &combine.how {
            ast::CombineHow::Strictest => Some(Combine::Strictest),
            ast::CombineHow::FirstMatch => Some(Combine::FirstMatch),
            ast::CombineHow::Score(steps) => {
                let mut scale = Vec::new();
                for step in steps {
                    let outcome = match step.outcome {
                        ast::OutcomeWord::Allow => Outcome::Allow,
                        ast::OutcomeWord::Challenge => Outcome::Challenge,
                        ast::OutcomeWord::Block => Outcome::Block,
                    };
                    scale.push((self.int(&step.at)?, outcome));
                }
                scale.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
                let rising = scale.windows(2).all(|pair| match pair {
                    [(high, stricter), (low, milder)] => high > low && stricter > milder,
                    _ => true,
                });
                if !rising {
                    self.report(
                        Diagnostic::error("scale-not-rising", "more points must mean a stricter outcome")
                            .at(combine.span, "not a rising scale")
                            .help("write `score { challenge at 50, block at 90 }`"),
                    );
                    return None;
                }
                Some(Combine::Score(scale))
            }
        }
    }

    fn default_answer(&mut self, outcome: &'a ast::Outcome, combine: &Combine, scope: &Scope) -> Option<Answer> {
        let answer = self.answer(outcome, combine, scope)?;
        match answer {
            Answer::Allow | Answer::Challenge(_) | Answer::Block => Some(answer),
            Answer::Exempt | Answer::Score(_) | Answer::Nothing => {
                self.report(
                    Diagnostic::error("default-not-an-outcome", "a default is an outcome on its own")
                        .at(outcome.span, "not one")
                        .help("write `default allow`, `default challenge qr` or `default block`"),
                );
                None
            }
        }
    }

    fn rule(
        &mut self,
        rule: &'a ast::Rule,
        policy: &'a ast::Policy,
        combine: &Combine,
        scope: &Scope,
        handled: &[String],
    ) -> Option<Rule> {
        let scope = &Scope { says_unknown: rule.on_unknown().is_some(), ..scope.clone() };
        self.nodes = 0;
        self.optional.clear();
        self.reads.clear();
        self.expanding.clear();
        let when = rule.when().map(|when| self.condition(&when.condition, scope));
        self.expanding.clear();
        let unless = rule.unless().map(|unless| self.condition(&unless.condition, scope));
        self.expanding.clear();
        let reads = std::mem::take(&mut self.optional);
        let then = rule.then();
        let answer = then.and_then(|then| self.answer(&then.outcome, combine, scope));
        let effects = then.and_then(|then| self.effects(then, scope));
        let rollout = rule.rollout().map(|rollout| self.rollout(rollout, scope));
        let bounds = rule.validity().map(|validity| self.validity(validity));
        if let Some(priority) = rule.priority() {
            self.int(&priority.value)?;
        }
        let unknown = rule.on_unknown().or_else(|| policy.on_unknown());
        let (answer, effects) = (answer?, effects?);
        let (from, until) = bounds.unwrap_or(Some((None, None)))?;
        self.exemption(&answer, until.is_some(), rule);
        if matches!(answer, Answer::Block) && unknown.is_none() {
            self.block_lint(rule, &reads, handled);
        }
        let mut parts = Vec::new();
        if let Some(when) = when {
            parts.push(when?.cond);
        }
        if let Some(unless) = unless {
            parts.push(Cond::Not(Box::new(unless?.cond)));
        }
        let cond = match (parts.len(), parts.pop()) {
            (1, Some(only)) => only,
            (_, Some(last)) => {
                parts.push(last);
                Cond::All(parts)
            }
            (_, None) => Cond::Const(Tri::True),
        };
        let rollout = match rollout {
            Some(rollout) => Some(rollout?),
            None => None,
        };
        let scripted = runs_script(&self.draft.atoms, &cond);
        Some(Rule {
            name: rule.name.name.as_str().into(),
            rank: 0,
            scripted,
            description: rule.title.as_ref().map(|text| text.value.as_str().into()),
            mode: match rule.mode().map(|mode| mode.kind) {
                None | Some(ast::ModeKind::Live) => Mode::Live,
                Some(ast::ModeKind::Shadow) => Mode::Shadow,
                Some(ast::ModeKind::Off) => Mode::Off,
            },
            from,
            until,
            rollout,
            cond,
            on_unknown: match unknown.map(|unknown| unknown.what) {
                None | Some(ast::UnknownAction::StepUp) => OnUnknown::StepUp,
                Some(ast::UnknownAction::Match) => OnUnknown::Match,
                Some(ast::UnknownAction::Skip) => OnUnknown::Skip,
            },
            answer,
            reasons: effects.reasons,
            severity: effects.severity,
            flags: effects.flags,
            adds: effects.adds,
            span: rule.name.span,
        })
    }

    fn exemption(&mut self, answer: &Answer, ends: bool, rule: &ast::Rule) {
        if matches!(answer, Answer::Exempt) && !ends {
            let span = rule.then().map_or(rule.name.span, |then| then.outcome.span);
            self.report(
                Diagnostic::error("exemption-without-end", format!("`{}` exempts for ever", rule.name.name))
                    .at(span, "needs an end")
                    .help("add `active until 2027-01-01`: exemptions are reviewed, or they end"),
            );
        }
    }

    fn validity(&mut self, validity: &ast::Validity) -> Option<(Option<jiff::Timestamp>, Option<jiff::Timestamp>)> {
        let mut read = |date: &Option<ast::DateTime>| match date {
            Some(date) => self.date_time(date).map(Some),
            None => Some(None),
        };
        let (from, until) = (read(&validity.from)?, read(&validity.until)?);
        if let (Some(from), Some(until)) = (from, until)
            && from >= until
        {
            self.report(
                Diagnostic::error("number-out-of-range", "the rule ends before it begins")
                    .at(validity.span, "never active"),
            );
            return None;
        }
        Some((from, until))
    }

    fn rollout(&mut self, rollout: &ast::Rollout, scope: &Scope) -> Option<Rollout> {
        let by = self.resolve(&rollout.by, scope);
        let share = Decimal::from_str_exact(&rollout.percent.digits())
            .ok()
            .and_then(|percent| percent.checked_mul(Decimal::ONE_HUNDRED))
            .filter(|share| share.fract().is_zero())
            .and_then(|share| u16::try_from(share).ok())
            .filter(|share| *share <= 10_000);
        if share.is_none() {
            self.report(
                Diagnostic::error("number-out-of-range", "a rollout is between 0% and 100%, with up to two decimals")
                    .at(rollout.percent.span, "not in this range"),
            );
        }
        let by = by?;
        let plain = matches!(by.expr, Expr::Field(_) | Expr::Signal(crate::ir::Signal::User));
        if !plain {
            let text = format!("a rollout needs who it is rolled out to, and `{}` is {}", by.text, by.ty);
            self.report(
                Diagnostic::error("not-a-key", text)
                    .at(rollout.by.span, "not a field of the event")
                    .help("write `rollout 10% by user`"),
            );
            return None;
        }
        Some(Rollout { share: share?, path: Arc::from(by.text), by: by.expr })
    }
}

/// The fields whose absence some rule of the policy asks about, and answers.
fn handled_in(policy: &ast::Policy) -> Vec<String> {
    let mut handled = Vec::new();
    let answers = |rule: &&ast::Rule| {
        let lives = rule.mode().is_none_or(|mode| mode.kind == ast::ModeKind::Live);
        lives && rule.then().is_some_and(|then| !matches!(then.outcome.kind, ast::OutcomeKind::Nothing))
    };
    let answering = policy.rules().filter(answers);
    let conditions = answering.flat_map(|rule| rule.when().into_iter().chain(rule.unless()));
    for condition in conditions {
        asked_missing(&condition.condition, &mut handled);
    }
    handled
}

fn asked_missing(expr: &ast::Expr, handled: &mut Vec<String>) {
    match &expr.kind {
        ast::ExprKind::Is(presence) => {
            if let ast::ExprKind::Path(path) = &presence.value.unwrapped().kind {
                handled.push(path.text());
            }
        }
        ast::ExprKind::Paren(inner) | ast::ExprKind::Not(inner) => asked_missing(inner, handled),
        ast::ExprKind::And(parts) | ast::ExprKind::Or(parts) => {
            parts.iter().for_each(|part| asked_missing(part, handled));
        }
        ast::ExprKind::Literal(_)
        | ast::ExprKind::Path(_)
        | ast::ExprKind::List(_)
        | ast::ExprKind::Call(_)
        | ast::ExprKind::Compare(_)
        | ast::ExprKind::In(_)
        | ast::ExprKind::Between(_)
        | ast::ExprKind::Matches(_)
        | ast::ExprKind::Coalesce(_)
        | ast::ExprKind::Arithmetic(_)
        | ast::ExprKind::Aggregate(_)
        | ast::ExprKind::Seen(_) => {}
    }
}

fn merge(into: &mut Vec<usize>, from: &[usize]) {
    for slot in from {
        if !into.contains(slot) {
            into.push(*slot);
        }
    }
}
