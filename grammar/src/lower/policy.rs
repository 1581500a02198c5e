//! Policies, rules, outcomes; and what is missing in them or twice in them.

use super::{Lower, Pair, Rule, all, child, expression, first, has, literal};
use crate::ast::{
    AddToList, Challenge, ChallengeOption, Combine, CombineHow, Condition, DateTime, DefaultOutcome, Effect,
    EffectKind, Ident, Meta, MetaEntry, Mode, ModeKind, OnUnknown, OptionValue, Outcome, OutcomeKind, OutcomeWord,
    PathList, Policy, PolicyMember, Priority, Rollout, Rule as RuleNode, RuleMember, ScoreStep, Target, Text, Then,
    UnknownAction, Validity,
};
use crate::diagnostic::Diagnostic;
use crate::source::Span;

impl Lower<'_> {
    pub(super) fn policy(&mut self, pair: Pair) -> Option<Policy> {
        let (name, target) = policy_head(self, child(&pair, Rule::policy_head)?)?;
        let span = self.span(&pair);
        let members = pair.into_inner().filter(|inner| is_policy_member(inner.as_rule()));
        let members = members.map(|member| policy_member(self, member)).collect::<Option<_>>()?;
        let policy = Policy { name, target, members, span };
        judge_policy(&mut self.problems, &policy);
        Some(policy)
    }
}

pub(super) fn policy_head(lower: &mut Lower, pair: Pair) -> Option<(Ident, Target)> {
    let mut names = all(&pair, Rule::ident);
    let name = lower.new_name(names.next()?)?;
    let events = names.map(|event| lower.ident(event)).collect::<Option<Vec<_>>>()?;
    if let Some(any) = events.iter().find(|event| event.name == "any") {
        if events.len() > 1 {
            lower.problems.push(
                Diagnostic::error("unexpected-token", "`any` stands alone")
                    .at(any.span, "covers every action no other policy names")
                    .help("name the events, or write `on any` and nothing else"),
            );
        }
        return Some((name, Target::Any));
    }
    Some((name, Target::Events(events)))
}

fn is_policy_member(rule: Rule) -> bool {
    matches!(rule, Rule::meta | Rule::default | Rule::combine | Rule::on_unknown | Rule::let_def | Rule::rule_def)
}

pub(super) fn policy_member(lower: &mut Lower, pair: Pair) -> Option<PolicyMember> {
    let span = lower.span(&pair);
    Some(match pair.as_rule() {
        Rule::meta => PolicyMember::Meta(meta(lower, &pair)?),
        Rule::default => {
            PolicyMember::Default(DefaultOutcome { outcome: outcome(lower, child(&pair, Rule::outcome)?)?, span })
        }
        Rule::combine => PolicyMember::Combine(Combine { how: combine(lower, &pair)?, span }),
        Rule::on_unknown => PolicyMember::OnUnknown(on_unknown(lower, &pair)?),
        Rule::let_def => PolicyMember::Let(lower.let_def(pair)?),
        Rule::rule_def => PolicyMember::Rule(rule(lower, pair)?),
        _ => return None,
    })
}

fn meta(lower: &mut Lower, pair: &Pair) -> Option<Meta> {
    let entries = all(pair, Rule::meta_entry).map(|entry| meta_entry(lower, &entry)).collect::<Option<Vec<_>>>()?;
    unique_keys(lower, entries.iter().map(|entry| (entry.key.name.clone(), entry.key.span)));
    Some(Meta { entries, span: lower.span(pair) })
}

fn meta_entry(lower: &mut Lower, pair: &Pair) -> Option<MetaEntry> {
    Some(MetaEntry {
        key: lower.ident(child(pair, Rule::ident)?)?,
        value: literal::literal(lower, child(pair, Rule::literal)?)?,
        span: lower.span(pair),
    })
}

