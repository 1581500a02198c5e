//! `cargo xtask fuzz`: looks for inputs that break a promise. The promises are in `fuzz/src/lib.rs`.
//!
//! Builds libFuzzer's binaries with the toolchain at hand: coverage is a pass of the compiler and needs no nightly, and the
//! crates forbid `unsafe`, so that a sanitizer would have nothing to find. The layout is that of `cargo fuzz`.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use anyhow::Context;

use crate::run;

/// Options of the search.
#[derive(clap::Args)]
pub struct Fuzz {
    /// How long each target is searched
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only this target
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// How many targets are searched at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// An input to try once, as a crash is printed; needs --target
    #[arg(requires = "target")]
    input: Option<PathBuf>,
}

struct Target {
    name: &'static str,
    /// The longest input in bytes.
    longest: u32,
}

const TARGETS: [Target; 4] = [
    Target { name: "parse", longest: 8_192 },
    Target { name: "format", longest: 4_096 },
    Target { name: "check", longest: 8_192 },
    Target { name: "eval", longest: 8_192 },
];

/// Longer for one input is a finding.
const SECONDS_PER_INPUT: u32 = 20;
const MEMORY_MB: u32 = 1_024;

impl Fuzz {
    /// Searches; fails if an input broke a promise.
    pub fn run(self) -> anyhow::Result<()> {
        let wanted = |target: &&Target| self.target.as_ref().is_none_or(|name| name == target.name);
        let targets: VecDeque<&Target> = TARGETS.iter().filter(wanted).collect();
        let known = TARGETS.map(|target| target.name).join(", ");
        anyhow::ensure!(!targets.is_empty(), "there is no such target; there are {known}");
        let binaries = build()?;
        if let (Some(input), Some(target)) = (&self.input, targets.front()) {
            let status = Command::new(binaries.join(target.name)).arg(input).status()?;
            anyhow::ensure!(status.success(), "{} breaks a promise", input.display());
            return Ok(());
        }
        let dictionary = dictionary()?;
        for target in &targets {
            sow(target)?;
        }
        let (queue, failed) = (Mutex::new(targets), Mutex::new(0_u32));
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    loop {
                        let next = queue.lock().map(|mut queue| queue.pop_front());
                        let Ok(Some(target)) = next else { break };
                        match self.search(target, &binaries, &dictionary) {
                            Ok(said) => println!("{said}: 1 passed, 0 failed"),
                            Err(error) => {
                                println!("{error:#}\n{}: 0 passed, 1 failed", target.name);
                                let _ = failed.lock().map(|mut failed| *failed += 1);
                            }
                        }
                    }
                });
            }
        });
        let failed = failed.into_inner().unwrap_or(1);
        anyhow::ensure!(failed == 0, "an input breaks a promise");
        Ok(())
    }

    fn search(&self, target: &Target, binaries: &Path, dictionary: &Path) -> anyhow::Result<String> {
        let name = target.name;
        let [corpus, artifacts] = ["corpus", "artifacts"].map(|kind| folder(kind, name));
        fs::create_dir_all(&corpus)?;
        fs::create_dir_all(&artifacts)?;
        let log = artifacts.join("log");
        let output = fs::File::create(&log)?;
        let status = Command::new(binaries.join(name))
            .arg(format!("-max_total_time={}", self.seconds))
            .arg(format!("-max_len={}", target.longest))
            .arg(format!("-timeout={SECONDS_PER_INPUT}"))
            .arg(format!("-rss_limit_mb={MEMORY_MB}"))
            .arg(format!("-dict={}", dictionary.display()))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            // The bookkeeping of its entropy takes longer than our code does.
            .args(["-print_final_stats=1", "-entropic=0"])
            .args([&corpus, &folder("seeds", name)])
            .stdout(output.try_clone()?)
            .stderr(output)
            .status()?;
        let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        if status.success() {
            let runs = stat(&said, "number_of_executed_units");
            let slowest = stat(&said, "slowest_unit_time_sec");
            return Ok(format!("{name}: {runs} inputs in {} s, the slowest took {slowest} s", self.seconds));
        }
        let mut report = format!("{name}\n");
        let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with('#')).collect();
        for line in lines.iter().skip(lines.len().saturating_sub(40)) {
            let _ = writeln!(report, "    {line}");
        }
        let written = said.rsplit_once("Test unit written to ").and_then(|(_, after)| after.lines().next());
        match written {
            Some(input) => {
                let input = Path::new(input).strip_prefix(run::root()).unwrap_or(Path::new(input));
                let _ = write!(report, "to reproduce: cargo xtask fuzz --target {name} {}", input.display());
            }
            None => {
                let _ = write!(report, "all it said is in {}", log.display());
            }
        }
        anyhow::bail!(report)
    }
}

