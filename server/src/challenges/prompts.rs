//! How often a user may be asked (T-16): people approve to be left alone, so a flood of requests is an attack.
//!
//! Counted in memory and per node, and rebuilt at start from the challenges in the store. What is counted is the asking, never
//! the tracking: a decision is always recorded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::header;
use challenge::state::{LONGEST_LIFE, Rejection, State, Subject};
use challenge::{ChallengeId, TenantId, UserId};
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;

use crate::error::{ApiError, Problem};
use crate::store::{LEFT_ALONE, Prompt, Store, StoreError, left_alone_until};

/// Challenges of one user that may be open at a time.
pub const MOST_OPEN: usize = 3;
/// Challenges made for one user within [`WINDOW`].
const MOST_MADE: usize = 5;
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// How long a decline matters: it may be the first of three, of which the third shuts for as long again.
const SULK: SignedDuration = SignedDuration::from_mins(2 * LEFT_ALONE.as_mins());
/// Declines remembered of a user.
const MOST_DECLINED: usize = 12;
/// Users remembered at a time.
const CAPACITY: u64 = 100_000;

/// What each user was asked lately. Cloning shares it.
#[derive(Clone)]
pub struct Prompts {
    users: Cache<(TenantId, UserId), Arc<Mutex<Lately>>>,
}

#[derive(Default)]
struct Lately {
    /// Challenges made, oldest first; one too many is kept so that it is known to be one too many.
    made: VecDeque<(Timestamp, ChallengeId)>,
    declined: VecDeque<Timestamp>,
}

impl Default for Prompts {
    fn default() -> Prompts {
        let idle = Duration::from_secs(SULK.as_secs().unsigned_abs());
        Prompts { users: Cache::builder().max_capacity(CAPACITY).time_to_idle(idle).build() }
    }
}

impl Prompts {
    /// What the store knows of the time that still counts.
    pub async fn remember(store: &Store, now: Timestamp) -> Result<Prompts, StoreError> {
        let prompts = Prompts::default();
        // Who declined within the window may have been asked a whole life of a challenge before.
        let since = now - SULK.max(WINDOW) - LONGEST_LIFE;
        let mut declined = Vec::new();
        for Prompt { challenge, first } in store.prompts_since(since).await? {
            let frozen = challenge.frozen();
            let Subject::Identified(user) = &frozen.subject else { continue };
            if first {
                prompts.made(&frozen.tenant, user, challenge.id(), frozen.created_at);
            }
            if let State::Rejected { at, reason: Rejection::Declined, .. } = challenge.state() {
                declined.push((*at, frozen.tenant.clone(), user.clone()));
            }
        }
        // The oldest first, as if each had just been said.
        declined.sort_by_key(|(at, ..)| *at);
        for (at, tenant, user) in declined {
            prompts.declined(&tenant, &user, at);
        }
        Ok(prompts)
    }

    /// A challenge was made for the user; a refreshed QR is the same request and is not counted again.
    pub fn made(&self, tenant: &TenantId, user: &UserId, challenge: ChallengeId, now: Timestamp) {
        self.with(tenant, user, |lately| {
            forget(&mut lately.made, now, WINDOW, |(at, _)| *at);
            if lately.made.len() < 4 * MOST_MADE {
                lately.made.push_back((now, challenge));
            }
        });
    }

    /// The user said no.
    pub fn declined(&self, tenant: &TenantId, user: &UserId, now: Timestamp) {
        self.with(tenant, user, |lately| {
            forget(&mut lately.declined, now, SULK, |at| *at);
            if lately.declined.len() == MOST_DECLINED {
                lately.declined.pop_front();
            }
            lately.declined.push_back(now);
        });
    }

