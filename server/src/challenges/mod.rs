//! The life of a challenge, as the server lives it: what the pure `challenge` crate decides, made durable and told.
//!
//! [`generate`] freezes a challenge, [`screen`] shows it, with the word of a registered [`terminal`] if it is one, [`phone`] claims and answers it, [`claiming`] asks the policies about the
//! claim and what [`ends`] lie apart, [`follow`] tells the screen and
//! history what happened, [`tokens`] prove it, [`validate`] lets the backend use the proof once. [`anonymous`] is the case
//! where the claim says who it is about, [`push`] and [`in_app`] those where nothing is scanned, [`prompts`] keeps users from being asked too often.

pub mod anonymous;
pub mod claimer;
pub mod claiming;
pub mod ends;
pub mod follow;
pub mod generate;
pub mod in_app;
pub mod nonces;
pub mod phone;
pub mod prompts;
pub mod push;
pub mod refusals;
pub mod screen;
pub mod terminal;
pub mod tokens;
pub mod validate;

use challenge::Issuer;

use crate::app::App;
use crate::store::RECOVERY_CODE;

/// The public base URL: what phones pin and tokens name as `iss`.
pub fn issuer(app: &App) -> Issuer {
    app.issuer()
}

/// The word of the wire's closed list for how a user proved themself. .NET's SDK throws on a word it does not know.
pub fn wire_method(method: &str) -> &str {
    match method {
        "PUSH" => "PUSH",
        RECOVERY_CODE => RECOVERY_CODE,
        _ => "DEVICE",
    }
}
