//! `rt_<session>_<generation>_<code>`: opaque to everybody else, and nothing of it is stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use challenge::TenantId;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::keys::Keys;
use crate::store::SessionId;

/// Longest text that can be one: prefix, UUID, a number, 32 bytes.
const LONGEST: usize = 128;

/// What a refresh token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// Of which session.
    pub session: SessionId,
    /// After how many refreshes it was handed out.
    pub generation: u32,
}

impl RefreshToken {
    /// The text that the backend keeps.
    pub fn write(self, keys: &Keys, tenant: &TenantId) -> String {
        let code = URL_SAFE_NO_PAD.encode(keys.refresh_code(tenant, &self.session.0, self.generation));
        format!("rt_{}_{}_{code}", self.session.0.simple(), self.generation)
    }

    /// Reads a text that we wrote for this tenant; `None` for any other.
    pub fn read(keys: &Keys, tenant: &TenantId, text: &str) -> Option<RefreshToken> {
        if text.len() > LONGEST {
            return None;
        }
        // The code comes last: it may contain the separator.
        let mut parts = text.strip_prefix("rt_")?.splitn(3, '_');
        let session = SessionId(Uuid::try_parse(parts.next()?).ok()?);
        let generation = parts.next()?.parse().ok()?;
        let code = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        let token = RefreshToken { session, generation };
        let right = keys.refresh_code(tenant, &session.0, generation);
        // The one spelling that we write, so that a token is one text.
        let is_ours = bool::from(right.as_slice().ct_eq(&code)) && token.write(keys, tenant) == text;
        is_ours.then_some(token)
    }
}
