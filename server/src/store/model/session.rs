use jiff::Timestamp;
use uuid::Uuid;

use super::{NewUse, Seq, TenantId, UserId};

/// A session: its id is that of the challenge whose approval began it, so that an approval begins one session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Copy)]
pub struct SessionId(pub Uuid);

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A session to begin, and the result token that it uses up.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The session.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// The application it is for.
    pub client: String,
    /// How the user approved, precisely: `QR_CODE`.
    pub method: String,
    /// The rung of the ladder that was reached.
    pub acr: String,
    /// What was used (RFC 8176).
    pub amr: Vec<String>,
    /// When the user approved.
    pub approved_at: Timestamp,
    /// From when it cannot be refreshed any more.
    pub expires_at: Timestamp,
    /// The token it is given for: its tenant, caller and time are the session's.
    pub token: NewUse,
}

/// A session as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // Fields mean what they mean in `NewSession`.
pub struct Session {
    pub tenant: TenantId,
    pub id: SessionId,
    pub user: UserId,
    pub client: String,
    pub method: String,
    pub acr: String,
    pub amr: Vec<String>,
    pub approved_at: Timestamp,
    /// The API key that asked for it.
    pub created_by: String,
    pub created_at: Timestamp,
    /// How often it was refreshed.
    pub generation: u32,
    /// When last; at first, when it began.
    pub refreshed_at: Timestamp,
    pub expires_at: Timestamp,
    /// When it ended before its time.
    pub revoked_at: Option<Timestamp>,
    /// The audit entry that last described this row.
    pub seq: Seq,
}

impl Session {
    /// Whether it can be refreshed and its tokens are good.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// What came of asking for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It began.
    New(Session),
    /// The token began this session before.
    Before(Session),
    /// The token was validated before.
    Used,
}

/// A refresh token, presented.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// Whose.
    pub tenant: TenantId,
    /// Of which session.
    pub id: SessionId,
    /// After how many refreshes it was handed out.
    pub generation: u32,
    /// A repeat of the last refresh from this time on is a lost reply and not a theft.
    pub repeat_since: Timestamp,
    /// When.
    pub at: Timestamp,
    /// Until when the session then lasts; never longer than it would anyway if it is absolute.
    pub expires_at: Timestamp,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// The session goes on with these tokens.
    Next(Session),
    /// The reply to this refresh was lost: the same tokens again.
    Same(Session),
    /// The token was used before and by somebody else: the session is over for both (RFC 9700 §4.14.2).
    Stolen,
    /// There is no such session, or it is over.
    Over,
}
