//! The whole test run: every step is run, even after one failed, and the summary at the end is honest.

use std::time::Instant;

use crate::run;

/// Options of the whole test run.
#[derive(clap::Args)]
pub struct Ci {
    /// Only the steps whose name contains this text
    #[arg(long)]
    only: Option<String>,
}

/// How a step's own output tells how many tests it ran.
enum Counts {
    /// The step is one check.
    One,
    /// `cargo nextest` or `cargo test` summary lines.
    Rust,
    /// The summary of `node --test`.
    Node,
    /// `N passed, N failed` lines, as `stepup test` prints them.
    Plain,
}

/// One that hangs for a quarter of an hour is a failure that says which it was, and not a run without an end.
const NODE_TESTS: &str = "node --test --test-concurrency=2 --test-timeout=900000 --test-reporter=tap";

struct Step {
    name: String,
    words: Vec<String>,
    directory: &'static str,
    counts: Counts,
}

fn step(name: impl Into<String>, words: &str, counts: Counts) -> Step {
    Step { name: name.into(), words: words.split_whitespace().map(str::to_owned).collect(), directory: ".", counts }
}

/// The packs that are shipped, by name.
fn packs() -> anyhow::Result<Vec<String>> {
    let entries = std::fs::read_dir(run::root().join("rules"))?.collect::<Result<Vec<_>, _>>()?;
    let folders = entries.into_iter().filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    anyhow::ensure!(!names.is_empty(), "there is no pack in rules/");
    Ok(names)
}

fn steps() -> anyhow::Result<Vec<Step>> {
    let nextest = run::exists("cargo-nextest");
    let tests =
        if nextest { "cargo nextest run --workspace --no-fail-fast" } else { "cargo test --workspace --no-fail-fast" };
    // Built by the tests: a build of its own would choose other features and compile much of the world again.
    let stepup = run::target().join("debug/stepup");
    let on_rules = |verb: &str, pack: &str| format!("{} {verb} rules/{pack}", stepup.display());
    let benches = "cargo bench --workspace --profile dev --quiet --bench evaluate --bench velocity --bench geo --bench signature \
                   --bench decision --bench realtime --bench silence -- --test";
    let mut steps = vec![
        step("format", "cargo fmt --all --check", Counts::One),
        step("format of the fuzz targets", "cargo fmt --manifest-path fuzz/Cargo.toml --check", Counts::One),
        step("lints", "cargo clippy --workspace --all-targets --quiet -- -D warnings", Counts::One),
        step("tests", tests, Counts::Rust),
        step("doc tests", "cargo test --workspace --doc --quiet", Counts::Rust),
        step("packs: fmt", &on_rules("fmt --check", ""), Counts::One),
    ];
    for pack in packs()? {
        steps.push(step(format!("packs: check {pack}"), &on_rules("check", &pack), Counts::One));
        steps.push(step(
            format!("packs: test {pack}"),
            &on_rules("test --require-coverage=conditions", &pack),
            Counts::Plain,
        ));
    }
    steps.extend([
        step("benchmarks, short form", benches, Counts::One),
        step("fuzz, a minute each", "cargo xtask fuzz --seconds 60", Counts::Plain),
        step("client packages: install", "npm ci --no-audit --no-fund --silent", Counts::One),
        step("client packages and browser", NODE_TESTS, Counts::Node),
        step("sdk: install", "npm ci --no-audit --no-fund --silent", Counts::One),
        step("sdk: build", "npm run build --silent", Counts::One),
        step("sdk: tests", NODE_TESTS, Counts::Node),
    ]);
    if run::exists("cargo-deny") {
        let deny = step("dependencies", "cargo deny check bans licenses sources", Counts::One);
        steps.insert(3, deny);
    }
    for step in &mut steps {
        if step.name.starts_with("client packages") {
            step.directory = "tests/e2e";
        }
        if step.name.starts_with("sdk") {
            step.directory = "sdk";
        }
    }
    Ok(steps)
}

impl Ci {
    /// Runs all steps; fails if one of them did.
    pub fn run(self) -> anyhow::Result<()> {
        let (mut passed, mut failed, mut lines) = (0, 0, Vec::new());
        for step in steps()? {
            if self.only.as_ref().is_some_and(|only| !step.name.contains(only.as_str())) {
                continue;
            }
            println!("\n== {} ({})", step.name, step.words.join(" "));
            let started = Instant::now();
            let mut command = run::command(&step.words);
            command.current_dir(run::root().join(step.directory));
            let (succeeded, printed) = run::shown(command)?;
            let (good, bad) = count(&step.counts, &printed, succeeded);
            passed += good;
            failed += bad;
            let verdict = if bad == 0 { "ok" } else { "FAILED" };
            lines.push(format!(
                "{verdict:>6}  {:<28} {good} passed, {bad} failed  ({} s)",
                step.name,
                started.elapsed().as_secs()
            ));
        }
        println!("\n{}\n\n{passed} passed, {failed} failed", lines.join("\n"));
        anyhow::ensure!(failed == 0, "not everything passed");
        Ok(())
    }
}

/// How many tests passed and failed; a step that failed without saying what counts as one failure, and a
/// step of tests that ran none is a failure too.
fn count(counts: &Counts, printed: &str, succeeded: bool) -> (u64, u64) {
    let (good, bad) = match counts {
        Counts::One => return if succeeded { (1, 0) } else { (0, 1) },
        Counts::Rust => sum(printed, "passed", "failed"),
        Counts::Plain => sum(printed, "passed", "failed"),
        Counts::Node => (after(printed, "# pass "), after(printed, "# fail ")),
    };
    match (succeeded, good, bad) {
        (true, 0, 0) => (0, 1),
        (true, good, _) => (good, 0),
        (false, good, bad) => (good, bad.max(1)),
    }
}

/// Adds the numbers that stand before two words in the lines that are summaries.
fn sum(printed: &str, good: &str, bad: &str) -> (u64, u64) {
    let before = |line: &str, word: &str| -> u64 {
        let words: Vec<&str> = line.split_whitespace().collect();
        let place = words.iter().position(|found| found.trim_end_matches([',', ';']) == word);
        place
            .and_then(|place| place.checked_sub(1))
            .and_then(|place| words.get(place))
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    };
    // nextest repeats the lines of tests that failed; its own summary counts them once.
    let nextest = printed.lines().any(|line| line.contains("Summary ["));
    let is_summary = |line: &&str| match nextest {
        true => line.contains("Summary ["),
        false => line.contains("test result:") || is_plain(line),
    };
    let summaries = printed.lines().filter(is_summary);
    summaries.fold((0, 0), |(passed, failed), line| (passed + before(line, good), failed + before(line, bad)))
}

fn is_plain(line: &str) -> bool {
    line.contains(" passed, ") && line.trim_end().ends_with("failed")
}

fn after(printed: &str, label: &str) -> u64 {
    printed
        .lines()
        .filter_map(|line| line.strip_prefix(label))
        .filter_map(|number| number.trim().parse::<u64>().ok())
        .sum()
}
