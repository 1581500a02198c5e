//! Policies and rules.

use super::{Docs, Layout, cat, indent, line, space};
use crate::ast::{
    ChallengeOption, Combine, CombineHow, Effect, EffectKind, Expr, Literal, Meta, OnUnknown, OptionValue, Outcome,
    OutcomeKind, Policy, PolicyMember, Rule, RuleMember, Target, Then, Validity,
};

impl Layout<'_> {
    pub(super) fn policy(&mut self, policy: &Policy) -> Docs {
        let word = self.word("policy");
        let name = cat([space(), self.ident(&policy.name), space(), self.word("on"), space()]);
        let target = match &policy.target {
            Target::Any => self.word("any"),
            Target::Events(events) => self.separated(events, |layout, event| layout.ident(event)),
        };
        let head = indent(cat([name, target]));
        cat([word, head, space(), self.block(&policy.members, " ", |layout, member| layout.policy_member(member))])
    }

    fn policy_member(&mut self, member: &PolicyMember) -> Docs {
        match member {
            PolicyMember::Meta(meta) => self.meta(meta),
            PolicyMember::Default(default) => {
                cat([self.word("default"), space(), self.behind(|layout| layout.outcome(&default.outcome))])
            }
            PolicyMember::Combine(combine) => self.combine(combine),
            PolicyMember::OnUnknown(unknown) => self.on_unknown(unknown),
            PolicyMember::Let(definition) => self.let_def(definition),
            PolicyMember::Rule(rule) => self.rule(rule),
        }
    }

    fn meta(&mut self, meta: &Meta) -> Docs {
        let word = self.word("meta");
        let entries = self.list(("{", "}"), &meta.entries, |layout, entry| {
            let key = layout.ident(&entry.key);
            cat([key, indent(cat([layout.word(":"), space(), layout.literal(&entry.value)]))])
        });
        cat([word, space(), entries])
    }

    fn combine(&mut self, combine: &Combine) -> Docs {
        let word = self.word("combine");
        let how = match &combine.how {
            CombineHow::Strictest => self.word("strictest"),
            CombineHow::FirstMatch => self.word("first_match"),
            CombineHow::Score(steps) => {
                let score = indent(self.word("score"));
                let steps = self.list(("{", "}"), steps, |layout, step| {
                    let outcome = layout.word(step.outcome.name());
                    cat([outcome, indent(cat([space(), layout.named(&["at"], step.at.span, &step.at.text)]))])
                });
                return cat([word, space(), score, space(), steps]);
            }
        };
        cat([word, space(), indent(how)])
    }

    fn on_unknown(&mut self, unknown: &OnUnknown) -> Docs {
        self.clause("on", |layout| layout.words(&["unknown", unknown.what.name()]))
    }

    /// A word, and what stands behind it.
    pub(super) fn clause(&mut self, word: &str, rest: impl FnOnce(&mut Self) -> Docs) -> Docs {
        cat([self.word(word), space(), indent(rest(self))])
    }

    fn rule(&mut self, rule: &Rule) -> Docs {
        let word = self.word("rule");
        let mut head = cat([space(), self.ident(&rule.name)]);
        if let Some(title) = &rule.title {
            head.extend(cat([space(), self.quoted(title)]));
        }
        let block = self.block(&rule.members, " ", |layout, member| layout.rule_member(member));
        cat([word, indent(head), space(), block])
    }

    fn rule_member(&mut self, member: &RuleMember) -> Docs {
        match member {
            RuleMember::Meta(meta) => self.meta(meta),
            RuleMember::Mode(mode) => self.clause("mode", |layout| layout.word(mode.kind.name())),
            RuleMember::Priority(priority) => {
                self.clause("priority", |layout| layout.leaf(priority.value.span, priority.value.text.clone()))
            }
            RuleMember::Validity(validity) => self.validity(validity),
            RuleMember::Rollout(rollout) => self.clause("rollout", |layout| {
                let percent = layout.literal(&Literal::Percent(rollout.percent.clone()));
                cat([percent, space(), layout.word("by"), space(), layout.path(&rollout.by)])
            }),
            RuleMember::OnUnknown(unknown) => self.on_unknown(unknown),
            RuleMember::When(condition) => self.condition("when", &condition.condition),
            RuleMember::Unless(condition) => self.condition("unless", &condition.condition),
            RuleMember::Then(then) => self.then(then),
        }
    }

    fn validity(&mut self, validity: &Validity) -> Docs {
        let word = self.word("active");
        let mut rest = Vec::new();
        for (word, end) in [("from", &validity.from), ("until", &validity.until)] {
            if let Some(end) = end {
                rest.extend(cat([space(), self.named(&[word], end.span, &end.text)]));
            }
        }
        cat([word, indent(rest)])
    }

    /// `when a or b`
    fn condition(&mut self, word: &str, condition: &Expr) -> Docs {
        cat([self.word(word), space(), self.behind(|layout| layout.expr(condition))])
    }

    fn then(&mut self, then: &Then) -> Docs {
        let word = self.word("then");
        let outcome = self.behind(|layout| layout.outcome(&then.outcome));
        let mut effects = Vec::new();
        for effect in &then.effects {
            effects.extend(cat([line(" "), self.effect(effect)]));
        }
        cat([word, space(), outcome, indent(effects)])
    }

    fn effect(&mut self, effect: &Effect) -> Docs {
        match &effect.kind {
            EffectKind::Reason(name) => self.clause("reason", |layout| layout.ident(name)),
            EffectKind::Severity(name) => self.clause("severity", |layout| layout.ident(name)),
            EffectKind::Flag(name) => self.clause("flag", |layout| layout.ident(name)),
            EffectKind::Add(add) => self.clause("add", |layout| {
                let value = layout.path(&add.value);
                let list = cat([layout.word("to"), space(), layout.list_name(&add.list)]);
                let duration = layout.named(&["for"], add.duration.span, &add.duration.text);
                cat([value, space(), list, space(), duration])
            }),
        }
    }

    pub(super) fn outcome(&mut self, outcome: &Outcome) -> Docs {
        match &outcome.kind {
            OutcomeKind::Allow => self.word("allow"),
            OutcomeKind::AllowFinal => self.clause("allow", |layout| layout.word("final")),
            OutcomeKind::Block => self.word("block"),
            OutcomeKind::Nothing => self.word("nothing"),
            OutcomeKind::Score(points) => self.clause("score", |layout| layout.leaf(points.span, points.text.clone())),
            OutcomeKind::Challenge(challenge) => {
                let mut docs = self.word("challenge");
                if let Some(method) = &challenge.method {
                    docs.extend(cat([space(), indent(self.ident(method))]));
                }
                // Empty braces are not in the tree.
                if self.next_is("{") {
                    docs.extend(space());
                    docs.extend(self.list(("{", "}"), &challenge.options, |layout, option| layout.option(option)));
                }
                docs
            }
        }
    }

    fn option(&mut self, option: &ChallengeOption) -> Docs {
        let name = self.ident(&option.name);
        let colon = indent(cat([self.word(":"), space()]));
        let value = match &option.value {
            OptionValue::Duration(duration) => self.leaf(duration.span, duration.text.clone()),
            OptionValue::Number(number) => self.leaf(number.span, number.text.clone()),
            OptionValue::Name(name) => self.ident(name),
            OptionValue::Paths(list) => self.list(("[", "]"), &list.paths, |layout, path| layout.path(path)),
        };
        cat([name, colon, value])
    }
}
