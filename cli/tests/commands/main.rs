//! What each command promises its user, tried on the real binary.

#[path = "../support/mod.rs"]
mod support;

mod check_fixes_what_is_certain;
mod check_reports_everything_at_once;
mod check_speaks_sarif;
mod eval_decides_a_stream_the_same_way_every_time;
mod eval_decides_the_manual;
mod every_command_keeps_to_the_conventions;
mod exit_codes_are_as_promised;
mod explain_says_why;
mod fmt_writes_rule_files_the_one_way;
mod keys_and_serve_refuse_what_cannot_work;
mod packs_over_a_limit_are_refused;
mod packs_work_as_their_readmes_say;
mod test_runs_the_tests_of_a_pack;