fn combine(lower: &mut Lower, pair: &Pair) -> Option<CombineHow> {
    if has(pair, Rule::kw_strictest) {
        return Some(CombineHow::Strictest);
    }
    if has(pair, Rule::kw_first_match) {
        return Some(CombineHow::FirstMatch);
    }
    let steps = child(pair, Rule::score_steps)?;
    let steps = all(&steps, Rule::score_step).map(|step| score_step(lower, &step)).collect::<Option<Vec<_>>>()?;
    unique_keys(lower, steps.iter().map(|step| (step.outcome.name().to_owned(), step.span)));
    Some(CombineHow::Score(steps))
}

fn score_step(lower: &mut Lower, pair: &Pair) -> Option<ScoreStep> {
    Some(ScoreStep {
        outcome: outcome_word(&child(pair, Rule::outcome_word)?)?,
        at: literal::number(lower, &child(pair, Rule::integer)?),
        span: lower.span(pair),
    })
}

pub(super) fn outcome_word(pair: &Pair) -> Option<OutcomeWord> {
    Some(match pair.as_str() {
        "allow" => OutcomeWord::Allow,
        "challenge" => OutcomeWord::Challenge,
        "block" => OutcomeWord::Block,
        _ => return None,
    })
}

fn on_unknown(lower: &mut Lower, pair: &Pair) -> Option<OnUnknown> {
    let what = if has(pair, Rule::kw_step_up) {
        UnknownAction::StepUp
    } else if has(pair, Rule::kw_match) {
        UnknownAction::Match
    } else if has(pair, Rule::kw_skip) {
        UnknownAction::Skip
    } else {
        return None;
    };
    Some(OnUnknown { what, span: lower.span(pair) })
}

fn rule(lower: &mut Lower, pair: Pair) -> Option<RuleNode> {
    let (name, title) = rule_head(lower, child(&pair, Rule::rule_head)?)?;
    let span = lower.span(&pair);
    let members = pair.into_inner().filter(|inner| is_rule_member(inner.as_rule()));
    let members = members.map(|member| rule_member(lower, member)).collect::<Option<_>>()?;
    let rule = RuleNode { name, title, members, span };
    judge_rule(&mut lower.problems, &rule);
    Some(rule)
}

pub(super) fn rule_head(lower: &mut Lower, pair: Pair) -> Option<(Ident, Option<Text>)> {
    let name = lower.new_name(child(&pair, Rule::ident)?)?;
    let title = match child(&pair, Rule::string) {
        Some(title) => Some(lower.text(title)?),
        None => None,
    };
    Some((name, title))
}

fn is_rule_member(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::meta
            | Rule::mode
            | Rule::priority
            | Rule::validity
            | Rule::rollout
            | Rule::on_unknown
            | Rule::when
            | Rule::unless
            | Rule::then
    )
}

pub(super) fn rule_member(lower: &mut Lower, pair: Pair) -> Option<RuleMember> {
    let span = lower.span(&pair);
    Some(match pair.as_rule() {
        Rule::meta => RuleMember::Meta(meta(lower, &pair)?),
        Rule::mode => {
            let kind = match first_but(&pair, Rule::kw_mode)?.as_rule() {
                Rule::kw_live => ModeKind::Live,
                Rule::kw_shadow => ModeKind::Shadow,
                Rule::kw_off => ModeKind::Off,
                _ => return None,
            };
            RuleMember::Mode(Mode { kind, span })
        }
        Rule::priority => {
            RuleMember::Priority(Priority { value: literal::number(lower, &child(&pair, Rule::integer)?), span })
        }
        Rule::validity => RuleMember::Validity(Validity {
            from: end_of_validity(lower, &pair, Rule::valid_from),
            until: end_of_validity(lower, &pair, Rule::valid_until),
            span,
        }),
        Rule::rollout => RuleMember::Rollout(Rollout {
            percent: literal::number(lower, &child(&child(&pair, Rule::percent)?, Rule::number)?),
            by: lower.path(child(&pair, Rule::path)?)?,
            span,
        }),
        Rule::on_unknown => RuleMember::OnUnknown(on_unknown(lower, &pair)?),
        Rule::when => {
            RuleMember::When(Condition { condition: expression::expr(lower, child(&pair, Rule::expr)?)?, span })
        }
        Rule::unless => {
            RuleMember::Unless(Condition { condition: expression::expr(lower, child(&pair, Rule::expr)?)?, span })
        }
        Rule::then => RuleMember::Then(Then {
            outcome: outcome(lower, child(&pair, Rule::outcome)?)?,
            effects: all(&pair, Rule::effect).map(|inner| effect(lower, &inner)).collect::<Option<_>>()?,
            span,
        }),
        _ => return None,
    })
}

