//! Who took an anonymous challenge, as much of it as the screen may show: enough for the right person to see that somebody
//! else was faster, and not enough to tell a bystander who they are.

use challenge::state::{State, Subject};
use challenge::{Challenge, ChallengeId, TenantId};
use serde_json::{Value, json};

use super::refusals;
use crate::app::App;
use crate::error::ApiError;

/// `{name: "J•••", devicePlatform: "ios"}` of a claimed challenge that was for whoever claims it. A screen that knows its user
/// is told nothing: nobody else can have it.
pub async fn on_screen(app: &App, challenge: &Challenge) -> Result<Option<Value>, ApiError> {
    let (State::Claimed(claim), Subject::Anonymous) = (challenge.state(), &challenge.frozen().subject) else {
        return Ok(None);
    };
    let tenant = &challenge.frozen().tenant;
    let known = app.caches.user(&app.store, tenant, &claim.user).await?;
    let attributes = known.as_ref().map(|user| &user.attributes);
    let name = attributes.and_then(|known| known.display_name.as_deref().or(known.username.as_deref()));
    let phone = app.store.credential(tenant, &claim.by).await.map_err(refusals::store)?;
    Ok(Some(json!({
        "name": masked(name.unwrap_or(claim.user.as_str())),
        "devicePlatform": phone.map(|phone| phone.device_platform),
    })))
}

/// The same for a screen that heard of the claim just now.
pub async fn of(app: &App, tenant: &TenantId, challenge: ChallengeId) -> Result<Option<Value>, ApiError> {
    match app.store.challenge(tenant, challenge).await.map_err(refusals::store)? {
        Some(stored) => on_screen(app, &stored.challenge).await,
        None => Ok(None),
    }
}

/// The first letter or digit, and three dots whatever comes.
fn masked(name: &str) -> String {
    let first = name.trim_start().chars().next().filter(|first| first.is_alphanumeric());
    format!("{}•••", first.map_or(String::new(), String::from))
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn a_masked_name_has_one_letter_and_no_length() {
        for (name, shown) in [
            ("Jo", "J•••"),
            (" Johanna Maria", "J•••"),
            ("jo@example.com", "j•••"),
            ("李小龙", "李•••"),
            ("", "•••"),
            ("\u{202e}evil", "•••"),
            ("🦀", "•••"),
        ] {
            assert_eq!(masked(name), shown, "{name}");
        }
    }
}
