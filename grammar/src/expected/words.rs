//! The words for what the grammar calls by rule names.

use crate::lower::Rule;

/// The word a keyword rule stands for.
pub(crate) fn keyword(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::kw_import => "import",
        Rule::kw_rates => "rates",
        Rule::kw_event => "event",
        Rule::kw_list => "list",
        Rule::kw_script => "script",
        Rule::kw_reason => "reason",
        Rule::kw_let => "let",
        Rule::kw_policy => "policy",
        Rule::kw_test => "test",
        Rule::kw_prove => "prove",
        Rule::kw_from => "from",
        Rule::kw_requires => "requires",
        Rule::kw_managed => "managed",
        Rule::kw_ttl => "ttl",
        Rule::kw_budget => "budget",
        Rule::kw_ops => "ops",
        Rule::kw_internal => "internal",
        Rule::kw_regulation => "regulation",
        Rule::kw_on => "on",
        Rule::kw_meta => "meta",
        Rule::kw_default => "default",
        Rule::kw_combine => "combine",
        Rule::kw_strictest => "strictest",
        Rule::kw_first_match => "first_match",
        Rule::kw_score => "score",
        Rule::kw_at => "at",
        Rule::kw_unknown => "unknown",
        Rule::kw_step_up => "step_up",
        Rule::kw_match => "match",
        Rule::kw_skip => "skip",
        Rule::kw_rule => "rule",
        Rule::kw_mode => "mode",
        Rule::kw_live => "live",
        Rule::kw_shadow => "shadow",
        Rule::kw_off => "off",
        Rule::kw_priority => "priority",
        Rule::kw_active => "active",
        Rule::kw_until => "until",
        Rule::kw_rollout => "rollout",
        Rule::kw_by => "by",
        Rule::kw_when => "when",
        Rule::kw_unless => "unless",
        Rule::kw_then => "then",
        Rule::kw_block => "block",
        Rule::kw_allow => "allow",
        Rule::kw_final => "final",
        Rule::kw_challenge => "challenge",
        Rule::kw_nothing => "nothing",
        Rule::kw_severity => "severity",
        Rule::kw_flag => "flag",
        Rule::kw_add => "add",
        Rule::kw_to => "to",
        Rule::kw_for => "for",
        Rule::kw_and => "and",
        Rule::kw_or => "or",
        Rule::kw_not => "not",
        Rule::kw_in => "in",
        Rule::kw_is => "is",
        Rule::kw_missing => "missing",
        Rule::kw_known => "known",
        Rule::kw_matches => "matches",
        Rule::kw_between => "between",
        Rule::kw_tz => "tz",
        Rule::kw_distinct => "distinct",
        Rule::kw_of => "of",
        Rule::kw_where => "where",
        Rule::kw_over => "over",
        Rule::kw_calendar => "calendar",
        Rule::kw_tumbling => "tumbling",
        Rule::kw_since => "since",
        Rule::kw_including => "including",
        Rule::kw_this => "this",
        Rule::kw_within => "within",
        Rule::kw_history => "history",
        Rule::kw_x => "x",
        Rule::kw_every => "every",
        Rule::kw_ending => "ending",
        Rule::kw_ago => "ago",
        Rule::kw_has => "has",
        Rule::kw_expect => "expect",
        Rule::kw_all => "all",
        Rule::kw_least => "least",
        Rule::kw_most => "most",
        _ => return None,
    })
}

/// Every word of the language that is no name, value or function: `when`, `unless`, …
pub fn keywords() -> Vec<&'static str> {
    let mut words: Vec<&'static str> = Rule::all_rules().iter().filter_map(|rule| keyword(*rule)).collect();
    words.sort_unstable();
    words
}

/// Words that can be no name anywhere.
pub const RESERVED: [&str; 21] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "of",
    "by",
    "over",
    "since",
    "where",
    "when",
    "unless",
    "then",
    "rule",
    "missing",
    "known",
    "including",
    "between",
    "matches",
    "true",
    "false",
];