fn first_but<'a>(pair: &Pair<'a>, keyword: Rule) -> Option<Pair<'a>> {
    pair.clone().into_inner().find(|inner| inner.as_rule() != keyword)
}

fn end_of_validity(lower: &mut Lower, pair: &Pair, rule: Rule) -> Option<DateTime> {
    let end = child(&child(pair, rule)?, Rule::datetime)?;
    Some(literal::datetime(lower, &end))
}

fn outcome(lower: &mut Lower, pair: Pair) -> Option<Outcome> {
    let span = lower.span(&pair);
    let inner = first(&pair)?;
    let kind = match inner.as_rule() {
        Rule::block => OutcomeKind::Block,
        Rule::allow if has(&inner, Rule::kw_final) => OutcomeKind::AllowFinal,
        Rule::allow => OutcomeKind::Allow,
        Rule::nothing => OutcomeKind::Nothing,
        Rule::score => OutcomeKind::Score(literal::number(lower, &child(&inner, Rule::integer)?)),
        Rule::challenge => {
            let options = match child(&inner, Rule::options) {
                Some(options) => {
                    all(&options, Rule::option).map(|entry| option(lower, &entry)).collect::<Option<Vec<_>>>()?
                }
                None => Vec::new(),
            };
            unique_keys(lower, options.iter().map(|option| (option.name.name.clone(), option.name.span)));
            OutcomeKind::Challenge(Challenge { method: Some(lower.ident(child(&inner, Rule::method)?)?), options })
        }
        _ => return None,
    };
    Some(Outcome { kind, span })
}

fn option(lower: &mut Lower, pair: &Pair) -> Option<ChallengeOption> {
    let mut parts = pair.clone().into_inner().filter(|inner| inner.as_rule() != Rule::colon);
    let name = lower.ident(parts.next()?)?;
    let value = parts.next()?;
    let value = match value.as_rule() {
        Rule::duration => OptionValue::Duration(literal::duration(lower, &value)),
        Rule::integer => OptionValue::Number(literal::number(lower, &value)),
        Rule::path_list => OptionValue::Paths(PathList { paths: lower.paths(&value)?, span: lower.span(&value) }),
        Rule::ident => OptionValue::Name(lower.ident(value)?),
        _ => return None,
    };
    Some(ChallengeOption { name, value, span: lower.span(pair) })
}

fn effect(lower: &mut Lower, pair: &Pair) -> Option<Effect> {
    let inner = first(pair)?;
    let kind = match inner.as_rule() {
        Rule::give_reason => EffectKind::Reason(lower.ident(child(&inner, Rule::ident)?)?),
        Rule::severity => EffectKind::Severity(lower.ident(child(&inner, Rule::ident)?)?),
        Rule::flag => EffectKind::Flag(lower.ident(child(&inner, Rule::ident)?)?),
        Rule::add => EffectKind::Add(AddToList {
            value: lower.path(child(&inner, Rule::path)?)?,
            list: lower.list_name(child(&inner, Rule::list_name)?)?,
            duration: literal::duration(lower, &child(&inner, Rule::duration)?),
        }),
        _ => return None,
    };
    Some(Effect { kind, span: lower.span(pair) })
}

