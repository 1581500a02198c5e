//! The past, as far as rules can ask about it.

mod number;
pub mod observation;
pub mod plan;
