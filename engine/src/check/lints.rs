//! What is allowed and probably not meant.

use grammar::{Diagnostic, Span, ast};

use super::{Checker, OptionalRead, Scope, resolve::Typed};
use crate::{
    history::plan::{EventKind, Function},
    ir::{Comparison, Expr},
};

impl Checker<'_> {
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
    pub(super) fn limit_lint(&mut self, left: &Typed, right: &Typed, op: Comparison, span: Span, scope: &Scope) {
        let (slot, op) = match (&left.expr, &right.expr) {
            (Expr::Window(slot), Expr::Const(_)) => (*slot, op),
            (Expr::Const(_), Expr::Window(slot)) => (*slot, op.flipped()),
            (_, _) => return,
        };
        if !matches!(op, Comparison::Greater | Comparison::AtLeast) {
            return;
        }
        let Some(spec) = self.draft.plan.windows.get(slot) else { return };
        let adds_up = match spec.function {
            Function::Count | Function::CountDistinct(_) | Function::Sum(_) => true,
            Function::Avg(_) | Function::Min(_) | Function::Max(_) | Function::Stddev(_) | Function::P95(_) => false,
        };
        let own = matches!(spec.event, EventKind::Action(id) if scope.events.contains(&id));
        if adds_up && own && !spec.including_this {
            self.report(
                Diagnostic::note("limit-excludes-this", "the event being judged is not counted")
                    .at(span, "compares only earlier events with the limit")
                    .help("add `including this` behind the window if this event should count too"),
            );
        }
    }

    /// A block that silently does not happen when a field is absent.
    pub(super) fn block_lint(&mut self, rule: &str, reads: &[OptionalRead], handled: &[String]) {
        let covered = |path: &str| {
            handled.iter().any(|known| {
                path == known || path.strip_prefix(known.as_str()).is_some_and(|rest| rest.starts_with('.'))
            })
        };
        let Some(read) = reads.iter().find(|read| !covered(&read.path)) else { return };
        self.report(
            Diagnostic::error("block-on-optional", format!("`{rule}` blocks by `{}`, which may be absent", read.path))
                .at(read.span, "may be absent")
                .help(format!(
                    "say what then: `on unknown step_up`, `match` or `skip` in the rule or the policy, \
                     `{0} is missing`, or `{0} ?? …`",
                    read.path
                )),
        );
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

    /// Declared and never read.
    pub(super) fn unused(&mut self) {
        // What a rule with a mistake reads is not known to be unused.
        if self.diagnostics.iter().any(Diagnostic::is_error) {
            return;
        }
        let mut unused: Vec<(String, Span)> = self
            .lets
            .iter()
            .filter(|(key, _)| !self.used_lets.contains(*key))
            .map(|((_, name), found)| (name.clone(), found.definition.name.span))
            .collect();
        unused.sort_by_key(|(_, span)| *span);
        for (name, span) in unused {
            self.report(
                Diagnostic::warning("unused-let", format!("nothing uses `{name}`"))
                    .at(span, "never read")
                    .help("remove it, or use it in a rule"),
            );
        }
        let mut unused: Vec<(String, Span)> = self
            .list_names
            .iter()
            .filter(|(_, (index, _))| !self.used_lists.contains(index))
            .map(|(name, (_, span))| (name.clone(), *span))
            .collect();
        unused.sort_by_key(|(_, span)| *span);
        for (name, span) in unused {
            self.report(
                Diagnostic::warning("unused-list", format!("nothing uses `@{name}`"))
                    .at(span, "never read")
                    .help("remove it, or use it in a rule"),
            );
        }
    }
}
