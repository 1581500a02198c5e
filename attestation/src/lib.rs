//! What the maker of a phone says of its keys and apps, and whether to believe it.
//!
//! Everything here is a pure function of its arguments: evidence, the hash it must be about, whom to trust, `now`. The hash is
//! the SHA-256 of an enrolment message that names the credential's public key, so that evidence about one key is worth nothing
//! for another.
//!
//! Reading order: [`path`] walks a chain of certificates to a pinned root, [`revocation`] says which of them were called back.
//! [`android`] reads what a keystore says of the very key, [`apple`] and [`play`] what a device says of the app that vouches for
//! it. Every refusal is a [`Refusal`], whose `code()` is the word that clients and the log see.
//!
//! ```
//! use attestation::{android::{self, AndroidRules}, path::Anchors, Refusal};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now: jiff::Timestamp = "2026-03-01T10:00:00Z".parse()?;
//! let rules = AndroidRules::trusting(Anchors::google()?);
//! let chain = [b"not a certificate".to_vec(), b"nor this".to_vec()];
//! assert_eq!(android::verify(&chain, b"the key's SPKI", &[0; 32], &rules, now), Err(Refusal::MalformedCertificate));
//! # Ok(()) }
//! ```

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)
)]

mod description;
pub mod path;
mod refusal;
pub mod revocation;

pub mod android;
pub mod apple;
pub mod play;

pub use refusal::Refusal;

/// SHA-256 as an array.
fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref()) {
        *to = *from;
    }
    out
}
