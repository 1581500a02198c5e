//! Our rule engine beside its peers, in one process: the same rules, the same events, all matches of each event collected.
//!
//! `cargo run --release -- [--rules 10,100,1000] [--runs 7] [--only stepup,wirefilter] [--test]`
//!
//! Every engine has the event in its own native form and must find exactly the reference's matches (the checksum is
//! over pairs of event and rule), or the run fails. Times are CPU times of this thread. `--test` does everything once
//! with few events and measures nothing.

mod engines;
mod events;
mod rules;

#[path = "../../src/cpu.rs"]
#[allow(dead_code)]
mod cpu;

use std::{hint::black_box, sync::Arc, time::Duration};

use engines::{native, stepup::Stepup};
use events::{Event, Sent, Sets};
use rules::{Lists, Rule};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Fast engines are measured over so many events.
const EVENTS: usize = 10_000;
/// Slow ones over fewer, as many as they get through in this time.
const SLOW_EVENTS: usize = 2_000;
const BUDGET: Duration = Duration::from_millis(250);

/// What every engine is made of.
struct Workload {
    rules: Vec<Rule>,
    lists: Lists,
    sets: Arc<Sets>,
    sent: Vec<Sent>,
    events: Vec<Event>,
    /// The reference's matches, by event.
    matches: Vec<Vec<u32>>,
}

type Engine = Box<dyn FnMut(usize, &mut Vec<u32>)>;

/// An engine's row in the table.
struct Row {
    name: &'static str,
    events: usize,
    nanoseconds: f64,
    spread: f64,
    build: Duration,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned()
    };
    let sizes = value("--rules").unwrap_or_else(|| if cpu::short() { "10,100".into() } else { "10,100,1000".into() });
    let runs = if cpu::short() { 1 } else { value("--runs").map_or(Ok(7), |runs| runs.parse())? };
    let only = value("--only").map(|names| names.split(',').map(str::to_owned).collect::<Vec<_>>());
    for size in sizes.split(',') {
        let workload = workload(size.trim().parse()?);
        let mut rows = Vec::new();
        for name in ["stepup", "plain ifs", "wirefilter", "zen", "cel", "rhai", "cedar"] {
            if only.as_ref().is_some_and(|only| !only.iter().any(|wanted| name.starts_with(wanted.as_str()))) {
                continue;
            }
            let began = cpu::now();
            if let Some(engine) = engine(name, &workload)? {
                rows.push(measure(name, engine, &workload, cpu::now() - began, runs)?);
            }
        }
        print(&workload, &rows);
        if !cpu::short() {
            let pack = engines::stepup::pack(&workload.rules, &workload.lists);
            let compiled = cpu::Runs::of(runs.min(5), || cpu::spent(|| black_box(engine::compile(&pack))).1);
            println!("compiling the pack: {:.1} ms (CPU)", compiled.median().as_secs_f64() * 1e3);
        }
    }
    Ok(())
}

fn workload(count: usize) -> Workload {
    let rules = rules::rules(count);
    let lists = rules::lists();
    let sets = Arc::new(Sets::new(&lists));
    let sent = events::events(if cpu::short() { 500 } else { EVENTS }, &lists);
    let events = events::interned(&sent);
    let matches = events
        .iter()
        .map(|event| {
            let mut out = Vec::new();
            native::interpret(&rules, event, &sets, &mut out);
            out
        })
        .collect();
    Workload { rules, lists, sets, sent, events, matches }
}

