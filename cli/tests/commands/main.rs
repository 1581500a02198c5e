//! What each command promises its user, tried on the real binary.

#[path = "../support/mod.rs"]
mod support;

mod every_command_keeps_to_the_conventions;
mod fmt_writes_rule_files_the_one_way;
