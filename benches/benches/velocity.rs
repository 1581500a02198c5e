//! Four exact windows by one key, updated and asked for every event: count over 1 h and 24 h, sum over 24 h, distinct
//! addresses over 24 h. 100,000 keys, the first far busier than the last; 1,000,000 events over 48 hours.
//!
//! Beside it, in the same run and with the same answers: the least that any exact store must do (one ring of events per
//! key with running totals, which knows no late events, filters, statuses, retries, quotas or bounds on memory), and
//! Redis with sorted sets, its server's CPU time counted. `cargo bench --bench velocity`; `-- --test` is the short form.

use std::{
    collections::VecDeque,
    hint::black_box,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use benches::{
    cpu::{self, Runs},
    dice::Dice,
};
use engine::{
    history::{
        History, HistoryPlan, Limits, Observation, Observed, Snapshot,
        plan::{Bound, EventId, EventKind, Function, Unit, Window, WindowSpec},
    },
    maybe::Maybe,
    money::Money,
    status::Status,
    value::{Currency, Value},
};
use hashbrown::HashMap;
use jiff::Timestamp;

const KEYS: f64 = 100_000.0;
const HOUR: u32 = 3_600;
const DAY: u32 = 86_400;
/// Events are built, and then handled, so many at a time: in a server an event is fresh when history meets it.
const BATCH: usize = 1_000;
/// Events that Redis gets one by one, since a round trip for each takes its time.
const ONE_BY_ONE: usize = 60_000;

#[derive(Clone, Copy)]
struct Withdrawal {
    key: u32,
    at: u32,
    address: u32,
    cents: i64,
}

fn workload(events: usize) -> Vec<Withdrawal> {
    let mut dice = Dice(42);
    let withdrawal = |n: usize| {
        let skewed = dice.unit().powi(2);
        let key = (KEYS * skewed) as u32;
        let at = 100_000 + (n as u64 * 172_800 / events as u64) as u32;
        let address = key.wrapping_mul(31) + dice.below(6) as u32;
        Withdrawal { key, at, address, cents: 100 + dice.below(500_000) as i64 }
    };
    (0..events).map(withdrawal).collect()
}

/// The results for one event: events in an hour and in a day, their sum in cents, distinct addresses.
type Results = [u64; 4];

/// One number for all results, in any order of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest(u64);

impl Digest {
    fn add(&mut self, [hour, day, sum, distinct]: Results) {
        let mix = |a: u64, b: u64| {
            (a ^ b.wrapping_mul(0x9E37_79B9_7F4A_7C15)).rotate_left(23).wrapping_mul(0xBF58_476D_1CE4_E5B9)
        };
        self.0 = self.0.wrapping_add(mix(mix(hour, day), mix(sum, distinct)));
    }
}

/// The least that must be done.
#[derive(Default)]
struct Ring {
    events: VecDeque<(u32, u32, i64)>,
    before_hour: usize,
    sum: i64,
    addresses: Vec<(u32, u32)>,
}

impl Ring {
    fn observe(&mut self, event: &Withdrawal) -> Results {
        while let Some((_, address, cents)) = self.events.pop_front_if(|(at, ..)| *at + DAY <= event.at) {
            self.sum -= cents;
            self.before_hour = self.before_hour.saturating_sub(1);
            if let Some(place) = self.addresses.iter().position(|(other, _)| *other == address) {
                self.addresses[place].1 -= 1;
                if self.addresses[place].1 == 0 {
                    self.addresses.swap_remove(place);
                }
            }
        }
        self.events.push_back((event.at, event.address, event.cents));
        self.sum += event.cents;
        match self.addresses.iter_mut().find(|(other, _)| *other == event.address) {
            Some((_, times)) => *times += 1,
            None => self.addresses.push((event.address, 1)),
        }
        while self.events[self.before_hour].0 + HOUR <= event.at {
            self.before_hour += 1;
        }
        let in_hour = self.events.len() - self.before_hour;
        [in_hour as u64, self.events.len() as u64, self.sum as u64, self.addresses.len() as u64]
    }
}

fn rings(workload: &[Withdrawal]) -> (Duration, Digest) {
    let mut rings: HashMap<u32, Ring> = HashMap::new();
    let (mut spent, mut digest) = (Duration::ZERO, Digest::default());
    for batch in workload.chunks(BATCH) {
        let observe = || batch.iter().for_each(|event| digest.add(rings.entry(event.key).or_default().observe(event)));
        spent += cpu::spent(observe).1;
    }
    (spent, digest)
}

/// The constants that the four results are compared with.
struct Thresholds([i128; 4]);

/// What every exact store answers to the whole workload. The prototype that set the goals answered the same.
const EXPECTED: Digest = Digest(0x3a33_f3b1_5845_9126);

/// No result of the workload goes beyond these: every answer is one number.
const OUT_OF_REACH: Thresholds = Thresholds([4_000, 4_000, 1_000_000_000_000, 64]);
/// As rules have them: beyond, an answer says no more than that.
const USUAL: Thresholds = Thresholds([10, 50, 20_000_000, 10]);

fn plan(Thresholds([hour, day, sum, distinct]): &Thresholds) -> Arc<HistoryPlan> {
    let mut plan = HistoryPlan::default();
    let action = plan.intern_action("withdrawal").expect("room for one");
    let [user, amount, address] = ["user", "amount", "ip"].map(|path| plan.intern_field(path).expect("room for three"));
    let mut over = |hours: u32, function, unit, bound| {
        plan.intern_window(WindowSpec {
            event: EventKind::Action(action),
            filter: None,
            keys: vec![user],
            function,
            distinct: false,
            unit,
            window: Window::Sliding(i64::from(hours * HOUR) * 1_000),
            including_this: true,
            bound: Bound::AtMost(bound),
        });
    };
    over(1, Function::Count, Unit::Int, *hour);
    over(24, Function::Count, Unit::Int, *day);
    over(24, Function::Sum(amount), Unit::Money(None), *sum);
    over(24, Function::CountDistinct(address), Unit::Int, *distinct);
    Arc::new(plan)
}

/// The event as the evaluator hands it to history: its values are decoded, its keys neither written nor hashed yet.
fn observation(seq: usize, event: &Withdrawal, euro: Currency) -> Observation {
    let user: Arc<str> = format!("user-{}", event.key).into();
    let time = Timestamp::from_second(i64::from(event.at)).expect("in range");
    Observation {
        seq: seq as u64 + 1,
        time,
        future: false,
        kind: EventKind::Action(EventId(0)),
        user: user.clone(),
        status: Status::Allowed,
        fields: vec![
            Maybe::Known(Value::User(user)),
            Maybe::Known(Value::Money(Money { minor: i128::from(event.cents), currency: euro })),
            Maybe::Known(Value::Ip(std::net::Ipv4Addr::from(event.address).into())),
        ],
        filters: Vec::new(),
        zones: Vec::new(),
        snapshot: Snapshot::at(time),
        reference: format!("withdrawal-{seq}").into(),
    }
}

fn results(observed: &Observed) -> Results {
    let least = |slot: usize| match observed.windows[slot].known().and_then(|answer| answer.lo.as_ref()) {
        Some(Value::Int(count)) => *count as u64,
        Some(Value::Money(money)) => money.minor as u64,
        other => panic!("the workload has no unknowns: {other:?}"),
    };
    [least(0), least(1), least(2), least(3)]
}

/// The whole workload, with so many events handed in at a time.
fn history(workload: &[Withdrawal], thresholds: &Thresholds, together: usize) -> (Duration, Digest) {
    let limits = Limits { entries: 4_096, ..Limits::default() };
    let mut history = History::new(plan(thresholds), limits);
    let euro = Currency::parse("EUR").expect("a currency");
    let (mut spent, mut digest) = (Duration::ZERO, Digest::default());
    for (batch, events) in workload.chunks(BATCH).enumerate() {
        let fresh = events.iter().enumerate().map(|(n, event)| observation(batch * BATCH + n, event, euro));
        let fresh: Vec<Observation> = fresh.collect();
        let one_by_one = |event| digest.add(results(black_box(&history.observe(event))));
        spent += if together == 1 {
            cpu::spent(|| fresh.iter().for_each(one_by_one)).1
        } else {
            let mut take = |_: &Observation, observed: &Observed| digest.add(results(black_box(observed)));
            cpu::spent(|| fresh.chunks(together).for_each(|events| history.observe_all(events, &mut take))).1
        };
    }
    (spent, digest)
}

/// A Redis server of our own: on a socket in a folder that is removed with it, with nothing written to disk.
struct Redis {
    server: Child,
    connection: redis::Connection,
    _folder: tempfile::TempDir,
}

impl Redis {
    /// `None` if Redis is not installed.
    fn start() -> Option<Redis> {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("redis.sock");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]).arg(&socket);
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let server = command.spawn().ok()?;
        let client = redis::Client::open(format!("redis+unix://{}", socket.display())).expect("an address");
        let connection = (0..500).find_map(|_| {
            std::thread::sleep(Duration::from_millis(20));
            client.get_connection().ok()
        });
        let Some(connection) = connection else { panic!("redis-server was started and does not answer") };
        Some(Redis { server, connection, _folder: folder })
    }

    /// The CPU time the server has used.
    fn used(&mut self) -> Duration {
        let info: String = redis::cmd("INFO").arg("cpu").query(&mut self.connection).expect("Redis answers");
        let seconds = |name: &str| -> f64 {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|value| value.trim().parse().ok()).expect("Redis says what it has used")
        };
        Duration::from_secs_f64(seconds("used_cpu_sys") + seconds("used_cpu_user"))
    }

    /// The four windows, `batch` events a round trip: what client and server spent, and the digest.
    fn observe(&mut self, workload: &[Withdrawal], batch: usize) -> (Duration, Duration, Digest) {
        redis::cmd("FLUSHALL").exec(&mut self.connection).expect("Redis answers");
        let before = self.used();
        let mut digest = Digest::default();
        let observe = || {
            for (number, events) in workload.chunks(batch).enumerate() {
                let mut pipeline = redis::pipe();
                for (n, event) in events.iter().enumerate() {
                    ask(&mut pipeline, event, number * batch + n);
                }
                let answers: Vec<redis::Value> = pipeline.query(&mut self.connection).expect("Redis answers");
                answers.chunks(3).for_each(|answer| digest.add(answered(answer)));
            }
        };
        let client = cpu::spent(observe).1;
        (client, self.used() - before, digest)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have gone already: there is nothing left to stop then.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Adds the event to its two sets, drops what has left them, and asks.
fn ask(pipeline: &mut redis::Pipeline, event: &Withdrawal, id: usize) {
    let (events, addresses) = (format!("e{}", event.key), format!("i{}", event.key));
    let day_ago = event.at - DAY;
    pipeline.cmd("ZADD").arg(&events).arg(event.at).arg(format!("{id}:{}", event.cents)).ignore();
    pipeline.cmd("ZREMRANGEBYSCORE").arg(&events).arg("-inf").arg(day_ago).ignore();
    pipeline.cmd("ZCOUNT").arg(&events).arg(format!("({}", event.at - HOUR)).arg("+inf");
    pipeline.cmd("ZRANGE").arg(&events).arg(0).arg(-1);
    pipeline.cmd("ZADD").arg(&addresses).arg(event.at).arg(event.address).ignore();
    pipeline.cmd("ZREMRANGEBYSCORE").arg(&addresses).arg("-inf").arg(day_ago).ignore();
    pipeline.cmd("ZCARD").arg(&addresses);
}

fn answered(answer: &[redis::Value]) -> Results {
    let [redis::Value::Int(hour), redis::Value::Array(events), redis::Value::Int(distinct)] = answer else {
        panic!("two numbers and a list: {answer:?}")
    };
    let cents = |event: &redis::Value| -> u64 {
        let redis::Value::BulkString(event) = event else { panic!("a text: {event:?}") };
        let text = std::str::from_utf8(event).expect("as it was written");
        text.split(':').nth(1).and_then(|cents| cents.parse().ok()).expect("as it was written")
    };
    [*hour as u64, events.len() as u64, events.iter().map(cents).sum(), *distinct as u64]
}

/// One line of the table.
struct Line {
    store: &'static str,
    events: usize,
    nanoseconds: f64,
    note: String,
}

fn main() {
    let only: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if !only.is_empty() && !only.iter().any(|wanted| "velocity".contains(wanted.as_str())) {
        return;
    }
    let (events, runs) = if cpu::short() { (10_000, 1) } else { (1_000_000, 5) };
    let workload = workload(events);
    let expected = rings(&workload).1;
    if !cpu::short() {
        assert_eq!(expected, EXPECTED, "the workload is the one the goals were set with");
    }
    let measure = |store: &'static str, one: &dyn Fn() -> Duration| {
        let runs = Runs::of(runs, one);
        Line { store, events, nanoseconds: runs.nanoseconds_each(events), note: format!("± {:.0} %", runs.spread()) }
    };
    let exact = |together: usize| {
        let (spent, digest) = history(&workload, &OUT_OF_REACH, together);
        assert_eq!(digest, expected, "the windows give the answers of the ring");
        spent
    };
    let ours = measure("history, event by event, every answer exact", &|| exact(1));
    let mut lines = vec![
        measure("history, 100 events at a time", &|| exact(100)),
        measure("history, event by event, thresholds as rules have them", &|| history(&workload, &USUAL, 1).0),
        measure("a bare ring per key", &|| rings(&workload).0),
    ];
    match Redis::start() {
        Some(mut redis) => {
            for (store, batch, events) in [
                ("Redis, 100 events a round trip", 100, events),
                ("Redis, a round trip for each event", 1, events.min(ONE_BY_ONE)),
            ] {
                let (client, server, digest) = redis.observe(&workload[..events], batch);
                assert_eq!(digest, rings(&workload[..events]).1, "{store}: the answers of the ring");
                let nanoseconds = (client + server).as_nanos() as f64 / events as f64;
                let note = format!("of which the server {:.1} µs", server.as_nanos() as f64 / events as f64 / 1e3);
                lines.push(Line { store, events, nanoseconds, note });
            }
        }
        None => eprintln!("\nREDIS IS NOT INSTALLED: nothing is claimed about it in this run (Debian: redis-server)\n"),
    }
    if cpu::short() {
        println!("velocity: {} stores agree on every answer to {events} events ({expected:?})", lines.len());
        return;
    }
    println!("\n| store | events | CPU µs, update and ask | × ours | |\n|---|--:|--:|--:|---|");
    lines.insert(0, ours);
    let ours = lines.first().map_or(1.0, |line| line.nanoseconds);
    for Line { store, events, nanoseconds, note } in &lines {
        println!("| {store} | {events} | {:.3} | {:.2} | {note} |", nanoseconds / 1e3, nanoseconds / ours);
    }
    println!("\nAll give the same answers: {expected:?}.");
}
