//! Nothing is shared here: the house rules are in `tests/tests/tidy.rs`, the stories in `tests/e2e/`.
