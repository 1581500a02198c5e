//! The server API over its router: stories, refusals, limits, idempotency.

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod idempotency;
mod limits;
mod packs;
mod secrets;
mod slow_clients;
mod stories;
mod webhooks;
mod wire;
