//! The past, as far as rules can ask about it.
//!
//! A compiled pack says what it asks in a [`HistoryPlan`]; the evaluator hands in one [`Observation`] for each event
//! and gets an [`Observed`] back. [`Reference`] is the definition: it keeps everything. [`History`] is what runs: it
//! keeps only what can change a comparison, and answers with intervals where it kept too little to be sure.
//!
//! Order: (event time, seq). Windows look back from the event being judged, in event time. An event that comes late
//! enters at its own place and never changes answers given before. Two statuses are in flight (`pending`,
//! `challenged`); an event counts by the status it has when it is looked at.
//!
//! What is not known is never guessed: an event whose `where` is unknown widens the interval, a field that could not
//! be found out (but is not absent) does too, and a past that is missing makes the answer "at least".

mod atom;
pub mod calendar;
mod estimate;
mod hashing;
mod limits;
mod number;
pub mod observation;
pub mod plan;
mod position;
mod reference;
mod windows;

pub use self::{
    limits::{Limits, RETENTION_MS},
    observation::{Observation, Observed, Settled, Snapshot, clamp_future},
    plan::HistoryPlan,
    reference::Reference,
    windows::{History, Sizes},
};
