//! The things the store keeps, in the words of the domain. No SQL and no wire names here.
//!
//! Times are kept in whole milliseconds; a finer timestamp is rounded down when it enters the store, so that what a verb
//! returns is what a later read returns.

mod challenges;
mod credential;
mod decision;
mod device;
mod guess;
mod journal;
mod outbox;
mod page;
mod policy;
mod recovery;
mod session;
mod tenant;
mod terminal;
mod user;
mod uses;

pub use ::challenge::{ActionCode, ChallengeId, CredentialId, IdempotencyKey, TenantId, TerminalId, UserId};

pub use engine::outcome::Outcome;

pub use challenges::{
    CreateError, Judge, LEFT_ALONE, NewChallenge, Operation, Prompt, RecordedChallenge, StoredChallenge,
    TransitionError, TransitionRequest, Transitioned, left_alone_until,
};
pub use credential::{
    CredentialRefresh, EnrolError, Enrolled, EnrolmentRight, NewCredential, RevokeError, StoredCredential,
};
pub use decision::{
    ActionState, Decision, DecisionFilter, DecisionId, DecisionKey, NewDecision, RecordError, Recorded, StateChange,
    StateChangeError, StateChanged,
};
pub use device::{DeviceChange, DeviceError, NewDevice, UserDevice};
pub use guess::{GuessError, GuessLimit, NewGuess};
pub use journal::{JournalEntry, NewRefusal, Settled, Settlement};
pub use outbox::{Attempted, DeadLetters, Delivery, Event, EventType, Subscription, Subscriptions};
pub use page::{Cursor, Page, PageRequest};
pub use policy::{ActivePack, ListChange, ListEntry, ListEntryId, NewListEntry, NewPack};
pub use recovery::{
    NewRecoveryCodes, NewReset, RECOVERY_CODE, RecoveryCode, RecoveryCodeError, RecoveryCodeId, RecoveryCodeUse,
    RecoveryCodeUsed, RecoveryPurpose, RecoveryStanding, Reset, ResetDone, is_outdated,
};
pub use session::{Begun, NewSession, Refresh, Refreshed, Session, SessionId};
pub use tenant::{ApiKey, ApiKeyId, NewApiKey, NewTenant, Tenant};
pub use terminal::{NewTerminal, RegisterError, RegisteredTerminal, RevokeTerminalError, Site, TerminalChanged};
pub use user::{DeleteUserError, User, UserAttributes, UserFilter};
pub use uses::{NewUse, Use, UseKind};

/// The number of an audit entry: gap-free, from 0, in commit order.
pub type Seq = u64;