/// The engine with this name; none if it was not built in, or cannot take so many rules.
fn engine(name: &str, workload: &Workload) -> anyhow::Result<Option<Engine>> {
    let Workload { rules, lists, sets, sent, events, .. } = workload;
    let slow = sent.get(..SLOW_EVENTS.min(sent.len())).unwrap_or(sent);
    let _ = (slow, lists, sets);
    Ok(Some(match name {
        "stepup" => {
            let engine = Stepup::new(rules, lists, sent)?;
            Box::new(move |event, out| engine.evaluate(event, out))
        }
        "plain ifs" => {
            let Some(ifs) = native::ifs(rules.len()) else { return Ok(None) };
            let (events, sets) = (events.clone(), Arc::clone(sets));
            Box::new(move |event, out| ifs(&events[event], &sets, out))
        }
        #[cfg(feature = "wirefilter")]
        "wirefilter" => {
            let engine = engines::wirefilter::Wirefilter::new(rules, lists, slow)?;
            Box::new(move |event, out| engine.evaluate(event, out))
        }
        #[cfg(feature = "zen")]
        "zen" => {
            let mut engine = engines::zen::Zen::new(rules, lists, sets, slow)?;
            Box::new(move |event, out| engine.evaluate(event, out))
        }
        #[cfg(feature = "cel")]
        "cel" => {
            let engine = engines::cel::Cel::new(rules, lists, sets, slow)?;
            Box::new(move |event, out| engine.evaluate(event, out))
        }
        #[cfg(feature = "rhai")]
        "rhai" => {
            let mut engine = engines::rhai::Rhai::new(rules, lists, sets, slow)?;
            Box::new(move |event, out| engine.evaluate(event, out))
        }
        #[cfg(feature = "cedar")]
        "cedar" => {
            let engine = engines::cedar::Cedar::new(rules, lists, sets, slow)?;
            Box::new(move |event, out| engine.evaluate(event, out))
        }
        _ => return Ok(None),
    }))
}

fn measure(
    name: &'static str,
    mut engine: Engine,
    workload: &Workload,
    build: Duration,
    runs: usize,
) -> anyhow::Result<Row> {
    let fast = matches!(name, "stepup" | "plain ifs");
    let most = if fast { workload.sent.len() } else { SLOW_EVENTS.min(workload.sent.len()) };
    let mut out = Vec::with_capacity(1024);
    let (began, mut events) = (cpu::now(), 0);
    while events < most && (fast || events < 20 || cpu::now() - began < BUDGET) {
        out.clear();
        engine(events, &mut out);
        out.sort_unstable();
        let expected = workload.matches.get(events).map_or(&[][..], Vec::as_slice);
        anyhow::ensure!(out == expected, "{name}, event {events}: {out:?} instead of {expected:?}");
        events += 1;
    }
    let runs = cpu::Runs::of(runs, || {
        let ((), spent) = cpu::spent(|| {
            for event in 0..events {
                out.clear();
                engine(event, &mut out);
                black_box(&out);
            }
        });
        spent
    });
    Ok(Row { name, events, nanoseconds: runs.nanoseconds_each(events), spread: runs.spread(), build })
}

fn print(workload: &Workload, rows: &[Row]) {
    let pairs = workload.matches.iter().enumerate();
    let pairs = pairs.flat_map(|(event, rules)| rules.iter().map(move |rule| (event as u64, u64::from(*rule))));
    let (count, checksum) =
        pairs.fold((0_u64, 0_u64), |(count, sum), (event, rule)| (count + 1, sum.wrapping_add(mixed(event, rule))));
    println!(
        "\n{} rules, {} events, {:.2} matches an event, checksum {checksum:016x}: all engines agree",
        workload.rules.len(),
        workload.sent.len(),
        count as f64 / workload.sent.len() as f64
    );
    if cpu::short() {
        return;
    }
    println!("| engine | ns an event (CPU) | spread | times ours | build | events |\n|---|--:|--:|--:|--:|--:|");
    let ours = rows.iter().find(|row| row.name == "stepup").map_or(f64::NAN, |row| row.nanoseconds);
    for row in rows {
        let Row { name, events, nanoseconds, spread, build } = row;
        let build = build.as_secs_f64() * 1e3;
        println!(
            "| {name} | {nanoseconds:.1} | {spread:.0} % | {:.2} | {build:.0} ms | {events} |",
            nanoseconds / ours
        );
    }
}

fn mixed(event: u64, rule: u64) -> u64 {
    let mut z = (event << 20 | rule).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z ^= z >> 29;
    z.wrapping_mul(0xBF58_476D_1CE4_E5B9)
}