/// Whether a word can be no name.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// What a rule is called in a message, and how early it should be named. A phrase without a blank is something to type.
pub(super) fn phrase(rule: Rule) -> Option<(u8, &'static str)> {
    if let Some(word) = keyword(rule) {
        // Operators between conditions can follow nearly everything: they say least.
        let rank = match word {
            "and" | "or" | "not" => 7,
            "in" | "is" | "matches" | "between" => 8,
            _ => 3,
        };
        return Some(if rank == 8 { (6, "a comparison") } else { (rank, word) });
    }
    Some(match rule {
        Rule::EOI => (9, "nothing more"),
        Rule::expr | Rule::and_e | Rule::not_e => (0, "a condition"),
        Rule::cmp_e
        | Rule::coal_e
        | Rule::add_e
        | Rule::mul_e
        | Rule::prim
        | Rule::reference
        | Rule::range
        | Rule::element => (0, "a value"),
        Rule::literal | Rule::value => (0, "a literal value"),
        Rule::outcome | Rule::outcome_word | Rule::expected | Rule::expect_outcome => (0, "an outcome"),
        Rule::ident | Rule::path => (1, "a name"),
        Rule::method => (1, "a method such as `qr`"),
        Rule::type_ref => (1, "a type"),
        Rule::list_name => (1, "a list such as `@office`"),
        Rule::string => (1, "a string in double quotes"),
        Rule::duration => (1, "a duration such as `15m`"),
        Rule::datetime => (1, "a date such as `2026-01-31`"),
        Rule::integer => (1, "a whole number"),
        Rule::number => (1, "a number"),
        Rule::percent => (1, "a percentage such as `10%`"),
        Rule::set_lit | Rule::path_list | Rule::value_list => (2, "a list in square brackets"),
        Rule::record => (2, "a block in braces"),
        Rule::window => (2, "a window: `over …` or `since …`"),
        Rule::calendar => (3, "calendar"),
        Rule::tumbling => (3, "tumbling"),
        Rule::calendar_unit => (2, "`hour`, `day`, `week` or `month`"),
        Rule::keys => (3, "by"),
        Rule::filter => (5, "where"),
        Rule::since => (3, "since"),
        Rule::including => (5, "including this"),
        Rule::within => (5, "within"),
        Rule::effect => (5, "an effect"),
        Rule::open_brace => (4, "{"),
        Rule::close_brace => (4, "}"),
        Rule::open_paren => (4, "("),
        Rule::close_paren => (4, ")"),
        Rule::open_bracket => (4, "["),
        Rule::close_bracket => (4, "]"),
        Rule::comma => (4, ","),
        Rule::colon => (4, ":"),
        Rule::equals => (4, "="),
        Rule::arrow => (4, "->"),
        Rule::dots => (6, ".."),
        Rule::optional => (9, "?"),
        Rule::choices => (9, "values in parentheses"),
        Rule::arguments => return None,
        Rule::compare_op
        | Rule::compare
        | Rule::membership
        | Rule::presence
        | Rule::matches
        | Rule::between
        | Rule::in_op => (6, "a comparison"),
        Rule::add_op | Rule::mul_op | Rule::otherwise => (8, "an operator"),
        Rule::field_def => (3, "a field such as `amount: money`"),
        Rule::attribute => (5, "an attribute such as `@pii`"),
        Rule::aliases => (5, "an alias in double quotes"),
        Rule::requires => (5, "requires"),
        Rule::list_from => (2, "`= […]`, `from \"…\"` or `managed`"),
        Rule::ttl => (5, "ttl"),
        Rule::param => (3, "a parameter such as `a: string`"),
        Rule::internal => (5, "internal"),
        Rule::regulation => (5, "regulation"),
        Rule::import
        | Rule::rates
        | Rule::event_def
        | Rule::list_def
        | Rule::script_def
        | Rule::reason_def
        | Rule::policy
        | Rule::test
        | Rule::prove => (3, "an item such as `policy` or `event`"),
        Rule::let_def => (3, "let"),
        Rule::meta => (3, "meta"),
        Rule::default => (3, "default"),
        Rule::combine => (3, "combine"),
        Rule::on_unknown => (3, "on unknown"),
        Rule::rule_def | Rule::rule_head => (3, "rule"),
        Rule::mode => (3, "mode"),
        Rule::priority => (3, "priority"),
        Rule::validity => (3, "active"),
        Rule::rollout => (3, "rollout"),
        Rule::when => (2, "when"),
        Rule::unless => (3, "unless"),
        Rule::then => (2, "then"),
        Rule::valid_from => (2, "from"),
        Rule::valid_until => (2, "until"),
        Rule::meta_entry | Rule::entry => (3, "an entry such as `key: value`"),
        Rule::option => (3, "an option such as `level: possession`"),
        Rule::score_steps => (3, "score"),
        Rule::score_step => (1, "a step such as `challenge at 50`"),
        Rule::options => (5, "options in braces"),
        Rule::give_reason => (5, "reason"),
        Rule::severity => (5, "severity"),
        Rule::flag => (5, "flag"),
        Rule::add => (5, "add"),
        Rule::expect_by => (5, "by"),
        Rule::test_at => (3, "at"),
        Rule::test_event => (3, "event"),
        Rule::test_history => (3, "history"),
        Rule::test_list => (3, "list"),
        Rule::expect => (3, "expect"),
        Rule::every => (2, "every"),
        Rule::ending => (2, "ending"),
        Rule::expect_not => (3, "not rule"),
        Rule::expect_rule => (3, "rule"),
        Rule::expect_unknown => (3, "unknown"),
        Rule::prove_where => (5, "where"),
        Rule::policy_member_only => {
            (0, "a policy's member: `meta`, `default`, `combine`, `on unknown`, `let` or `rule`")
        }
        Rule::rule_member_only => (
            0,
            "a rule's clause: `when`, `unless`, `then`, `on unknown`, `mode`, `priority`, `active`, `rollout` or `meta`",
        ),
        Rule::test_member_only => (0, "a test's step: `at`, `event`, `history`, `list` or `expect`"),
        Rule::policy_head | Rule::test_head => (3, "a name"),
        _ => return None,
    })
}