/// Reports a key that stands twice in one block.
pub(super) fn unique_keys(lower: &mut Lower, keys: impl Iterator<Item = (String, Span)>) {
    let mut seen = std::collections::HashMap::new();
    for (key, span) in keys {
        if let Some(before) = seen.get(&key) {
            lower.problems.push(
                Diagnostic::error("duplicate-key", format!("`{key}` stands here twice"))
                    .at(span, "again")
                    .also(*before, "first here")
                    .help("keep one of them"),
            );
        } else {
            seen.insert(key, span);
        }
    }
}

/// The word a member starts with, if there may be only one of it.
fn policy_clause(member: &PolicyMember) -> Option<&'static str> {
    match member {
        PolicyMember::Meta(_) => Some("meta"),
        PolicyMember::Default(_) => Some("default"),
        PolicyMember::Combine(_) => Some("combine"),
        PolicyMember::OnUnknown(_) => Some("on unknown"),
        PolicyMember::Let(_) | PolicyMember::Rule(_) => None,
    }
}

fn rule_clause(member: &RuleMember) -> &'static str {
    match member {
        RuleMember::Meta(_) => "meta",
        RuleMember::Mode(_) => "mode",
        RuleMember::Priority(_) => "priority",
        RuleMember::Validity(_) => "active",
        RuleMember::Rollout(_) => "rollout",
        RuleMember::OnUnknown(_) => "on unknown",
        RuleMember::When(_) => "when",
        RuleMember::Unless(_) => "unless",
        RuleMember::Then(_) => "then",
    }
}

/// Reports what is missing in, or twice in, a whole policy.
pub(crate) fn judge_policy(problems: &mut Vec<Diagnostic>, policy: &Policy) {
    let clauses = policy.members.iter().filter_map(|member| Some((policy_clause(member)?, member.span())));
    once_each(problems, "policy", clauses);
    if policy.default().is_none() {
        problems.push(
            Diagnostic::error("missing-default", format!("policy `{}` has no `default`", policy.name.name))
                .at(policy.name.span, "says nothing when no rule matches")
                .help("add `default allow`, `default challenge qr` or `default block`"),
        );
    }
}

/// Reports what is missing in, or twice in, a whole rule.
pub(crate) fn judge_rule(problems: &mut Vec<Diagnostic>, rule: &RuleNode) {
    once_each(problems, "rule", rule.members.iter().map(|member| (rule_clause(member), member.span())));
    let name = &rule.name;
    if rule.then().is_none() {
        problems.push(
            Diagnostic::error("missing-then", format!("rule `{}` has no `then`", name.name))
                .at(name.span, "does nothing when it matches")
                .help("say what happens: `then block`, `then challenge qr`, `then allow`, `then score 10`, `then nothing`"),
        );
    }
    if rule.when().is_none() && rule.unless().is_none() {
        problems.push(
            Diagnostic::error("missing-condition", format!("rule `{}` has no `when`", name.name))
                .at(name.span, "would match everything")
                .help("say when it matches: `when …`; what always holds belongs into the policy's `default`"),
        );
    }
}

fn once_each<'a>(problems: &mut Vec<Diagnostic>, whole: &str, clauses: impl Iterator<Item = (&'a str, Span)>) {
    let mut seen: Vec<(&str, Span)> = Vec::new();
    for (clause, span) in clauses {
        match seen.iter().find(|(earlier, _)| *earlier == clause) {
            Some((_, before)) => {
                let help = match clause {
                    "when" | "unless" => "join the two conditions with `and` or `or`",
                    "then" => "a rule has one outcome; put its effects behind it",
                    _ => "keep one of them",
                };
                problems.push(
                    Diagnostic::error("duplicate-clause", format!("this {whole} has `{clause}` twice"))
                        .at(span, "again")
                        .also(*before, "first here")
                        .help(help),
                );
            }
            None => seen.push((clause, span)),
        }
    }
}
