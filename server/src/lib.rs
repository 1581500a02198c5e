//! The HTTP service: pipeline, store, audit log, pages.
//!
//! In the order data flows: `serve` accepts, `http` reads, `pipeline` decides, `store` records, `notify` tells.

pub mod audit;
pub mod clock;
pub mod config;
pub mod error;
pub mod json;
pub mod limits;
pub mod notify;
pub mod random;
pub mod store;
