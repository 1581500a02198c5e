//! The life of a challenge, as the server lives it: what the pure `challenge` crate decides, made durable and told.
//!
//! [`generate`] freezes a challenge, [`screen`] shows it, [`phone`] claims and answers it, [`follow`] tells the screen and
//! history what happened, [`tokens`] prove it, [`validate`] lets the backend use the proof once. [`anonymous`] is the case
//! where the claim says who it is about, [`prompts`] keeps users from being asked too often.

pub mod anonymous;
pub mod follow;
pub mod generate;
pub mod phone;
pub mod prompts;
pub mod refusals;
pub mod screen;
pub mod tokens;
pub mod validate;

use challenge::Issuer;

use crate::app::App;

/// The public base URL: what phones pin and tokens name as `iss`.
pub fn issuer(app: &App) -> Issuer {
    app.issuer()
}
