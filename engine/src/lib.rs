//! Checks, compiles and evaluates policies; keeps bounded history; measures travel.
//!
//! Pure: no I/O, no clock, no randomness. It is told everything and answers the same every time.
//! In reading order: values, events and signals, what comes out.

// ---- values
pub mod codes;
pub mod interval;
pub mod maybe;
pub mod money;
pub mod tri;
pub mod value;

// ---- what goes in
pub mod event;
pub mod signals;
pub mod status;

// ---- the past, and the way between two places
pub mod history;
pub mod travel;

// ---- what comes out
pub mod outcome;
pub mod trace;
pub mod verdict;