    /// Whether the user may be shown this challenge, given how many others of theirs are open.
    pub fn admit(
        &self,
        tenant: &TenantId,
        user: &UserId,
        challenge: Option<ChallengeId>,
        others_open: usize,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        if others_open >= MOST_OPEN {
            let detail = format!("the user has {MOST_OPEN} open challenges already; finish or wait for one");
            return Err(refusal(detail, SignedDuration::from_secs(60)));
        }
        self.with(tenant, user, |lately| {
            if let Some(until) = left_alone_until(lately.declined.make_contiguous()).filter(|until| now < *until) {
                let wait = until.duration_since(now);
                return Err(refusal("the user declined too often and is left alone for a while".to_owned(), wait));
            }
            forget(&mut lately.made, now, WINDOW, |(at, _)| *at);
            let place = lately.made.iter().position(|(_, made)| Some(*made) == challenge).unwrap_or(lately.made.len());
            match (place >= MOST_MADE, lately.made.get(place.saturating_sub(MOST_MADE))) {
                (true, Some((oldest, _))) => {
                    let wait = WINDOW - now.duration_since(*oldest);
                    Err(refusal(format!("the user was asked {MOST_MADE} times within ten minutes"), wait))
                }
                _ => Ok(()),
            }
        })
    }

    fn with<T>(&self, tenant: &TenantId, user: &UserId, act: impl FnOnce(&mut Lately) -> T) -> T {
        let lately = self.users.get_with((tenant.clone(), user.clone()), Arc::default);
        // Both queues are whole between any two statements above.
        act(&mut lately.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn forget<T>(queue: &mut VecDeque<T>, now: Timestamp, window: SignedDuration, at: impl Fn(&T) -> Timestamp) {
    while queue.front().is_some_and(|first| now.duration_since(at(first)) >= window) {
        queue.pop_front();
    }
}

fn refusal(detail: String, wait: SignedDuration) -> ApiError {
    let wait_s = wait.as_secs().max(1);
    ApiError::new(Problem::TooManyRequests, detail).header(header::RETRY_AFTER, wait_s.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Asked {
        prompts: Prompts,
        tenant: TenantId,
        user: UserId,
        now: Timestamp,
        next: u8,
    }

    impl Asked {
        fn new() -> Asked {
            Asked {
                prompts: Prompts::default(),
                tenant: TenantId::parse("t").expect("an id"),
                user: UserId::parse("u").expect("an id"),
                now: Timestamp::UNIX_EPOCH,
                next: 0,
            }
        }

        fn make(&mut self) -> ChallengeId {
            self.next += 1;
            let id = ChallengeId::from_random([self.next; 16]);
            self.prompts.made(&self.tenant, &self.user, id, self.now);
            id
        }

        fn admits(&self, id: ChallengeId, others_open: usize) -> bool {
            self.prompts.admit(&self.tenant, &self.user, Some(id), others_open, self.now).is_ok()
        }

        fn pass(&mut self, minutes: i64) {
            self.now += SignedDuration::from_mins(minutes);
        }
    }

    #[test]
    fn the_sixth_request_within_ten_minutes_is_refused_and_later_ones_are_not() {
        let mut asked = Asked::new();
        for _ in 0..5 {
            let id = asked.make();
            assert!(asked.admits(id, 0));
            asked.pass(1);
        }
        let sixth = asked.make();
        assert!(!asked.admits(sixth, 0));
        asked.pass(6);
        let seventh = asked.make();
        assert!(asked.admits(seventh, 0));
    }

    #[test]
    fn three_open_challenges_are_enough() {
        let mut asked = Asked::new();
        let id = asked.make();
        assert!(asked.admits(id, 2));
        assert!(!asked.admits(id, 3));
    }

    #[test]
    fn who_declines_three_times_is_left_alone_for_a_quarter_of_an_hour() {
        let mut asked = Asked::new();
        for _ in 0..3 {
            asked.prompts.declined(&asked.tenant, &asked.user, asked.now);
        }
        let id = asked.make();
        assert!(!asked.admits(id, 0));
        asked.pass(15);
        let id = asked.make();
        assert!(asked.admits(id, 0));
    }

    #[test]
    fn the_quarter_of_an_hour_begins_with_the_third_decline() {
        let mut asked = Asked::new();
        for minutes in [7, 7, 14] {
            asked.prompts.declined(&asked.tenant, &asked.user, asked.now);
            asked.pass(minutes);
        }
        let id = asked.make();
        assert!(!asked.admits(id, 0));
        asked.pass(1);
        assert!(asked.admits(id, 0));
    }
}
