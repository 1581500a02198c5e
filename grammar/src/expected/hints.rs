//! The usual slips, each with what was meant. Tried in order; the first that fits speaks.
//!
//! What begins a policy, a rule, an event or a list (`items`, `lists`); brackets and commas (`brackets`); conditions and what
//! connects them (`conditions`), as they are said aloud (`spoken`, `ranges`); windows (`windows`); numbers, times and dates
//! (`literals`); what follows `then` (`effects`); and words that are nearly ours (`vocabulary`).

mod brackets;
mod conditions;
mod effects;
mod items;
mod lists;
mod literals;
mod ranges;
mod spoken;
mod vocabulary;
mod windows;

use super::Stop;
use crate::diagnostic::Diagnostic;
use crate::lower::Rule;
use crate::scan::Token;
use crate::source::Span;

/// The first hint that speaks of another place than those `said`; the first of all, where there is no such.
pub(super) fn hint(stop: &Stop, said: &[Diagnostic]) -> Option<Diagnostic> {
    const HINTS: [fn(&Stop) -> Option<Diagnostic>; 69] = [
        items::colon_of_yaml,
        effects::comma_between_effects,
        effects::step_otherwise,
        effects::method_of_bound,
        effects::method_in_parentheses,
        effects::step_up_otherwise,
        effects::expect_not_otherwise,
        effects::options_of_expected,
        effects::missing_method,
        conditions::missing_then,
        items::misplaced_item,
        items::missing_name,
        items::short_name,
        items::no_type,
        items::type_of_let,
        items::second_import,
        items::no_when,
        lists::no_at_sign_or_entry,
        lists::list_of_lists,
        lists::no_type_of_list,
        brackets::one_comma_too_many,
        brackets::other_brackets,
        conditions::is_true,
        conditions::not_of_is,
        conditions::equals_missing,
        conditions::condition_in_braces,
        ranges::brackets_of_between,
        ranges::range_in_brackets,
        ranges::set_without_brackets,
        ranges::word_before_between,
        ranges::range_in_words,
        ranges::not_before_operator,
        brackets::set_in_parentheses,
        brackets::quoted_key,
        windows::negative_length,
        spoken::dash_in_name,
        spoken::currency_first,
        spoken::nothing_compared,
        spoken::calendar_without_zone,
        spoken::other_aggregate,
        spoken::misspelt_function,
        literals::blank_in_number,
        windows::window_of_seen,
        windows::late_where,
        windows::event_in_count,
        windows::parts_of_aggregate,
        spoken::unit_in_words,
        spoken::comparison_in_words,
        vocabulary::other_words,
        windows::where_without_parentheses,
        windows::window_before_key,
        conditions::absence,
        literals::grouped_digits,
        literals::other_clock,
        literals::other_date,
        conditions::chained_comparison,
        literals::percent_sign,
        literals::multiple,
        literals::spaced_unit,
        windows::star_in_count,
        windows::brackets_of_count,
        windows::distinct_in_brackets,
        windows::other_window,
        conditions::foreign_sign,
        items::quotes_missing,
        conditions::capital_operator,
        vocabulary::foreign_word,
        vocabulary::misspelled,
        vocabulary::reserved,
    ];
    let found = || HINTS.iter().filter_map(|hint| hint(stop));
    let again = |finding: &Diagnostic| said.iter().any(|said| said.starts_where(finding));
    found().find(|finding| !again(finding)).or_else(|| found().next())
}

impl<'a> Stop<'a> {
    fn token(&self) -> Option<&'a Token> {
        self.scan.tokens.get(self.found).filter(|_| self.found < self.region.end)
    }

    fn word(&self) -> &'a str {
        self.token().map_or("", |token| self.scan.text(token))
    }

    fn before(&self) -> Option<&'a Token> {
        self.found
            .checked_sub(1)
            .filter(|before| *before >= self.region.start)
            .and_then(|before| self.scan.tokens.get(before))
    }

    fn span(&self) -> Option<Span> {
        self.token().map(|token| self.scan.span(token))
    }

    /// The text of the token this far behind the one it stopped at.
    fn ahead(&self, distance: usize) -> &'a str {
        let index = self.found + distance;
        if index < self.region.end { self.scan.word(index) } else { "" }
    }

    /// The text of the token this far before the one it stopped at.
    pub(super) fn back(&self, distance: usize) -> &'a str {
        let index = self.found.checked_sub(distance).filter(|index| *index >= self.region.start);
        index.map_or("", |index| self.scan.word(index))
    }

    fn span_of(&self, index: usize) -> Option<Span> {
        self.scan.tokens.get(index).filter(|_| self.region.contains(&index)).map(|token| self.scan.span(token))
    }

    /// Whether no blank is between this token and the next.
    fn touches_next(&self, index: usize) -> bool {
        self.scan.tokens.get(index).map(|token| token.end) == self.scan.tokens.get(index + 1).map(|token| token.start)
    }

    /// What is to be written in the place of a token, with blanks where that is glued to its neighbours.
    fn spaced(&self, index: usize, written: &str) -> String {
        let blank = |glued: bool| if glued { " " } else { "" };
        let before = index.checked_sub(1).is_some_and(|before| self.touches_next(before));
        format!("{}{written}{}", blank(before), blank(self.touches_next(index)))
    }

    fn expects(&self, rules: &[Rule]) -> bool {
        self.expected.iter().any(|rule| rules.contains(rule))
    }

    /// Whether an expression could have gone on here.
    pub(super) fn after_operand(&self) -> bool {
        self.expects(&[
            Rule::kw_and,
            Rule::kw_or,
            Rule::add_op,
            Rule::mul_op,
            Rule::otherwise,
            Rule::compare,
            Rule::compare_op,
            Rule::membership,
            Rule::presence,
            Rule::matches,
            Rule::between,
            Rule::in_op,
        ])
    }
}
