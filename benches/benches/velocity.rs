//! Four exact windows by one key, updated and asked for every event: count over 1 h and 24 h, sum over 24 h, distinct
//! addresses over 24 h. 20,000 keys, the first far busier than the last; 200,000 events over 48 hours.
//!
//! Beside it, the least that any exact store must do: one ring of events per key with running totals, which knows no
//! late events, filters, statuses, retries, quotas or bounds on memory. Both must give the same answers.

use std::{
    collections::{HashMap, VecDeque},
    hint::black_box,
    sync::Arc,
};

use benches::workload::Dice;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engine::{
    history::{
        History, HistoryPlan, Limits, Observation, Observed, Snapshot,
        plan::{Bound, EventKind, Function, Unit, Window, WindowSpec},
    },
    maybe::{Maybe, Why},
    money::Money,
    status::Status,
    value::{Currency, Value},
};
use jiff::Timestamp;

const EVENTS: u64 = 200_000;
const HOUR_MS: i64 = 3_600_000;
/// The constants the four results are compared with.
const COUNT_1H: i128 = 10;
const COUNT_24H: i128 = 50;
const SUM_24H: i128 = 20_000_000;
const DISTINCT_24H: i128 = 10;

#[derive(Clone, Copy)]
struct Withdrawal {
    key: u32,
    at_ms: i64,
    address: u32,
    cents: i64,
}

fn workload() -> Vec<Withdrawal> {
    let mut dice = Dice(42);
    let uniform = |dice: &mut Dice| (dice.roll() >> 11) as f64 / (1_u64 << 53) as f64;
    let events = (0..EVENTS).map(|n| {
        let skewed = uniform(&mut dice).powi(2);
        let key = (20_000.0 * skewed) as u32;
        let address = key.wrapping_mul(31) + (dice.roll() % 6) as u32;
        let at_ms = 100_000_000 + (n * 172_800_000 / EVENTS) as i64;
        Withdrawal { key, at_ms, address, cents: 100 + (dice.roll() % 500_000) as i64 }
    });
    events.collect()
}

fn plan() -> Arc<HistoryPlan> {
    let mut plan = HistoryPlan::default();
    let action = plan.intern_action("withdrawal").expect("room for one");
    let [user, amount, address] = ["user", "amount", "ip"].map(|path| plan.intern_field(path).expect("room for three"));
    let mut over = |hours: i64, function, unit, bound| {
        plan.intern_window(WindowSpec {
            event: EventKind::Action(action),
            filter: None,
            keys: vec![user],
            function,
            distinct: false,
            unit,
            window: Window::Sliding(hours * HOUR_MS),
            including_this: true,
            bound: Bound::AtMost(bound),
        });
    };
    over(1, Function::Count, Unit::Int, COUNT_1H);
    over(24, Function::Count, Unit::Int, COUNT_24H);
    over(24, Function::Sum(amount), Unit::Money(None), SUM_24H);
    over(24, Function::CountDistinct(address), Unit::Int, DISTINCT_24H);
    Arc::new(plan)
}

fn observations(workload: &[Withdrawal]) -> Vec<Observation> {
    let euro = Currency::parse("EUR").expect("a currency");
    let observation = |(seq, event): (usize, &Withdrawal)| {
        let user: Arc<str> = format!("user-{}", event.key).into();
        let time = Timestamp::from_millisecond(event.at_ms).expect("in range");
        let amount = Money { minor: i128::from(event.cents), currency: euro };
        Observation {
            seq: seq as u64 + 1,
            time,
            future: false,
            kind: EventKind::Action(engine::history::plan::EventId(0)),
            user: user.clone(),
            status: Status::Allowed,
            fields: vec![
                Maybe::Known(Value::User(user)),
                Maybe::Known(Value::Money(amount)),
                Maybe::Known(Value::Ip(std::net::Ipv4Addr::from(event.address).into())),
            ],
            filters: Vec::new(),
            zones: Vec::new(),
            snapshot: Snapshot { device: Maybe::Unknown(Why::Absent), ..Snapshot::at(time) },
            reference: format!("w{seq}").into(),
        }
    };
    workload.iter().enumerate().map(observation).collect()
}

/// The least that must be done.
#[derive(Default)]
struct Ring {
    events: VecDeque<(i64, u32, i64)>,
    before_hour: usize,
    sum: i64,
    addresses: Vec<(u32, u32)>,
}

impl Ring {
    fn observe(&mut self, event: &Withdrawal) -> [i128; 4] {
        while let Some((_, address, cents)) = self.events.pop_front_if(|(at, ..)| *at + 24 * HOUR_MS <= event.at_ms) {
            self.sum -= cents;
            self.before_hour = self.before_hour.saturating_sub(1);
            if let Some(place) = self.addresses.iter().position(|(other, _)| *other == address) {
                self.addresses[place].1 -= 1;
                if self.addresses[place].1 == 0 {
                    self.addresses.swap_remove(place);
                }
            }
        }
        self.events.push_back((event.at_ms, event.address, event.cents));
        self.sum += event.cents;
        match self.addresses.iter_mut().find(|(other, _)| *other == event.address) {
            Some((_, times)) => *times += 1,
            None => self.addresses.push((event.address, 1)),
        }
        while self.events[self.before_hour].0 + HOUR_MS <= event.at_ms {
            self.before_hour += 1;
        }
        let in_hour = self.events.len() - self.before_hour;
        [in_hour as i128, self.events.len() as i128, i128::from(self.sum), self.addresses.len() as i128]
    }
}

/// Beyond its threshold a result says no more than that.
fn capped(results: [i128; 4]) -> [i128; 4] {
    let [hour, day, sum, distinct] = results;
    [hour.min(COUNT_1H + 1), day.min(COUNT_24H + 1), sum.min(SUM_24H + 1), distinct.min(DISTINCT_24H + 1)]
}

fn results(observed: &Observed) -> [i128; 4] {
    let least = |slot: usize| match observed.windows[slot].known().and_then(|answer| answer.lo.as_ref()) {
        Some(Value::Int(count)) => i128::from(*count),
        Some(Value::Money(money)) => money.minor,
        other => panic!("the workload has no unknowns: {other:?}"),
    };
    [least(0), least(1), least(2), least(3)]
}

fn velocity(criterion: &mut Criterion) {
    let workload = workload();
    let observations = observations(&workload);
    let mut history = History::new(plan(), Limits::default());
    let mut rings: HashMap<u32, Ring> = HashMap::new();
    for (event, observation) in workload.iter().zip(&observations) {
        let expected = capped(rings.entry(event.key).or_default().observe(event));
        assert_eq!(results(&history.observe(observation)), expected, "both stores agree on every event");
    }

    let mut group = criterion.benchmark_group("velocity");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    group.bench_function("bare ring per key", |bench| {
        bench.iter_batched(
            HashMap::<u32, Ring>::new,
            |mut rings| {
                for event in &workload {
                    black_box(rings.entry(event.key).or_default().observe(event));
                }
                rings
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("history: four windows, update and ask", |bench| {
        bench.iter_batched(
            || History::new(plan(), Limits::default()),
            |mut history| {
                for observation in &observations {
                    black_box(history.observe(observation));
                }
                history
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, velocity);
criterion_main!(benches);
