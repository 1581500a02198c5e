//! What the store promises, and what its audit log finds out.

mod claims;
mod conformance;
mod durability;
mod load;
mod outbox;
mod recovery;
mod support;
mod tampering;