fn folder(kind: &str, target: &str) -> PathBuf {
    run::root().join("fuzz").join(kind).join(target)
}

fn stat<'a>(said: &'a str, name: &str) -> &'a str {
    let line = said.lines().filter_map(|line| line.strip_prefix("stat::")).find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().last()).unwrap_or("?")
}

/// Builds the binaries and says where they are.
fn build() -> anyhow::Result<PathBuf> {
    let compiler = Command::new("rustc").arg("-vV").stderr(Stdio::inherit()).output().context("cannot run rustc")?;
    let compiler = String::from_utf8_lossy(&compiler.stdout).into_owned();
    let host = compiler.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    // What `cargo fuzz --sanitizer none` passes.
    let flags = "--cfg fuzzing -Ccodegen-units=4 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                 -Cllvm-args=-sanitizer-coverage-trace-compares";
    // Naming the target keeps the flags away from build scripts.
    let words = ["cargo", "build", "--release", "--quiet", "--bins", "--manifest-path", "fuzz/Cargo.toml", "--target"];
    let mut command = run::command(&words);
    let built = run::target().join("fuzz");
    command.arg(host).arg("--target-dir").arg(&built).env("RUSTFLAGS", flags);
    let (succeeded, _) = run::shown(command)?;
    anyhow::ensure!(succeeded, "the fuzz targets do not build");
    Ok(built.join(host).join("release"))
}

/// The words and signs of the language, as the grammar writes them.
fn dictionary() -> anyhow::Result<PathBuf> {
    let grammar = fs::read_to_string(run::root().join("grammar/src/policy.pest"))?;
    let mut words: Vec<&str> =
        grammar.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(quoted).collect();
    words.sort_unstable();
    words.dedup();
    let path = run::target().join("fuzz").join("rules.dict");
    let lines: String = words.iter().map(|word| format!("\"{word}\"\n")).collect();
    fs::write(&path, lines)?;
    Ok(path)
}

/// What stands in double quotes in a line of the grammar and needs no escape in a dictionary either.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2).filter(|word| !word.is_empty() && !word.contains(['\\', ' ']))
}

/// Writes our corpora as inputs of a target.
fn sow(target: &Target) -> anyhow::Result<()> {
    let seeds = folder("seeds", target.name);
    // A seed that was renamed must not stay.
    let _ = fs::remove_dir_all(&seeds);
    fs::create_dir_all(&seeds)?;
    let mut inputs: Vec<Vec<u8>> = Vec::new();
    match target.name {
        "parse" | "format" => {
            for corpus in ["grammar/corpus", "engine/corpus", "rules"] {
                for path in files_in(&run::root().join(corpus))? {
                    if path.extension().is_some_and(|ending| ending == "rules") {
                        inputs.push(fs::read(path)?);
                    }
                }
            }
        }
        "check" => {
            for path in files_in(&run::root().join("engine/corpus/check"))? {
                if path.extension().is_some_and(|ending| ending == "rules") {
                    inputs.push(fs::read(path)?);
                }
            }
            for pack in folders_in("rules")? {
                inputs.push(packed(&pack)?);
            }
        }
        _ => {
            // Throws of dice; see `fuzz/src/lib.rs`.
            inputs.extend(
                (0..32_u8)
                    .map(|start| (0..200).map(|step| if step == 0 { 0 } else { start.wrapping_mul(step) }).collect()),
            );
            for streams in ["cli/tests/corpus/eval", "engine/corpus/evaluate"] {
                for case in folders_in(streams)? {
                    inputs.push(packed(&case)?);
                }
            }
        }
    }
    for (number, input) in inputs.iter().enumerate() {
        fs::write(seeds.join(format!("{number:04}")), input)?;
    }
    Ok(())
}

fn folders_in(folder: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(run::root().join(folder))?.collect::<Result<Vec<_>, _>>()?;
    let mut folders: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).filter(|path| path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_in(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// A folder as one input; see `fuzz/src/folder.rs`.
fn packed(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let mut input = Vec::new();
    for path in files_in(folder)? {
        let name = path.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
        if name == "decisions.ndjson" || name.ends_with(".md") {
            continue;
        }
        input.extend_from_slice(format!("-- {name} --\n").as_bytes());
        input.extend_from_slice(&fs::read(path)?);
        if !input.ends_with(b"\n") {
            input.push(b'\n');
        }
    }
    Ok(input)
}
