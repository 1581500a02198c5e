//! What is allowed and probably not meant.

use grammar::{Diagnostic, Span, ast};
use jiff::Timestamp;

use super::{Checker, OptionalRead, Scope, resolve::Typed};
use crate::{
    history::plan::{EventKind, Function},
    ir::{Comparison, Expr},
    program::Program,
    value::Value,
};

/// How many parts of `let`s that nothing reads are looked at.
const MOST_UNUSED_NODES: usize = 100 * super::atom::MOST_NODES;

impl<'a> Checker<'a> {
    /// `!=` and `not in` on a field that may be absent (`language.md` §5), unless the rule itself says what unknown means.
    pub(super) fn negation_lint(&mut self, since: usize, span: Span, scope: &Scope) {
        if scope.says_unknown {
            return;
        }
        let Some(read) = self.optional.get(since).cloned() else { return };
        self.report(
            Diagnostic::warning(
                "negation-on-optional",
                format!("`{}` may be absent, and absent is not different", read.path),
            )
            .at(span, "unknown when it is absent")
            .also(read.span, "may be absent")
            .help(format!("say what absence means: `{0} is missing or …`, or `{0} ?? …`", read.path)),
        );
    }

    /// A sum or count compared with a limit, without the event that may pass it.
    pub(super) fn limit_lint(
        &mut self,
        left: (&Typed, &ast::Expr),
        right: (&Typed, &ast::Expr),
        op: Comparison,
        scope: &Scope,
    ) {
        let (slot, limit, window, op) = match (&left.0.expr, &right.0.expr) {
            (Expr::Window(slot), Expr::Const(limit)) => (*slot, limit, left.1, op),
            (Expr::Const(limit), Expr::Window(slot)) => (*slot, limit, right.1, op.flipped()),
            (_, _) => return,
        };
        // `< 1` asks whether there was one before: that is no limit.
        let first = matches!(limit, Value::Int(0 | 1));
        if op == Comparison::Equal || (first && matches!(op, Comparison::Less | Comparison::AtMost)) {
            return;
        }
        let Some(spec) = self.draft.plan.windows.get(slot) else { return };
        let adds_up = match spec.function {
            Function::Count | Function::CountDistinct(_) | Function::Sum(_) => true,
            Function::Avg(_) | Function::Min(_) | Function::Max(_) | Function::Stddev(_) | Function::P95(_) => false,
        };
        let own = matches!(spec.event, EventKind::Action(id) if scope.events.contains(&id));
        if adds_up && own && !spec.including_this {
            let help = "add `including this` behind the window if this event should count too";
            let finding = Diagnostic::note("limit-excludes-this", "the event being judged is not counted")
                .at(left.1.span.to(right.1.span), "compares only earlier events with the limit");
            let aggregate = window.unwrapped();
            self.report(match aggregate.kind {
                ast::ExprKind::Aggregate(_) => {
                    finding.suggest(help, self.trimmed(aggregate.span).after(), " including this")
                }
                // Behind a `let`, where others may use it too.
                _ => finding.help(help),
            });
        }
    }

    /// A block that silently does not happen when a field is absent.
    pub(super) fn block_lint(&mut self, rule: &ast::Rule, reads: &[OptionalRead], handled: &[String]) {
        let covered = |path: &str| {
            handled.iter().any(|known| {
                path == known || path.strip_prefix(known.as_str()).is_some_and(|rest| rest.starts_with('.'))
            })
        };
        let Some(read) = reads.iter().find(|read| !covered(&read.path)) else { return };
        let text = format!("`{}` blocks by `{}`, which may be absent", rule.name.name, read.path);
        let finding = Diagnostic::error("block-on-optional", text).at(read.span, "may be absent");
        // Behind a `let`, the rule is elsewhere.
        let outside = rule.when().is_some_and(|when| !encloses(when.condition.span, read.span))
            && rule.unless().is_none_or(|unless| !encloses(unless.condition.span, read.span));
        let finding = if outside { finding.also(rule.name.span, "blocks by it") } else { finding };
        let help = format!(
            "say what then: `on unknown step_up`, `match` or `skip` in the rule or the policy, \
             `{0} is missing`, or `{0} ?? …`",
            read.path
        );
        self.report(match rule.then() {
            Some(then) => finding.suggest(help, then.span.before(), "on unknown step_up "),
            None => finding.help(help),
        });
    }

