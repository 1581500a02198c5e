//! Outcomes with their options, and effects.

use std::sync::Arc;

use grammar::{Diagnostic, ast};

use super::{Checker, Scope};
use crate::{
    ir::Expr,
    outcome::{Claimant, Level, Severity},
    program::{Add, Answer, ChallengeTemplate, Combine},
    types::Type,
};

/// What can stand between the braces of a challenge.
pub const CHALLENGE_OPTIONS: [&str; 6] = ["level", "bind", "show", "expires", "attempts", "user"];

/// No challenge stays open longer (NIST SP 800-63B-4, out-of-band authenticators).
pub const MOST_EXPIRES_S: u32 = 600;
/// The most tries that a challenge allows.
pub const MOST_ATTEMPTS: u32 = 5;

/// What `then` asks for besides the outcome.
#[derive(Default)]
pub(super) struct Effects {
    pub reasons: Vec<usize>,
    pub severity: Option<Severity>,
    pub flags: Vec<Arc<str>>,
    pub adds: Vec<Add>,
}

impl<'a> Checker<'a> {
    pub(super) fn answer(&mut self, outcome: &'a ast::Outcome, combine: &Combine, scope: &Scope) -> Option<Answer> {
        match &outcome.kind {
            ast::OutcomeKind::Allow => Some(Answer::Allow),
            ast::OutcomeKind::AllowFinal => Some(Answer::Exempt),
            ast::OutcomeKind::Block => Some(Answer::Block),
            ast::OutcomeKind::Nothing => Some(Answer::Nothing),
            ast::OutcomeKind::Challenge(challenge) => self.challenge(challenge, scope).map(Answer::Challenge),
            ast::OutcomeKind::Score(points) => {
                let points_value = self.int(points)?;
                if !matches!(combine, Combine::Score(_)) {
                    let finding = Diagnostic::error("score-without-scale", "a score means nothing without a scale")
                        .at(outcome.span, "points of what?")
                        .help("add `combine score { challenge at 50, block at 90 }` to the policy");
                    // The scale may be what could not be read.
                    self.unknown("combine", finding);
                    return None;
                }
                Some(Answer::Score(points_value))
            }
        }
    }

    fn challenge(&mut self, challenge: &'a ast::Challenge, scope: &Scope) -> Option<ChallengeTemplate> {
        let mut template = ChallengeTemplate::default();
        if let Some(method) = &challenge.method
            && method.name != "qr"
        {
            let text = format!("there is no challenge `{}`", method.name);
            self.report(Diagnostic::error("unknown-word", text).at(method.span, "not a challenge").suggest(
                "the challenge there is, is `qr`",
                method.span,
                "qr",
            ));
            return None;
        }
        let mut sound = true;
        let mut show_span = None;
        let mut bind_span = None;
        for option in &challenge.options {
            let done = match (option.name.name.as_str(), &option.value) {
                ("level", ast::OptionValue::Name(word)) => {
                    self.word("level", word, &Level::ALL, Level::word).map(|level| template.level = level)
                }
                ("user", ast::OptionValue::Name(word)) => {
                    self.word("user", word, &Claimant::ALL, Claimant::word).map(|user| template.user = user)
                }
                ("bind", ast::OptionValue::Paths(list)) => {
                    bind_span = Some(list.span);
                    self.paths(list, scope).map(|paths| template.bind = paths)
                }
                ("show", ast::OptionValue::Paths(list)) => {
                    show_span = Some(list.span);
                    self.paths(list, scope).map(|paths| template.show = paths)
                }
                ("expires", ast::OptionValue::Duration(duration)) => self.duration(duration).and_then(|ms| {
                    let seconds =
                        u32::try_from(ms.div_euclid(1_000)).ok().filter(|s| (10..=MOST_EXPIRES_S).contains(s));
                    if seconds.is_none() {
                        self.report(
                            Diagnostic::error("number-out-of-range", "a challenge stays open between 10 s and 10 min")
                                .at(duration.span, "not in this range"),
                        );
                    }
                    template.expires_s = seconds;
                    seconds.map(|_| ())
                }),
                ("attempts", ast::OptionValue::Number(number)) => self.int(number).and_then(|attempts| {
                    let attempts =
                        u32::try_from(attempts).ok().filter(|attempts| (1..=MOST_ATTEMPTS).contains(attempts));
                    if attempts.is_none() {
                        self.report(
                            Diagnostic::error(
                                "number-out-of-range",
                                format!("a challenge allows between 1 and {MOST_ATTEMPTS} attempts"),
                            )
                            .at(number.span, "not in this range"),
                        );
                    }
                    template.attempts = attempts;
                    attempts.map(|_| ())
                }),
                (name, _) => {
                    let wanted = match name {
                        "level" => Some("`possession` or `biometric`"),
                        "user" => Some("`locked` or `anonymous`"),
                        "bind" | "show" => Some("a list of fields, as in `[amount, payee]`"),
                        "expires" => Some("a length of time, as in `3m`"),
                        "attempts" => Some("a whole number"),
                        _ => None,
                    };
                    match wanted {
                        Some(wanted) => self.report(
                            Diagnostic::error("type-mismatch", format!("`{name}` is {wanted}"))
                                .at(option.span, "something else"),
                        ),
                        None => {
                            let text = format!("a challenge has no option `{name}`");
                            let names = CHALLENGE_OPTIONS;
                            self.report(
                                Diagnostic::error("unknown-word", text)
                                    .at(option.name.span, "not an option")
                                    .near(name, option.name.span, names)
                                    .or_help(format!("options are `{}`", names.join("`, `"))),
                            );
                        }
                    }
                    None
                }
            };
            sound &= done.is_some();
        }
        if !sound {
            return None;
        }
        let hidden: Vec<&str> = template
            .bind
            .iter()
            .filter(|(bound, _)| !template.show.iter().any(|(shown, _)| shown == bound))
            .map(|(path, _)| &**path)
            .collect();
        if let Some(bind_span) = bind_span
            && !hidden.is_empty()
        {
            let all: Vec<&str> = template.show.iter().map(|(path, _)| &**path).chain(hidden.iter().copied()).collect();
            let list = format!("[{}]", all.join(", "));
            let finding =
                Diagnostic::error("bound-not-shown", format!("`{}` is bound but not shown", hidden.join("`, `")))
                    .at(bind_span, "people sign what they cannot see");
            self.report(match show_span {
                Some(show) => finding.suggest(format!("show it too: `{list}`"), show, list.clone()),
                None => finding.suggest(format!("add `show: {list}`"), bind_span.after(), format!(", show: {list}")),
            });
            return None;
        }
        Some(template)
    }

