//! What a condition is made of: `let`s written out, and atoms kept once for the whole pack.

use std::sync::Arc;

use grammar::{Diagnostic, Span, ast};

use super::{Checker, Scope, expr::Checked};
use crate::ir::{Ask, Atom, Cond, Expr};

/// What the parts of one condition may add up to, with every `let` expanded.
pub const MOST_NODES: usize = 10_000;

/// How deep a condition may be, with every `let` expanded: each level takes some 5 KiB of stack in a debug build.
pub const MOST_DEPTH: usize = 320;

/// What the atom around this one has read so far.
pub(super) type Mark = (Vec<(Arc<str>, Expr)>, bool);

impl<'a> Checker<'a> {
    // ---- `let`s

    /// The `let` a path names here, if any.
    pub(super) fn let_named(&self, path: &ast::Path, scope: &Scope) -> Option<(Option<usize>, String)> {
        let name = path.single()?;
        let own = (scope.policy, name.to_owned());
        let shared = (None, name.to_owned());
        [own, shared].into_iter().find(|key| self.lets.contains_key(key))
    }

    pub(super) fn enter_let(
        &mut self,
        key: &(Option<usize>, String),
        span: Span,
        scope: &Scope,
    ) -> Option<(&'a ast::Expr, Scope)> {
        let found = *self.lets.get(key)?;
        self.used_lets.insert(key.clone());
        if self.expanding.contains(key) {
            let name = &key.1;
            self.report(
                Diagnostic::error("let-circle", format!("`{name}` is defined by itself"))
                    .at(found.definition.name.span, "comes back to itself")
                    .also(span, "here"),
            );
            return None;
        }
        self.expanding.push(key.clone());
        Some((&found.definition.value, Scope { policy: found.policy, ..scope.clone() }))
    }

    /// Counts a part of the condition at hand and goes one deeper, if neither is too much. Whoever goes deeper comes back:
    /// `depth` is theirs to lower.
    pub(super) fn enter(&mut self, span: Span) -> Option<()> {
        self.nodes += 1;
        let too_large = if self.nodes > MOST_NODES {
            // Said once.
            (self.nodes == MOST_NODES + 1).then(|| format!("the condition has more than {MOST_NODES} parts"))
        } else if self.depth >= MOST_DEPTH {
            self.nodes = MOST_NODES + 1;
            Some(format!("the condition is more than {MOST_DEPTH} parts deep"))
        } else {
            self.depth += 1;
            return Some(());
        };
        if let Some(text) = too_large {
            self.report(
                Diagnostic::error("condition-too-large", text)
                    .at(span, "with every `let` expanded")
                    .help("`let`s that use each other add up and multiply: split the rule"),
            );
        }
        None
    }

    // ---- atoms

    /// Starts an atom: what is read from here on is its own.
    pub(super) fn begin_atom(&mut self) -> Mark {
        (std::mem::take(&mut self.reads), std::mem::take(&mut self.scripted))
    }

    pub(super) fn atom(&mut self, mark: Mark, ask: Ask, text: String) -> Checked {
        let mut reads = std::mem::replace(&mut self.reads, mark.0);
        let scripted = std::mem::replace(&mut self.scripted, mark.1);
        // An enclosing atom (`(a > b) == c`) reads all this one does.
        self.reads.extend(reads.iter().cloned());
        self.scripted |= scripted;
        reads.dedup_by(|a, b| a.0 == b.0);
        self.bound_windows(&ask);
        let key: Arc<str> = text.as_str().into();
        let index = match self.atom_index.get(&key) {
            Some(index) => *index,
            None => {
                self.draft.atoms.push(Atom { ask, text: Arc::clone(&key), reads, scripted });
                self.atom_index.insert(key, self.draft.atoms.len() - 1);
                self.draft.atoms.len() - 1
            }
        };
        Checked { cond: Cond::Atom(index), text }
    }

    pub(super) fn slice(&self, span: Span) -> String {
        self.sources.slice(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// A `let` of several parts keeps its unity in the text.
pub(super) fn grouped(text: String) -> String {
    if text.contains(' ') { in_parentheses(text) } else { text }
}

/// The text between parentheses, if it is not already.
pub(super) fn in_parentheses(text: String) -> String {
    if is_grouped(&text) { text } else { format!("({text})") }
}

/// Whether the parenthesis that opens the text is closed by its last character.
fn is_grouped(text: &str) -> bool {
    let (mut open, mut quoted, mut escaped) = (0_usize, false, false);
    for (index, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => open += 1,
            ')' if !quoted => open = open.saturating_sub(1),
            _ => {}
        }
        if open == 0 && !quoted {
            return text.starts_with('(') && index + 1 == text.len();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_one_group_gets_parentheses() {
        let cases = [
            ("a and b", "(a and b)"),
            ("(a and b)", "(a and b)"),
            ("(a) and (b)", "((a) and (b))"),
            ("(name == \")\") or (b)", "((name == \")\") or (b))"),
            ("(name == \"\\\")\")", "(name == \"\\\")\")"),
            ("a", "(a)"),
        ];
        for (text, expected) in cases {
            assert_eq!(in_parentheses(text.to_owned()), expected);
        }
        assert_eq!(grouped("a".to_owned()), "a");
    }
}
