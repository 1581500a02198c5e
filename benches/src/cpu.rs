//! CPU time instead of wall time: what the work costs, whatever else runs on the machine.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The CPU time this thread has used since it began. Reading it is a system call: time a thousand things at once.
pub fn now() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec.try_into().unwrap_or_default(), used.tv_nsec.try_into().unwrap_or_default())
}

/// What the work gives, and the CPU time this thread spent on it.
pub fn spent<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = now();
    let made = work();
    (made, now() - began)
}

/// Several measurements of one thing.
#[derive(Clone, Debug)]
pub struct Runs(Vec<Duration>);

impl Runs {
    /// Measures so many times, once at least.
    pub fn of(times: usize, mut measure: impl FnMut() -> Duration) -> Runs {
        let mut runs: Vec<Duration> = (0..times.max(1)).map(|_| measure()).collect();
        runs.sort();
        Runs(runs)
    }

    /// The middle one.
    pub fn median(&self) -> Duration {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    /// The median's share of each of `parts` equal pieces of work, in nanoseconds.
    pub fn nanoseconds_each(&self, parts: usize) -> f64 {
        self.median().as_nanos() as f64 / parts.max(1) as f64
    }

    /// How far the slowest and the fastest lie apart, in per cent of the median.
    pub fn spread(&self) -> f64 {
        let (least, most) = (self.0.first().copied(), self.0.last().copied());
        let apart = most.unwrap_or_default() - least.unwrap_or_default();
        100.0 * apart.as_secs_f64() / self.median().as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Whether this is the short form, `cargo bench … -- --test`: everything is done once and checked, nothing is claimed.
pub fn short() -> bool {
    std::env::args().any(|argument| argument == "--test")
}
