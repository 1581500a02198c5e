//! Where the server gets the time. The pure crates are told the time; this is who tells them.

use std::sync::{Arc, Mutex, PoisonError};
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

/// Up to here a wall clock that was set back is waited for; further back, it was set wrong before or is now.
const SLACK: SignedDuration = SignedDuration::from_secs(5);

/// A wall clock that never goes back by itself: set back a little, it stands still until it is where it was; set back further,
/// it goes on as if nothing had happened until somebody who has seen to what was open says [`Steady::follow`].
pub struct Steady {
    clock: Arc<dyn Clock>,
    /// The latest time that was told, and when that was.
    told: Mutex<(Timestamp, Duration)>,
}

impl Steady {
    /// Goes on from `last`, the latest time that is known to have been.
    pub fn since(last: Timestamp, clock: Arc<dyn Clock>) -> Steady {
        let told = Mutex::new((last, clock.elapsed()));
        Steady { clock, told }
    }

    /// The wall clock's time, unless it was set back.
    pub fn now(&self) -> Timestamp {
        let mut told = self.lock();
        let (wall, elapsed) = (self.clock.now(), self.clock.elapsed());
        let passed = SignedDuration::try_from(elapsed.saturating_sub(told.1)).unwrap_or(SignedDuration::MAX);
        let due = told.0.checked_add(passed).unwrap_or(told.0);
        if due.duration_since(wall) > SLACK {
            return due;
        }
        *told = (wall.max(told.0), elapsed);
        told.0
    }

    /// Whether the wall clock was set back so far that it is not waited for.
    pub fn is_set_back(&self) -> bool {
        let wall = self.clock.now();
        self.now().duration_since(wall) > SLACK
    }

    /// Says from now on what the wall clock says.
    pub fn follow(&self) {
        *self.lock() = (self.clock.now(), self.clock.elapsed());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Timestamp, Duration)> {
        // A panic elsewhere cannot leave a pair of plain numbers half written.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        Steady::now(self)
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back_until_it_is_followed() {
        let at = |second: i64| Timestamp::from_second(second).expect("a time");
        let manual = Arc::new(ManualClock::at(at(1_000)));
        let clock = Steady::since(at(900), manual.clone());
        assert_eq!(clock.now(), at(1_000));
        // A little back: it waits.
        manual.set(at(997));
        assert_eq!((clock.now(), clock.is_set_back()), (at(1_000), false));
        manual.advance(Duration::from_secs(4));
        assert_eq!(clock.now(), at(1_001));
        // Far back: it goes on, also over what nobody looked at.
        manual.advance(Duration::from_secs(100));
        manual.set(at(500));
        assert_eq!((clock.now(), clock.is_set_back()), (at(1_101), true));
        manual.advance(Duration::from_secs(7));
        assert_eq!(clock.now(), at(1_108));
        clock.follow();
        assert_eq!((clock.now(), clock.is_set_back()), (at(507), false));
        // Forward it is followed at once.
        manual.set(at(9_000));
        assert_eq!((clock.now(), clock.is_set_back()), (at(9_000), false));
        // What is known to have been before counts.
        assert!(Steady::since(at(9_100), manual).is_set_back());
    }
}
