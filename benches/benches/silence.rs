//! Whether a poll without the right device code tells by its time that there is such a challenge (T-19): known and unknown ids,
//! asked for in turns over one connection in an order of chance, with the same wrong code. Beside them, so that it is known
//! what the measure would notice, the known ids with their right codes.
//!
//! `STEPUP_POLLS=50000` for the long form. What is compared is the faster nine tenths of each: the rest is the machine's.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use benches::dice::Dice;
use benches::kiosk::{self, TENANT};
use benches::wire::Http;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Challenges that are known, and as many that are not.
const CHALLENGES: u64 = 64;
const KINDS: [&str; 3] = ["known id, wrong code", "unknown id, wrong code", "known id, right code"];

/// What each kind of poll took, in microseconds.
async fn measured(server: SocketAddr, polls: usize) -> [Vec<f64>; 3] {
    let mut http = Http::connect(server).await;
    let screen = format!("Basic {}", STANDARD.encode(format!("{TENANT}:")));
    let mut dice = Dice(19);
    let (mut known, mut codes) = (Vec::new(), Vec::new());
    for _ in 0..CHALLENGES {
        let made = http.post("/v1/client/challenge/qr-code", &screen, &json!({"action": "kiosk-login"})).await;
        known.push(made["challengeId"].clone());
        codes.push(made["deviceCode"].clone());
    }
    // Ids of the same form that nobody has.
    let unknown: Vec<Value> = (0..CHALLENGES)
        .map(|_| {
            let (high, low) = (dice.roll(), dice.roll());
            let part = |shift: u32, bits: u64| (high >> shift) & bits;
            let id = format!(
                "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                part(32, 0xffff_ffff),
                part(16, 0xffff),
                part(0, 0xfff),
                low >> 52,
                low & 0xffff_ffff_ffff
            );
            json!(id)
        })
        .collect();
    let wrong = json!("A".repeat(43));
    let mut took = [Vec::new(), Vec::new(), Vec::new()];
    // The first are not counted: connection, caches and branches warm up.
    for poll in 0..3 * (polls + polls / 10) {
        let kind = dice.below(3) as usize;
        let which = dice.below(CHALLENGES) as usize;
        let (id, code) = match kind {
            0 => (&known[which], &wrong),
            1 => (&unknown[which], &wrong),
            _ => (&known[which], &codes[which]),
        };
        let body = json!({"challengeId": id, "deviceCode": code});
        let started = Instant::now();
        let answer = http.ask("/v1/client/verify/qr-code", &screen, &body).await;
        let elapsed = started.elapsed();
        let status: &[u8] = if kind == 2 { b"HTTP/1.1 200" } else { b"HTTP/1.1 404" };
        assert!(answer.starts_with(status), "{}", String::from_utf8_lossy(&answer));
        if poll >= 3 * polls / 10 {
            took[kind].push(micros(elapsed));
        }
    }
    took
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The faster nine tenths, in order.
fn cropped(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_unstable_by(f64::total_cmp);
    times.truncate(times.len() * 9 / 10);
    times
}

/// What `share` of a hundred of all were faster than.
fn at(share: usize, cropped: &[f64]) -> f64 {
    cropped[(cropped.len() - 1) * share / 90]
}

/// Mean, and variance of the mean.
fn mean(times: &[f64]) -> (f64, f64) {
    let n = times.len() as f64;
    let mean = times.iter().sum::<f64>() / n;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, variance / n)
}

/// Welch's t.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let ((a, a_of_mean), (b, b_of_mean)) = (mean(one), mean(other));
    (a - b) / (a_of_mean + b_of_mean).sqrt()
}

fn main() {
    let asked = std::env::var("STEPUP_POLLS").ok().and_then(|polls| polls.parse().ok());
    let short = std::env::args().any(|word| word == "--test");
    let polls = asked.unwrap_or(if short { 100 } else { 10_000 });
    let runtime = Runtime::new().expect("a runtime starts");
    let data = tempfile::tempdir().expect("a temporary folder");
    let took = runtime.block_on(async {
        let server = kiosk::serve(data.path()).await.expect("stepup starts");
        measured(server, polls).await
    });
    let took = took.map(cropped);
    println!("{:<26}{:>8}{:>10}{:>10}{:>10}", "", "polls", "p10", "median", "mean");
    for (kind, times) in KINDS.into_iter().zip(&took) {
        let (p10, median, mean) = (at(10, times), at(50, times), mean(times).0);
        println!("{kind:<26}{:>8}{p10:>7.1} µs{median:>7.1} µs{mean:>7.1} µs", times.len());
    }
    let [known, unknown, right] = &took;
    for (name, one) in [("known beside unknown", known), ("right code beside unknown", right)] {
        let ratio = at(50, one) / at(50, unknown);
        println!("{name:<26} ratio of medians {ratio:.4}, Welch t {:.2}", welch(one, unknown));
    }
}
