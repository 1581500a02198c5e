//! Policies and rules.

use super::{Doc, Docs, Layout, group, indent, text};
use crate::ast::{
    ChallengeOption, Combine, CombineHow, Condition, Effect, EffectKind, Literal, Meta, OnUnknown, OptionValue,
    Outcome, OutcomeKind, Policy, PolicyMember, Rule, RuleMember, Target, Then, Validity,
};

impl Layout<'_> {
    pub(super) fn policy(&mut self, policy: &Policy) -> Docs {
        let mut docs = vec![text("policy ")];
        docs.extend(self.ident(&policy.name));
        docs.push(text(" on "));
        match &policy.target {
            Target::Any => docs.push(text("any")),
            Target::Events(events) => docs.extend(self.names(events)),
        }
        docs.push(text(" "));
        let close = Self::close_of(policy.span);
        docs.push(
            self.block(close, &policy.members, " ", PolicyMember::span, |layout, member| layout.policy_member(member)),
        );
        docs
    }

    fn policy_member(&mut self, member: &PolicyMember) -> Docs {
        let docs = match member {
            PolicyMember::Meta(meta) => self.meta(meta),
            PolicyMember::Default(default) => [vec![text("default ")], self.outcome(&default.outcome)].concat(),
            PolicyMember::Combine(combine) => self.combine(combine),
            PolicyMember::OnUnknown(unknown) => self.on_unknown(unknown),
            PolicyMember::Let(definition) => self.let_def(definition),
            PolicyMember::Rule(rule) => self.rule(rule),
        };
        vec![group(docs, false)]
    }

    fn meta(&mut self, meta: &Meta) -> Docs {
        let close = Self::close_of(meta.span);
        let entries = self.list(
            ("{", "}"),
            close,
            &meta.entries,
            |entry| entry.span,
            |layout, entry| {
                let mut docs = layout.ident(&entry.key);
                docs.push(text(": "));
                docs.extend(layout.literal(&entry.value));
                docs
            },
        );
        vec![text("meta "), entries]
    }

    fn combine(&mut self, combine: &Combine) -> Docs {
        match &combine.how {
            CombineHow::Strictest => vec![text("combine strictest")],
            CombineHow::FirstMatch => vec![text("combine first_match")],
            CombineHow::Score(steps) => {
                let close = Self::close_of(combine.span);
                let steps = self.list(
                    ("{", "}"),
                    close,
                    steps,
                    |step| step.span,
                    |layout, step| layout.lead(step.at.span, format!("{} at {}", step.outcome.name(), step.at.text)),
                );
                vec![text("combine score "), steps]
            }
        }
    }

    fn on_unknown(&mut self, unknown: &OnUnknown) -> Docs {
        self.leaf(unknown.span, format!("on unknown {}", unknown.what.name()))
    }

    fn rule(&mut self, rule: &Rule) -> Docs {
        let mut docs = vec![text("rule ")];
        docs.extend(self.ident(&rule.name));
        docs.push(text(" "));
        if let Some(title) = &rule.title {
            docs.extend(self.quoted(title));
            docs.push(text(" "));
        }
        let close = Self::close_of(rule.span);
        docs.push(self.block(close, &rule.members, " ", RuleMember::span, |layout, member| layout.rule_member(member)));
        docs
    }

    fn rule_member(&mut self, member: &RuleMember) -> Docs {
        let docs = match member {
            RuleMember::Meta(meta) => self.meta(meta),
            RuleMember::Mode(mode) => self.leaf(mode.span, format!("mode {}", mode.kind.name())),
            RuleMember::Priority(priority) => {
                self.lead(priority.value.span, format!("priority {}", priority.value.text))
            }
            RuleMember::Validity(validity) => self.validity(validity),
            RuleMember::Rollout(rollout) => {
                let mut docs = self.lead(rollout.percent.span, format!("rollout {}%", rollout.percent.text));
                docs.extend(self.lead(rollout.by.span, " by "));
                docs.extend(self.path(&rollout.by));
                docs
            }
            RuleMember::OnUnknown(unknown) => self.on_unknown(unknown),
            RuleMember::When(condition) => self.condition("when ", condition),
            RuleMember::Unless(condition) => self.condition("unless ", condition),
            RuleMember::Then(then) => self.then(then),
        };
        vec![group(docs, false)]
    }

    fn validity(&mut self, validity: &Validity) -> Docs {
        let mut docs = vec![text("active")];
        for (word, end) in [(" from ", &validity.from), (" until ", &validity.until)] {
            if let Some(end) = end {
                docs.extend(self.lead(end.span, word));
                docs.extend(self.leaf(end.span, end.text.clone()));
            }
        }
        docs
    }

    fn condition(&mut self, word: &str, condition: &Condition) -> Docs {
        let inner = self.expr(&condition.condition);
        [vec![text(word)], inner].concat()
    }

    fn then(&mut self, then: &Then) -> Docs {
        let mut inside = self.outcome(&then.outcome);
        for effect in &then.effects {
            inside.extend(self.comments_before(effect.span.start as usize));
            inside.push(Doc::Line(" "));
            inside.extend(self.effect(effect));
        }
        vec![text("then "), indent(inside)]
    }

    fn effect(&mut self, effect: &Effect) -> Docs {
        match &effect.kind {
            EffectKind::Reason(name) => [vec![text("reason ")], self.ident(name)].concat(),
            EffectKind::Severity(name) => [vec![text("severity ")], self.ident(name)].concat(),
            EffectKind::Flag(name) => [vec![text("flag ")], self.ident(name)].concat(),
            EffectKind::Add(add) => {
                let mut docs = vec![text("add ")];
                docs.extend(self.path(&add.value));
                docs.extend(self.lead(add.list.span, " to "));
                docs.extend(self.list_name(&add.list));
                docs.extend(self.lead(add.duration.span, " for "));
                docs.extend(self.leaf(add.duration.span, add.duration.text.clone()));
                docs
            }
        }
    }

    pub(super) fn outcome(&mut self, outcome: &Outcome) -> Docs {
        match &outcome.kind {
            OutcomeKind::Allow => self.leaf(outcome.span, "allow"),
            OutcomeKind::AllowFinal => self.leaf(outcome.span, "allow final"),
            OutcomeKind::Block => self.leaf(outcome.span, "block"),
            OutcomeKind::Nothing => self.leaf(outcome.span, "nothing"),
            OutcomeKind::Score(points) => self.lead(points.span, format!("score {}", points.text)),
            OutcomeKind::Challenge(challenge) => {
                let mut docs = self.leaf(outcome.span, "challenge");
                if let Some(method) = &challenge.method {
                    docs.push(text(" "));
                    docs.extend(self.ident(method));
                }
                if !challenge.options.is_empty() {
                    docs.push(text(" "));
                    let close = Self::close_of(outcome.span);
                    let option = |layout: &mut Self, option: &ChallengeOption| layout.option(option);
                    docs.push(self.list(("{", "}"), close, &challenge.options, |option| option.span, option));
                }
                docs
            }
        }
    }

    fn option(&mut self, option: &ChallengeOption) -> Docs {
        let mut docs = self.ident(&option.name);
        docs.push(text(": "));
        match &option.value {
            OptionValue::Duration(duration) => docs.extend(self.leaf(duration.span, duration.text.clone())),
            OptionValue::Number(number) => docs.extend(self.literal(&Literal::Number(number.clone()))),
            OptionValue::Name(name) => docs.extend(self.ident(name)),
            OptionValue::Paths(list) => {
                let close = Self::close_of(list.span);
                docs.push(self.list(
                    ("[", "]"),
                    close,
                    &list.paths,
                    |path| path.span,
                    |layout, path| layout.path(path),
                ));
            }
        }
        docs
    }
}
