//! The HTTP service: pipeline, store, audit log, pages.
//!
//! In the order data flows: [`serve`] accepts, [`http`] reads, [`pipeline`] decides, [`store`] records, [`notify`] tells.

// ---- the wiring
pub mod app;
pub mod config;
pub mod keys;

// ---- the door
pub mod serve;

pub mod auth;
pub mod error;
pub mod evidence;
pub mod http;
pub mod json;
pub mod limits;

// ---- one attempt, stage by stage
pub mod pipeline;

pub mod attempts;
pub mod decide;
pub mod decode;
pub mod device;
pub mod enrich;
pub mod origin;
pub mod packs;
pub mod policies;

// ---- challenges
pub mod challenges;
pub mod notify;
pub mod sessions;
pub mod webhooks;
pub mod worker;

// ---- when the phone is gone
pub mod recovery;

// ---- what is kept
pub mod audit;
pub mod caches;
pub mod store;

// ---- the world, passed in
pub mod clock;
pub mod random;
