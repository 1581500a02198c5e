//! Our rule engine beside its peers, in one process: the same rules, the same events, all matches of each event collected.
//!
//! `cargo run --release -- [--rules 10,100,1000] [--runs 7] [--only stepup,wirefilter] [--test]`
//!
//! Every engine has the event in its own native form and must find exactly the reference's matches (the checksum is
//! over pairs of event and rule), or the run fails. Times are CPU times of this thread. `--test` does everything once
//! with few events and measures nothing.

mod engines;
mod events;
mod reference;
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

/// Fast engines are held against the reference over all of these.
const EVENTS: usize = 10_000;
/// Every engine is measured over the first of them, slow ones over as many as they get through in this time.
const MEASURED: usize = 2_000;
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

/// An engine that found what it must, and what its rounds took.
struct Entrant {
    name: &'static str,
    engine: Engine,
    events: usize,
    build: Duration,
    /// Nanoseconds an event, round by round.
    rounds: Vec<f64>,
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
        if let Some((_, known)) = reference::CHECKSUMS.iter().find(|(rules, _)| *rules == workload.rules.len()) {
            let (_, checksum) = reference::checksum(&workload.matches);
            anyhow::ensure!(cpu::short() || checksum == *known, "the workload is another one: {checksum:016x}");
        }
        let mut entrants = Vec::new();
        for name in ["stepup", "plain ifs", "wirefilter", "zen", "cel", "rhai", "cedar"] {
            if only.as_ref().is_some_and(|only| !only.iter().any(|wanted| name.starts_with(wanted.as_str()))) {
                continue;
            }
            let began = cpu::now();
            if let Some(engine) = engine(name, &workload)? {
                entrants.push(admit(name, engine, &workload, cpu::now() - began)?);
            }
        }
        // In turn, so that what disturbs the machine disturbs all of them.
        for _ in 0..runs {
            entrants.iter_mut().for_each(round);
        }
        print(&workload, &entrants);
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
    let matches = reference::matches(&rules, &events, &sets);
    Workload { rules, lists, sets, sent, events, matches }
}

/// The engine with this name; none if it was not built in, or cannot take so many rules.
fn engine(name: &str, workload: &Workload) -> anyhow::Result<Option<Engine>> {
    let Workload { rules, lists, sets, sent, events, .. } = workload;
    let slow = sent.get(..MEASURED.min(sent.len())).unwrap_or(sent);
    let _ = (slow, lists, sets);
    Ok(Some(match name {
        "stepup" => {
            let mut engine = Stepup::new(rules, lists, sent)?;
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

/// Holds an engine against the reference.
fn admit(name: &'static str, mut engine: Engine, workload: &Workload, build: Duration) -> anyhow::Result<Entrant> {
    let fast = matches!(name, "stepup" | "plain ifs");
    let most = if fast { workload.sent.len() } else { MEASURED.min(workload.sent.len()) };
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
    Ok(Entrant { name, engine, events: events.min(MEASURED), build, rounds: Vec::new() })
}

fn round(entrant: &mut Entrant) {
    let mut out = Vec::with_capacity(1024);
    // Once unmeasured: what the others have driven out of the caches is not this engine's doing.
    for event in 0..entrant.events {
        out.clear();
        (entrant.engine)(event, &mut out);
    }
    let ((), spent) = cpu::spent(|| {
        for event in 0..entrant.events {
            out.clear();
            (entrant.engine)(event, &mut out);
            black_box(&out);
        }
    });
    entrant.rounds.push(spent.as_nanos() as f64 / entrant.events.max(1) as f64);
}

fn print(workload: &Workload, entrants: &[Entrant]) {
    let (count, checksum) = reference::checksum(&workload.matches);
    println!(
        "\n{} rules, {} events, {:.2} matches an event, checksum {checksum:016x}: all engines agree",
        workload.rules.len(),
        workload.sent.len(),
        count as f64 / workload.sent.len() as f64
    );
    if cpu::short() {
        return;
    }
    println!("| engine | ns an event (CPU), median | least | times ours, median | least..most | build | events |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let ours = entrants.iter().find(|entrant| entrant.name == "stepup");
    for entrant in entrants {
        let taken = sorted(entrant.rounds.clone());
        // Round by round, as both were disturbed alike.
        let pairs = ours.into_iter().flat_map(|ours| entrant.rounds.iter().zip(&ours.rounds));
        let times = sorted(pairs.map(|(theirs, ours)| theirs / ours).collect());
        println!(
            "| {} | {:.1} | {:.1} | {:.2} | {:.2}..{:.2} | {:.0} ms | {} |",
            entrant.name,
            at(&taken, taken.len() / 2),
            at(&taken, 0),
            at(&times, times.len() / 2),
            at(&times, 0),
            at(&times, times.len().saturating_sub(1)),
            entrant.build.as_secs_f64() * 1e3,
            entrant.events
        );
    }
}

fn sorted(mut numbers: Vec<f64>) -> Vec<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers
}

fn at(numbers: &[f64], place: usize) -> f64 {
    numbers.get(place).copied().unwrap_or(f64::NAN)
}
