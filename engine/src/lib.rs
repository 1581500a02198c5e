//! Checks, compiles and evaluates policies; keeps bounded history; measures travel.
//!
//! Pure: no I/O, no clock, no randomness. It is told everything and answers the same every time.
//! In reading order: values; events and signals; the past; from source to program; from signals to verdict.

// Nothing that comes from outside may stop the process.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

// ---- values
pub mod codes;
mod exact;
pub mod interval;
pub mod maybe;
pub mod money;
pub mod rates;
pub mod tri;
pub mod value;

// ---- what goes in
pub mod event;
pub mod signals;
pub mod status;

// ---- the past, and the way between two places
pub mod history;
pub mod travel;

// ---- from source to program
pub mod check;
pub mod ir;
pub mod lists;
pub mod pack;
pub mod program;
pub mod schema;
pub mod script;
pub mod types;

// ---- from signals to verdict
pub mod decode;
mod evaluate;
mod index;
pub mod line;
pub mod observe;
pub mod outcome;
pub mod verdict;

// ---- why, and what if
pub mod coverage;
pub mod explain;
pub mod record;
pub mod replay;
pub mod testing;
pub mod trace;

pub use check::{Compilation, compile, compile_within};
pub use coverage::Coverage;
pub use evaluate::{Places, Ruling, evaluate, judge_briefly, judge_into, judge_one_by_one_briefly};
pub use event::{Event, EventInput, FieldError};
pub use explain::explain;
pub use line::{Line, read_line};
pub use lists::ListState;
pub use observe::Occasion;
pub use outcome::Outcome;
pub use pack::{Limits, PackSource};
pub use program::{Needs, Program};
pub use record::decision_line;
pub use replay::{ChallengeEnd, Stream};
pub use signals::{Located, NetworkFacts, Signals, UserFacts, Whereabouts};
pub use testing::{TestResult, cover_tests, run_tests};
pub use trace::Trace;
pub use value::{Maybe, Value, Why};
pub use verdict::{ChallengeSpec, Verdict};