    fn paths(&mut self, list: &ast::PathList, scope: &Scope) -> Option<Vec<(Arc<str>, Expr)>> {
        let optional = self.optional.len();
        let resolved: Vec<_> = list.paths.iter().map(|path| self.resolve(path, scope)).collect();
        // A field that is shown may be missing: the phone says so.
        self.optional.truncate(optional);
        resolved.into_iter().map(|typed| typed.map(|typed| (Arc::from(typed.text), typed.expr))).collect()
    }

    pub(super) fn word<T: Copy>(
        &mut self,
        what: &str,
        word: &ast::Ident,
        all: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        let found = all.iter().copied().find(|one| name(*one) == word.name);
        if found.is_none() {
            let text = format!("there is no {what} `{}`", word.name);
            let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
            self.report(
                Diagnostic::error("unknown-word", text)
                    .at(word.span, format!("not a {what}"))
                    .near(&word.name, word.span, names.iter().copied())
                    .or_help(format!("write one of `{}`", names.join("`, `"))),
            );
        }
        found
    }

    pub(super) fn effects(&mut self, then: &'a ast::Then, scope: &Scope) -> Option<Effects> {
        let mut effects = Effects::default();
        let mut sound = true;
        for effect in &then.effects {
            let done = match &effect.kind {
                ast::EffectKind::Reason(code) => self.reason_named(code).map(|reason| effects.reasons.push(reason)),
                ast::EffectKind::Severity(word) => self
                    .word("severity", word, &Severity::ALL, Severity::word)
                    .map(|severity| effects.severity = effects.severity.max(Some(severity))),
                ast::EffectKind::Flag(name) => {
                    effects.flags.push(name.name.as_str().into());
                    Some(())
                }
                ast::EffectKind::Add(add) => self.add(add, scope).map(|add| effects.adds.push(add)),
            };
            sound &= done.is_some();
        }
        sound.then_some(effects)
    }

    pub(super) fn reason_named(&mut self, code: &ast::Ident) -> Option<usize> {
        if let Some((index, _)) = self.reason_names.get(&code.name) {
            self.used_reasons.insert(*index);
            return Some(*index);
        }
        let text = format!("there is no reason `{}`", code.name);
        let mut names: Vec<String> = self.reason_names.keys().cloned().collect();
        names.sort();
        let finding = Diagnostic::error("unknown-reason", text)
            .at(code.span, "not declared")
            .near(&code.name, code.span, names.iter().map(String::as_str))
            .or_help(format!("declare it: `reason {} \"what the user may read\"`", code.name));
        self.unknown(&code.name, finding);
        None
    }

    fn add(&mut self, add: &'a ast::AddToList, scope: &Scope) -> Option<Add> {
        let optional = self.optional.len();
        let value = self.resolve(&add.value, scope);
        // Nothing is added when the field is missing.
        self.optional.truncate(optional);
        let list = self.list_named(&add.list);
        let for_ms = self.positive(&add.duration, "an entry stays for some time", "it would never be there");
        let (value, list, for_ms) = (value?, list?, for_ms?);
        let definition = self.draft.lists.get(list)?;
        if !definition.changes {
            let text = format!("`@{}` is fixed by the pack", definition.name);
            self.report(
                Diagnostic::error("list-is-fixed", text)
                    .at(add.list.span, "cannot be added to")
                    .help("declare it `managed` or `from \"file.csv\"`"),
            );
            return None;
        }
        let fits = value.ty == definition.element || (value.ty == Type::Ip && definition.element == Type::Cidr);
        if !fits {
            let text =
                format!("`{}` is {}, and `@{}` holds {}", value.text, value.ty, add.list.name, definition.element);
            self.report(Diagnostic::error("type-mismatch", text).at(add.value.span, value.ty.to_string()));
            return None;
        }
        Some(Add { value: value.expr, list, for_ms })
    }
}
