use std::future::Future;

use super::model::*;
use super::{Store, StoreError};
use crate::audit::Checkpoint;

/// What a database does for a challenge while others are at it: the part of [`Store`] of which the races hold every database
/// to its promises (`server/tests/store/claims.rs`). A second one implements this first, and joins them.
///
/// Each verb that writes is one transaction with its audit entry, and is durable when it returns. Of steps that exclude each
/// other, whoever takes them and wherever, exactly one succeeds.
pub trait Challenges: Clone + Send + Sync + 'static {
    /// See [`Store::enrol`].
    fn enrol(&self, new: NewCredential) -> impl Future<Output = Result<Enrolled, EnrolError>> + Send;
    /// See [`Store::record_decision`].
    fn record_decision(&self, new: NewDecision) -> impl Future<Output = Result<Recorded, RecordError>> + Send;
    /// See [`Store::create_challenge`].
    fn create_challenge(
        &self,
        new: NewChallenge,
    ) -> impl Future<Output = Result<RecordedChallenge, CreateError>> + Send;
    /// See [`Store::transition`].
    fn transition(
        &self,
        request: TransitionRequest,
    ) -> impl Future<Output = Result<Transitioned, TransitionError>> + Send;
    /// See [`Store::challenge`].
    fn challenge(
        &self,
        tenant: &TenantId,
        id: ChallengeId,
    ) -> impl Future<Output = Result<Option<StoredChallenge>, StoreError>> + Send;
    /// See [`Store::log_head`].
    fn log_head(&self) -> impl Future<Output = Result<Checkpoint, StoreError>> + Send;
}

impl Challenges for Store {
    async fn enrol(&self, new: NewCredential) -> Result<Enrolled, EnrolError> {
        Store::enrol(self, new).await
    }

    async fn record_decision(&self, new: NewDecision) -> Result<Recorded, RecordError> {
        Store::record_decision(self, new).await
    }

    async fn create_challenge(&self, new: NewChallenge) -> Result<RecordedChallenge, CreateError> {
        Store::create_challenge(self, new).await
    }

    async fn transition(&self, request: TransitionRequest) -> Result<Transitioned, TransitionError> {
        Store::transition(self, request).await
    }

    async fn challenge(&self, tenant: &TenantId, id: ChallengeId) -> Result<Option<StoredChallenge>, StoreError> {
        Store::challenge(self, tenant, id).await
    }

    async fn log_head(&self) -> Result<Checkpoint, StoreError> {
        Store::log_head(self).await
    }
}
