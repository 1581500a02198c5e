//! Where the server gets the time. The pure crates are told the time; this is who tells them.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// The seam between the server and the passing of time.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock: what is written into decisions, tokens and the audit log.
    fn now(&self) -> Timestamp;
    /// Time since the clock was made; never goes back, so limits cannot be reset by setting the wall clock.
    fn elapsed(&self) -> Duration;
}

/// ISO 8601 with milliseconds and `Z`, as JavaScript prints dates.
pub fn whole_milliseconds(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The machine's clock.
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose `elapsed` counts from now.
    pub fn new() -> SystemClock {
        SystemClock { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that moves only when told to: for tests, simulations and replays.
pub struct ManualClock {
    state: Mutex<(Timestamp, Duration)>,
}

impl ManualClock {
    /// A clock standing at `start`.
    pub fn at(start: Timestamp) -> ManualClock {
        ManualClock { state: Mutex::new((start, Duration::ZERO)) }
    }

    /// Moves both faces of the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.0 = state.0.checked_add(SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX)).unwrap_or(state.0);
        state.1 = state.1.saturating_add(by);
    }

    /// Sets the wall clock, also backwards; `elapsed` moves only if time went forward.
    pub fn set(&self, now: Timestamp) {
        let mut state = self.lock();
        let forward = Duration::try_from(now.duration_since(state.0)).unwrap_or(Duration::ZERO);
        *state = (now, state.1.saturating_add(forward));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Timestamp, Duration)> {
        // A panic elsewhere cannot leave a pair of plain numbers half written.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().0
    }

    fn elapsed(&self) -> Duration {
        self.lock().1
    }
}
