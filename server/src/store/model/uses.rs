use jiff::Timestamp;

use super::decision::words;
use super::{DecisionId, TenantId};

/// What kind of thing works only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UseKind {
    /// A result token's `jti`, used up by its validation (T-56).
    ResultToken,
    /// A (credential, time window) of the wire's removal signature (T-15).
    Removal,
    /// A nonce handed to a phone.
    Nonce,
}

words!(UseKind { ResultToken = "result-token", Removal = "removal", Nonce = "nonce" });

/// One use of a thing that works once.
#[derive(Debug, Clone)]
pub struct NewUse {
    /// Whose.
    pub tenant: TenantId,
    /// Of what kind.
    pub kind: UseKind,
    /// Its unique name within (tenant, kind): the `jti`, `credential@window`, the nonce.
    pub id: String,
    /// Who uses it: an API key id, a credential id. Must not name a person.
    pub by: String,
    /// The decision a result token is about.
    pub decision: Option<DecisionId>,
    /// When.
    pub at: Timestamp,
    /// When the thing would have expired anyway, after which the memory of its use may go.
    pub expires_at: Timestamp,
}

/// Whether it was the first use. Of any number of concurrent uses exactly one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// It was.
    First,
    /// It was used before.
    Again {
        /// When first.
        first_used_at: Timestamp,
        /// By whom.
        first_used_by: String,
    },
}
