//! A registered terminal asks for a challenge under its own signature (`docs/terminals.md`). What does not fit is refused: a
//! terminal's challenge never quietly becomes anybody's.

use challenge::ActionCode;
use challenge::state::Origin;
use challenge::terminal::{CreateAttempt, Terminal};
use jiff::Timestamp;

use super::nonces::{self, Purpose};
use super::refusals;
use super::screen::Screen;
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::store::{NewRefusal, Site};

/// A terminal that has signed what it asks for.
pub struct Vouching {
    /// Which, and what it signed.
    pub terminal: Terminal,
    /// Where its administrator says it stands.
    pub site: Site,
}

impl Vouching {
    /// An origin as this terminal's: a place that an administrator gave is better than that of an address.
    pub fn placed(&self, origin: Origin) -> Origin {
        match &self.site.place {
            place if place.country.is_some() => Origin { place: Some(place.clone()), ..origin },
            _ => origin,
        }
    }
}

/// The terminal that has signed the request, which stands at `at` in its body. Each request counts once.
pub async fn vouching(
    app: &App,
    screen: &Screen,
    action: &ActionCode,
    (attempt, at): (&CreateAttempt, &str),
    now: Timestamp,
) -> Result<Vouching, ApiError> {
    let tenant = screen.tenant();
    let Some(known) = app.store.terminal(tenant, &attempt.terminal).await.map_err(refusals::store)? else {
        let detail = "no terminal with this id is registered, or it was revoked";
        return Err(refused(app, screen, attempt, at, detail, now).await);
    };
    let issuer = app.issuer();
    let Ok(terminal) = attempt.verify((&known.name, &known.key), (&issuer, tenant), action, screen.token_hash()) else {
        let detail = "the signature does not fit the terminal's key and this request";
        return Err(refused(app, screen, attempt, at, detail, now).await);
    };
    // The pair of nonces is what is used once: the server's alone would be good for one challenge in ten minutes.
    let by = format!("{}/{}", attempt.terminal, attempt.nonce.expose());
    let (server, own) = (format!("{at}/serverNonce"), format!("{at}/nonce"));
    let purpose = Purpose { tenant, by: &by, places: [&server, &own] };
    nonces::use_up(app, purpose, &attempt.server_nonce).await?;
    Ok(Vouching { terminal, site: known.place })
}

/// The refusal of a challenge whose terminal was revoked while it asked.
pub fn revoked() -> ApiError {
    ApiError::new(Problem::TerminalRefused, "the terminal was revoked, or has got another key")
}

async fn refused(
    app: &App,
    screen: &Screen,
    attempt: &CreateAttempt,
    at: &str,
    detail: &str,
    now: Timestamp,
) -> ApiError {
    let said = ApiError::new(Problem::TerminalRefused, detail).about(at);
    let leaf = NewRefusal {
        tenant: screen.tenant().clone(),
        what: "create".to_owned(),
        code: said.problem().entry().code.to_owned(),
        facts: [("terminal".to_owned(), attempt.terminal.to_string())].into(),
        at: now,
    };
    refusals::written(app, leaf, said).await
}