    /// A script for what a rule can say itself (`language.md` §9).
    pub(super) fn needless_script(&mut self, script: &ast::ScriptDef, expression: &str) {
        let text = format!("`{}` computes what a rule can say", script.name.name);
        self.report(
            Diagnostic::warning("script-for-expression", text)
                .at(script.path.span, "no script is needed for this")
                .help(format!("write `{expression}` in the rule: it costs less, and `check` understands it")),
        );
    }

    /// A `let` that nothing reads is checked all the same: what is wrong in it would come up when something does.
    pub(super) fn unused_lets(&mut self, files: &'a [ast::File]) {
        let mut unused: Vec<(Option<usize>, String)> =
            self.lets.keys().filter(|key| !self.used_lets.contains(*key)).cloned().collect();
        if unused.is_empty() {
            return;
        }
        unused.sort();
        // In a checker of its own, so that history keeps no window for what nothing asks.
        let mut checker = Checker::new(self.pack, self.sources, self.limits);
        checker.broken.clone_from(&self.broken);
        checker.declare(files.iter().flat_map(|file| &file.items));
        checker.lets.clone_from(&self.lets);
        checker.diagnostics.clear();
        let mut looked_at = 0;
        for key in unused {
            // Lets that use each other can multiply.
            if looked_at > MOST_UNUSED_NODES {
                break;
            }
            let Some(found) = checker.lets.get(&key).copied() else { continue };
            // Whose fields it reads, its user would say.
            let scope = Scope { lenient: true, ..Scope::of(Vec::new(), found.policy) };
            checker.nodes = 0;
            checker.expanding = vec![key];
            let _ = checker.value(&found.definition.value, &scope, None);
            looked_at += checker.nodes;
        }
        // Only what is wrong whoever reads it; how large the condition around it gets, its user decides.
        let wrong = |finding: &Diagnostic| finding.is_error() && finding.code != "condition-too-large";
        self.diagnostics.extend(checker.diagnostics.into_iter().filter(wrong));
    }

    /// Declared and never read.
    pub(super) fn unused(&mut self) {
        // What a rule with a mistake reads is not known to be unused.
        if self.diagnostics.iter().any(Diagnostic::is_error) {
            return;
        }
        let said = |name: &str| format!("nothing uses `{name}`");
        let lets = self.lets.iter().filter(|(key, _)| !self.used_lets.contains(*key));
        let lets =
            lets.map(|((_, name), found)| (Diagnostic::warning("unused-let", said(name)), found.definition.name.span));
        let lists = self.list_names.iter().filter(|(_, (index, _))| !self.used_lists.contains(index));
        let lists =
            lists.map(|(name, (_, span))| (Diagnostic::warning("unused-list", said(&format!("@{name}"))), *span));
        let reasons = self.reason_names.iter().filter(|(_, (index, _))| !self.used_reasons.contains(index));
        let reasons = reasons.map(|(name, (_, span))| (Diagnostic::warning("unused-reason", said(name)), *span));
        let unused: Vec<(Diagnostic, Span)> = lets.chain(lists).chain(reasons).collect();
        for (finding, span) in unused {
            self.report(finding.at(span, "never read").help("remove it, or use it in a rule"));
        }
    }
}

fn encloses(outer: Span, inner: Span) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
}

/// The rules of a program that are over at this time: they look like protection, or like an exemption, and are neither.
#[must_use]
pub fn expired(program: &Program, now: Timestamp) -> Vec<Diagnostic> {
    let rules = program.policies.iter().flat_map(|policy| &policy.rules);
    let over = rules.filter_map(|rule| Some((rule, rule.until.filter(|until| *until <= now)?)));
    over.map(|(rule, until)| {
        Diagnostic::warning("expired-rule", format!("the rule `{}` ended at {until}", rule.name))
            .at(rule.span, "never matches any more")
            .help("remove it, or give it a later `active until`")
    })
    .collect()
}
